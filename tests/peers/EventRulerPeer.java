// SPDX-License-Identifier: MIT
// Asks event-ruler, a public implementation of EventBridge's rules. Standard input: in turn a line with a rule, and a
// line with an event. Standard output: a line for each pair, "yes", "no", or "refused: …" if event-ruler takes the rule
// or the event for wrong.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import software.amazon.event.ruler.Machine;

public final class EventRulerPeer {
  @SuppressWarnings("deprecation") // of the constructor, whose builder is not public
  private static String ask(String rule, String event) {
    try {
      Machine machine = new Machine();
      machine.addRule("rule", rule);
      return machine.rulesForJSONEvent(event).isEmpty() ? "no" : "yes";
    } catch (Exception | StackOverflowError error) {
      return "refused: " + String.valueOf(error.getMessage()).replace('\n', ' ');
    }
  }

  public static void main(String[] arguments) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    for (String rule = in.readLine(); rule != null; rule = in.readLine()) out.println(ask(rule, in.readLine()));
    out.flush();
  }
}
