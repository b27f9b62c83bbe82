// SPDX-License-Identifier: MIT
// Reads messages from Kafka, and prints what CloudEvents' SDK for Java makes of them: a JSON object an event, as
// cloudevents_consumer.py does. Arguments: kafka BOOTSTRAP TOPIC COUNT
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cloudevents.CloudEvent;
import io.cloudevents.kafka.CloudEventDeserializer;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

public final class CloudEventsConsumer {
  private static final Duration PATIENCE = Duration.ofSeconds(60); // for the next messages
  private static final ObjectMapper JSON = new ObjectMapper();

  private static JsonNode dataOf(CloudEvent event) throws Exception {
    if (event.getData() == null) return JSON.nullNode();
    byte[] bytes = event.getData().toBytes();
    String type = event.getDataContentType();
    if (type == null || type.equals("application/json")) return JSON.readTree(bytes);
    return JSON.createObjectNode().put("bytes", HexFormat.of().formatHex(bytes));
  }

  private static String textOf(CloudEvent event) throws Exception {
    ObjectNode text = JSON.createObjectNode();
    for (String name : new TreeSet<>(event.getAttributeNames())) {
      text.put(name, String.valueOf(event.getAttribute(name)));
    }
    for (String name : new TreeSet<>(event.getExtensionNames())) {
      text.put(name, String.valueOf(event.getExtension(name)));
    }
    text.set("data", dataOf(event));
    return JSON.writeValueAsString(text);
  }

  public static void main(String[] arguments) throws Exception {
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8); // whatever the locale
    int left = Integer.parseInt(arguments[3]);
    Map<String, Object> settings =
        Map.of("bootstrap.servers", arguments[1], "group.id", UUID.randomUUID().toString(), "auto.offset.reset",
            "earliest");
    try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new CloudEventDeserializer())) {
      consumer.subscribe(List.of(arguments[2]));
      while (left > 0) {
        ConsumerRecords<String, CloudEvent> records = consumer.poll(PATIENCE);
        if (records.isEmpty()) throw new IllegalStateException("no message");
        for (ConsumerRecord<String, CloudEvent> record : records) {
          out.println(textOf(record.value()));
          left--;
        }
      }
    }
  }
}
