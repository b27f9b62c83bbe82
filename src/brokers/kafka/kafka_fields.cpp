// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_fields.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

#include "config/hosts.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::uint16_t default_port = 9092;

void put(ParsedKafkaConfig& config, const std::string& property, std::string_view key, std::string value) {
  config.properties[property] = std::move(value);
  config.keys[property] = key;
}

const std::vector<std::string>& mechanisms() {
  static const std::vector<std::string> names{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
  return names;
}

/// For the reference page: `a`, `b`.
std::string names_of(const std::vector<std::string>& choices) {
  std::string all;
  for (const std::string& choice : choices) all += (all.empty() ? "`" : ", `") + choice + "`";
  return all;
}

using Read = std::function<void(ConfigSection&, std::string_view, ParsedKafkaConfig&)>;

Read integer_property(const std::string& property, std::int64_t min, std::int64_t max) {
  return [=](ConfigSection& from, std::string_view key, ParsedKafkaConfig& config) {
    if (auto number = from.integer(key, min, max)) put(config, property, key, std::to_string(*number));
  };
}
Read text_property(const std::string& property) {
  return [=](ConfigSection& from, std::string_view key, ParsedKafkaConfig& config) {
    if (auto text = from.string(key)) put(config, property, key, std::move(*text));
  };
}
Read secret_property(const std::string& property) {
  return [=](ConfigSection& from, std::string_view key, ParsedKafkaConfig& config) {
    if (auto secret = from.secret(key)) {
      config.secret_properties[property] = std::move(*secret);
      config.keys[property] = key;
    }
  };
}
Read choice_property(const std::string& property, const std::vector<std::string>& choices) {
  return [=](ConfigSection& from, std::string_view key, ParsedKafkaConfig& config) {
    if (auto choice = read_choice(from, key, choices)) put(config, property, key, std::move(*choice));
  };
}

void read_servers(ConfigSection& from, std::string_view key, ParsedKafkaConfig& config) {
  const auto texts = from.strings(key);
  if (!texts) return;
  // A variable may hold a whole URL, password included.
  const bool may_be_shown = !from.is_substituted(key);
  for (const std::string& text : *texts) {
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      std::string server = text.substr(begin, end - begin);
      server.erase(0, std::min(server.find_first_not_of(' '), server.size()));
      server.erase(server.find_last_not_of(' ') + 1);
      if (const auto address = parse_host_port(server, default_port)) {
        config.servers.push_back({address->host, may_be_shown ? server : "***"});
        config.bootstrap_servers += (config.bootstrap_servers.empty() ? "" : ",") + server;
      } else {
        from.problem(key, from.quoted(key, server) + " is not host or host:port.");
      }
      begin = end + 1;
    }
  }
}

void read_idempotence(ConfigSection& from, std::string_view key, ParsedKafkaConfig& config) {
  if (auto flag = from.boolean(key)) {
    config.idempotence_asked_for = *flag;
    put(config, "enable.idempotence", key, *flag ? "true" : "false");
  }
}

void read_topic(ConfigSection& from, std::string_view key, ParsedKafkaConfig& config) {
  const auto topic = from.string(key);
  if (!topic) return;
  // org.apache.kafka.common.internals.Topic
  const bool legal =
      topic->size() <= 249 && *topic != "." && *topic != ".." && std::all_of(topic->begin(), topic->end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
               c == '-';
      });
  if (!legal) {
    from.problem(key, "The field 'topic' must have 1 to 249 letters, digits, '.', '_' or '-', and not be '.' or '..'.");
  } else {
    config.topic = *topic;
  }
}

void read_id_header(ConfigSection& from, std::string_view key, ParsedKafkaConfig& config) {
  if (auto name = from.string(key)) config.message_id_header = std::move(*name);
}

Field<ParsedKafkaConfig> conn(std::string key, std::string type, std::string values, std::string default_value,
                              std::string description, Read read) {
  return custom_field<ParsedKafkaConfig>(in_conn_details, std::move(key), std::move(type), std::move(values),
                                         std::move(default_value), std::move(description), std::move(read));
}

FieldTable<ParsedKafkaConfig> client_fields() {
  constexpr std::int64_t hour_ms = 3'600'000;
  const std::vector<std::string> codecs{"none", "gzip", "snappy", "lz4", "zstd"};
  const std::vector<std::string> partitioners{"murmur2_random", "murmur2", "consistent_random", "consistent", "random",
                                              "fnv1a_random",   "fnv1a"};
  return {
      conn("bootstrap_servers", "str or list of str", "such as `localhost:9092`", "",
           "Where to find the cluster: `host:port`, comma-separated.", read_servers)
          .alias("bootstrap.servers")
          .require(),
      conn("client_id", "str", "", "rdkafka", "What the broker's logs call this client.", text_property("client.id")),
      conn("acks", "str or int", "`all`, `-1`, `1` or `0`", "all",
           "What counts as confirmed. 0 confirms nothing and is raised to 1.", read_kafka_acks),
      conn("enable_idempotence", "bool", "", "true",
           "No duplicates and no reordering by the client's own retries; needs acks all.", read_idempotence),
      conn("compression_type", "str", names_of(codecs), "none", "", choice_property("compression.type", codecs)),
      conn("linger_ms", "int", "0 to 900000", "1", "How long a message may wait for others to share its batch.",
           integer_property("linger.ms", 0, 900'000)),
      conn("request_timeout_ms", "int", "1 to 900000", "30000", "How long the broker may take for one request.",
           integer_property("request.timeout.ms", 1, 900'000)),
      conn("retry_backoff_ms", "int", "1 to 300000", "100", "The pause before the client's own retry.",
           integer_property("retry.backoff.ms", 1, 300'000)),
      conn("metadata_max_age_ms", "int", "1 to 86400000", "900000",
           "How old the client's metadata of the cluster may get.",
           integer_property("metadata.max.age.ms", 1, 24 * hour_ms)),
      conn("connections_max_idle_ms", "int", "0 to 2147483647", "0", "Closes idle connections; 0: never.",
           integer_property("connections.max.idle.ms", 0, 2'147'483'647)),
      conn("max_request_size", "int", "1000 to 1000000000", "1000000", "The largest message, in bytes.",
           integer_property("message.max.bytes", 1'000, 1'000'000'000)),
      conn("partitioner", "str", names_of(partitioners), "murmur2_random",
           "Which partition a key goes to; the default is the Java client's choice.",
           choice_property("partitioner", partitioners)),
  };
}

FieldTable<ParsedKafkaConfig> security_fields() {
  const std::vector<std::string> protocols{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};
  return {
      conn("security_protocol", "str", names_of(protocols), "PLAINTEXT",
           "TLS always verifies certificates and host names.", choice_property("security.protocol", protocols)),
      conn("sasl_mechanism", "str", names_of(mechanisms()), "", "Required with SASL_PLAINTEXT and SASL_SSL.",
           read_sasl_mechanism),
      conn("sasl_plain_username", "str", "", "", "For every mechanism, SCRAM too.", text_property("sasl.username")),
      conn("sasl_plain_password", "str", "may be empty", "", "Best as `${file:…}` or `${ENV}`.",
           secret_property("sasl.password")),
      conn("ssl_cafile", "str", "", "the system's", "PEM file of the authorities to trust.",
           text_property("ssl.ca.location")),
      conn("ssl_certfile", "str", "", "", "PEM file, for mutual TLS.", text_property("ssl.certificate.location")),
      conn("ssl_keyfile", "str", "", "", "PEM file, for mutual TLS.", text_property("ssl.key.location")),
      conn("ssl_password", "str", "may be empty", "", "Of the key file.", secret_property("ssl.key.password")),
  };
}

FieldTable<ParsedKafkaConfig> destination_fields() {
  return {
      custom_field<ParsedKafkaConfig>(in_params, "topic", "str", "such as `orders`", "",
                                      "Must exist, or be created by the broker on demand.", read_topic)
          .require(),
      custom_field<ParsedKafkaConfig>(in_params, "message_id_header", "str or null", "", "message-id",
                                      "The record header that carries the message id; null: none.", read_id_header),
      text_field<ParsedKafkaConfig>(in_params, "content_type", &KafkaConfig::content_type, "",
                                    "Header `content-type` of messages that bring none."),
  };
}

}  // namespace

void read_sasl_mechanism(ConfigSection& from, std::string_view key, ParsedKafkaConfig& config) {
  choice_property("sasl.mechanism", mechanisms())(from, key, config);
}

void read_kafka_acks(ConfigSection& from, std::string_view key, ParsedKafkaConfig& config) {
  config.keys["acks"] = key;
  const auto text = from.scalar(key);
  if (!text) return;
  if (*text == "all" || *text == "-1") {
    config.properties["acks"] = "all";
  } else if (*text == "1") {
    config.properties["acks"] = "1";
  } else if (*text == "0") {
    config.properties["acks"] = "1";
    from.warning(key, "acks 0 confirms nothing, so no outcome could be known; acks 1 is used.");
  } else {
    from.problem(key, "The field 'acks' must be one of 'all', -1, 1, 0.");
  }
}

const FieldTable<ParsedKafkaConfig>& kafka_field_table() {
  static const FieldTable<ParsedKafkaConfig> table = [] {
    FieldTable<ParsedKafkaConfig> all = client_fields();
    for (const auto& more : {security_fields(), destination_fields()}) all.insert(all.end(), more.begin(), more.end());
    return all;
  }();
  return table;
}

}  // namespace action_triggers::detail
