// SPDX-License-Identifier: MIT
// How many events a second event-ruler matches in one thread. The argument is a file: a line with an event, then a line
// with each rule. One line of JSON comes out, as of the programs beside ours.
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import software.amazon.event.ruler.Machine;

public final class EventRulerMatching {
  private static final int BATCH = 20_000;
  private static final int WARM_UP = 20;
  private static final int BATCHES = 30;

  /** Seconds of this thread's processor for a batch. */
  private static double batch(Machine machine, String event, int wanted) throws Exception {
    long before = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
    for (int i = 0; i < BATCH; i++) {
      if (machine.rulesForJSONEvent(event).size() != wanted) throw new IllegalStateException("another answer");
    }
    return (ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - before) / 1e9;
  }

  @SuppressWarnings("deprecation") // of the constructor, whose builder is not public
  public static void main(String[] arguments) throws Exception {
    List<String> lines = Files.readAllLines(Path.of(arguments[0]));
    String event = lines.get(0);
    Machine machine = new Machine();
    for (int i = 1; i < lines.size(); i++) machine.addRule("rule-" + i, lines.get(i));
    int matching = machine.rulesForJSONEvent(event).size();
    for (int i = 0; i < WARM_UP; i++) batch(machine, event, matching);
    double[] seconds = new double[BATCHES];
    for (int i = 0; i < BATCHES; i++) seconds[i] = batch(machine, event, matching);
    Arrays.sort(seconds);
    System.out.printf("{\"matching\": %d, \"per_second\": %.0f}%n", matching, BATCH / seconds[BATCHES / 2]);
  }
}
