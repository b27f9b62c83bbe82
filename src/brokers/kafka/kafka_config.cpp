#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "action_triggers/kafka.hpp"
#include "brokers/kafka/kafka_type.hpp"
#include "config/hosts.hpp"
#include "brokers/kafka/kafka_client.hpp"
#include "brokers/kafka/kafka_properties.hpp"
#include "config/field_table.hpp"

namespace action_triggers::detail {
namespace {

// Several full requests for each of a few partitions. With more, librdkafka's messages do not fit the processor's
// caches any more, which costs a third of the throughput: docs/decisions/0014.
constexpr std::size_t default_max_in_flight = 40'000;

/// Raises the parts of a KafkaConfig that need a second look.
struct Raw : KafkaConfig {
  std::vector<std::string> servers;
  bool idempotence_asked_for = false;
};

void set_property(Raw& config, const std::string& property, std::string value) {
  config.properties[property] = std::move(value);
}

using Read = std::function<void(ConfigSection&, std::string_view, Raw&)>;

Read integer_property(const std::string& property, std::int64_t min, std::int64_t max) {
  return [=](ConfigSection& from, std::string_view key, Raw& config) {
    if (auto number = from.integer(key, min, max)) set_property(config, property, std::to_string(*number));
  };
}
Read text_property(const std::string& property) {
  return [=](ConfigSection& from, std::string_view key, Raw& config) {
    if (auto text = from.string(key)) set_property(config, property, std::move(*text));
  };
}
Read secret_property(const std::string& property) {
  return [=](ConfigSection& from, std::string_view key, Raw& config) {
    if (auto secret = from.secret(key)) config.secret_properties[property] = std::move(*secret);
  };
}
Read choice_property(const std::string& property, const std::vector<std::string>& choices) {
  return [=](ConfigSection& from, std::string_view key, Raw& config) {
    if (auto choice = read_choice(from, key, choices)) set_property(config, property, std::move(*choice));
  };
}

void read_servers(ConfigSection& from, std::string_view key, Raw& config) {
  const auto texts = from.strings(key);
  if (!texts) return;
  for (const std::string& text : *texts) {
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      std::string server = text.substr(begin, end - begin);
      server.erase(0, std::min(server.find_first_not_of(' '), server.size()));
      server.erase(server.find_last_not_of(' ') + 1);
      if (!parse_host_port(server, 9092)) {
        from.problem(key, "'" + server + "' is not host or host:port.");
      } else {
        config.servers.push_back(server);
        config.bootstrap_servers += (config.bootstrap_servers.empty() ? "" : ",") + server;
      }
      begin = end + 1;
    }
  }
}

void read_acks(ConfigSection& from, std::string_view key, Raw& config) {
  const auto text = from.scalar(key);
  if (!text) return;
  if (*text == "all" || *text == "-1") {
    set_property(config, "acks", "all");
  } else if (*text == "1") {
    set_property(config, "acks", "1");
  } else if (*text == "0") {
    set_property(config, "acks", "1");
    from.warning(key, "acks 0 confirms nothing, so no outcome could be known; acks 1 is used.");
  } else {
    from.problem(key, "The field 'acks' must be one of 'all', -1, 1, 0.");
  }
}

void read_idempotence(ConfigSection& from, std::string_view key, Raw& config) {
  if (auto flag = from.boolean(key)) {
    config.idempotence_asked_for = *flag;
    set_property(config, "enable.idempotence", *flag ? "true" : "false");
  }
}

void read_topic(ConfigSection& from, std::string_view key, Raw& config) {
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

void read_id_header(ConfigSection& from, std::string_view key, Raw& config) {
  if (auto name = from.string(key)) config.message_id_header = std::move(*name);
}

const FieldTable<Raw>& fields() {
  using C = Raw;
  constexpr std::int64_t hour_ms = 3'600'000;
  const auto conn = [](std::string key, std::string type, std::string values, std::string default_value,
                       std::string description, Read read) {
    return custom_field<C>(in_conn_details, std::move(key), std::move(type), std::move(values),
                           std::move(default_value), std::move(description), std::move(read));
  };
  const std::vector<std::string> codecs{"none", "gzip", "snappy", "lz4", "zstd"};
  const std::vector<std::string> protocols{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};
  const std::vector<std::string> mechanisms{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
  const std::vector<std::string> partitioners{"murmur2_random", "murmur2", "consistent_random", "consistent", "random",
                                              "fnv1a_random",   "fnv1a"};
  static const FieldTable<Raw> table{
      conn("bootstrap_servers", "str or list of str", "`host:port`, comma-separated", "", "Where to find the cluster.",
           read_servers)
          .require(),
      conn("client_id", "str", "", "rdkafka", "What the broker's logs call this client.", text_property("client.id")),
      conn("acks", "str or int", "`all`, -1, 1, 0", "all",
           "What counts as confirmed. 0 confirms nothing and is raised to 1.", read_acks),
      conn("enable_idempotence", "bool", "", "true",
           "No duplicates and no reordering by the client's own retries; needs acks all.", read_idempotence),
      conn("compression_type", "str", "`none`, `gzip`, `snappy`, `lz4`, `zstd`", "none", "",
           choice_property("compression.type", codecs)),
      conn("linger_ms", "int", "0 to 900000", "1", "How long a message may wait for others to share its batch.",
           integer_property("linger.ms", 0, 900'000)),
      conn("request_timeout_ms", "int", "1 to 900000", "30000", "How long the broker may take for one request.",
           integer_property("request.timeout.ms", 1, 900'000)),
      conn("retry_backoff_ms", "int", "1 to 300000", "100", "The pause before the client's own retry.",
           integer_property("retry.backoff.ms", 1, 300'000)),
      conn("metadata_max_age_ms", "int", "1 to 86400000", "900000",
           "How old the client's picture of the cluster may get.",
           integer_property("metadata.max.age.ms", 1, 24 * hour_ms)),
      conn("connections_max_idle_ms", "int", "0 to 2147483647", "0", "Closes idle connections; 0: never.",
           integer_property("connections.max.idle.ms", 0, 2'147'483'647)),
      conn("max_request_size", "int", "1000 to 1000000000", "1000000", "The largest message, in bytes.",
           integer_property("message.max.bytes", 1'000, 1'000'000'000)),
      conn("partitioner", "str", "librdkafka's names", "murmur2_random",
           "Which partition a key goes to; the default is the Java client's choice.",
           choice_property("partitioner", partitioners)),
      conn("security_protocol", "str", "`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT`, `SASL_SSL`", "PLAINTEXT",
           "TLS always verifies certificates and host names.", choice_property("security.protocol", protocols)),
      conn("sasl_mechanism", "str", "`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`", "",
           "Required with SASL_PLAINTEXT and SASL_SSL.", choice_property("sasl.mechanism", mechanisms)),
      conn("sasl_plain_username", "str", "", "", "For every mechanism, SCRAM too.", text_property("sasl.username")),
      conn("sasl_plain_password", "str", "", "", "Best as `${file:…}` or `${ENV}`.", secret_property("sasl.password")),
      conn("ssl_cafile", "str", "", "the system's", "PEM file of the authorities to trust.",
           text_property("ssl.ca.location")),
      conn("ssl_certfile", "str", "", "", "PEM file, for mutual TLS.", text_property("ssl.certificate.location")),
      conn("ssl_keyfile", "str", "", "", "PEM file, for mutual TLS.", text_property("ssl.key.location")),
      conn("ssl_password", "str", "", "", "Of the key file.", secret_property("ssl.key.password")),

      custom_field<C>(in_params, "topic", "str", "", "", "Must exist, or be created by the broker on demand.",
                      read_topic)
          .require(),
      custom_field<C>(in_params, "message_id_header", "str or null", "", "message-id",
                      "The record header that carries the message id; null: none.", read_id_header),
      text_field<C>(in_params, "content_type", &KafkaConfig::content_type, "",
                    "Header `content-type` of messages that bring none."),
  };
  return table;
}

/// librdkafka's own names that may be given beside the ones above.
const std::set<std::string, std::less<>>& allowed_properties() {
  static const std::set<std::string, std::less<>> names{"acks",
                                                        "batch.num.messages",
                                                        "batch.size",
                                                        "bootstrap.servers",
                                                        "broker.address.family",
                                                        "broker.address.ttl",
                                                        "broker.version.fallback",
                                                        "client.id",
                                                        "client.rack",
                                                        "compression.codec",
                                                        "compression.level",
                                                        "compression.type",
                                                        "connections.max.idle.ms",
                                                        "debug",
                                                        "enable.idempotence",
                                                        "linger.ms",
                                                        "log_level",
                                                        "max.in.flight",
                                                        "max.in.flight.requests.per.connection",
                                                        "message.copy.max.bytes",
                                                        "message.max.bytes",
                                                        "message.send.max.retries",
                                                        "metadata.max.age.ms",
                                                        "metadata.recovery.strategy",
                                                        "partitioner",
                                                        "queue.buffering.backpressure.threshold",
                                                        "queue.buffering.max.kbytes",
                                                        "queue.buffering.max.messages",
                                                        "queue.buffering.max.ms",
                                                        "queuing.strategy",
                                                        "receive.message.max.bytes",
                                                        "reconnect.backoff.max.ms",
                                                        "reconnect.backoff.ms",
                                                        "request.required.acks",
                                                        "request.timeout.ms",
                                                        "retries",
                                                        "retry.backoff.max.ms",
                                                        "retry.backoff.ms",
                                                        "sasl.kerberos.keytab",
                                                        "sasl.kerberos.principal",
                                                        "sasl.kerberos.service.name",
                                                        "sasl.mechanism",
                                                        "sasl.mechanisms",
                                                        "sasl.password",
                                                        "sasl.username",
                                                        "security.protocol",
                                                        "socket.connection.setup.timeout.ms",
                                                        "socket.keepalive.enable",
                                                        "socket.max.fails",
                                                        "socket.nagle.disable",
                                                        "socket.receive.buffer.bytes",
                                                        "socket.send.buffer.bytes",
                                                        "socket.timeout.ms",
                                                        "ssl.ca.location",
                                                        "ssl.ca.pem",
                                                        "ssl.certificate.location",
                                                        "ssl.certificate.pem",
                                                        "ssl.cipher.suites",
                                                        "ssl.crl.location",
                                                        "ssl.curves.list",
                                                        "ssl.key.location",
                                                        "ssl.key.password",
                                                        "ssl.key.pem",
                                                        "ssl.keystore.location",
                                                        "ssl.keystore.password",
                                                        "ssl.sigalgs.list",
                                                        "statistics.interval.ms",
                                                        "sticky.partitioning.linger.ms",
                                                        "topic.metadata.propagation.max.ms",
                                                        "topic.metadata.refresh.fast.interval.ms",
                                                        "topic.metadata.refresh.interval.ms",
                                                        "topic.metadata.refresh.sparse"};
  return names;
}

/// … and why some of them are not.
const std::map<std::string, std::string, std::less<>>& refused_properties() {
  static const std::string loads_code = "It loads code into the process.";
  static const std::string unverified =
      "Certificates and host names are always verified; name a private CA in 'ssl_cafile'.";
  static const std::string ours = "The dispatcher depends on it.";
  static const std::map<std::string, std::string, std::less<>> names{
      {"plugin.library.paths", loads_code},
      {"ssl.engine.location", loads_code},
      {"ssl.engine.id", loads_code},
      {"ssl.providers", loads_code},
      {"sasl.oauthbearer.config", "OAUTHBEARER is not supported yet."},
      {"sasl.kerberos.kinit.cmd", "It runs a command."},
      {"enable.ssl.certificate.verification", unverified},
      {"ssl.endpoint.identification.algorithm", unverified},
      {"message.timeout.ms", "Use params.timeout_secs."},
      {"delivery.timeout.ms", "Use params.timeout_secs."},
      {"transactional.id", "Transactions are not supported."},
      {"delivery.report.only.error", ours},
      {"log.queue", ours},
      {"produce.offset.report", ours},
      {"enable.gapless.guarantee", ours},
  };
  return names;
}

const std::set<std::string, std::less<>>& secret_names() {
  static const std::set<std::string, std::less<>> names{"sasl.password", "ssl.key.password", "ssl.key.pem",
                                                        "ssl.keystore.password"};
  return names;
}

/// The one name of a property that has several in librdkafka.
std::string canonical_property(const std::string& name) {
  static const std::map<std::string, std::string, std::less<>> same{
      {"queue.buffering.max.ms", "linger.ms"},   {"request.required.acks", "acks"},
      {"compression.codec", "compression.type"}, {"sasl.mechanisms", "sasl.mechanism"},
      {"retries", "message.send.max.retries"},   {"max.in.flight", "max.in.flight.requests.per.connection"}};
  const auto found = same.find(name);
  return found == same.end() ? name : found->second;
}

void read_dotted(ConfigSection& conn, Raw& config) {
  for (const std::string& key : conn.keys()) {
    if (key.find('.') == std::string::npos && key != "debug" && key != "log_level" && key != "retries") continue;
    if (const auto refused = refused_properties().find(key); refused != refused_properties().end()) {
      static_cast<void>(conn.has(key));
      conn.problem(key, "The property '" + key + "' may not be set. " + refused->second);
      continue;
    }
    if (!allowed_properties().contains(key)) continue;  // reported as unknown
    const std::string property = canonical_property(key);
    if (config.properties.contains(property) || config.secret_properties.contains(property) ||
        (property == "bootstrap.servers" && !config.bootstrap_servers.empty())) {
      static_cast<void>(conn.has(key));
      conn.problem(key, "The property '" + key + "' is given under another name too; give one of them.");
      continue;
    }
    if (property == "bootstrap.servers") {
      read_servers(conn, key, config);
    } else if (property == "acks") {
      read_acks(conn, key, config);
    } else if (secret_names().contains(property)) {
      if (auto secret = conn.secret(key)) config.secret_properties[property] = std::move(*secret);
    } else if (auto value = conn.scalar(key)) {
      if (property == "ssl.cipher.suites" && value->find("@SECLEVEL=0") != std::string::npos) {
        conn.problem(key, "'@SECLEVEL=0' lets broken ciphers and protocols in.");
      } else {
        if (property == "enable.idempotence") config.idempotence_asked_for = *value == "true";
        if (property == "socket.nagle.disable" && *value != "true") {
          conn.warning(key,
                       "With Nagle's algorithm on, single messages wait for the broker's delayed acknowledgements.");
        }
        config.properties[property] = std::move(*value);
      }
    }
  }
}

/// What holds unless the file says otherwise.
void add_defaults(ConfigSection& conn, Raw& config) {
  const auto otherwise = [&](const char* property, const char* value) {
    config.properties.try_emplace(property, value);
  };
  otherwise("acks", "all");
  if (config.properties["acks"] != "all" && config.properties["acks"] != "-1") {
    if (config.idempotence_asked_for) {
      conn.problem("acks", "The field 'enable_idempotence' needs acks 'all'.");
    } else {
      conn.warning("acks",
                   "Without acks 'all' a confirmed message can be lost with its broker, and retries can reorder.");
    }
    config.properties["enable.idempotence"] = "false";
  }
  otherwise("enable.idempotence", "true");
  otherwise("socket.nagle.disable", "true");
  otherwise("partitioner", "murmur2_random");  // where the Java client puts a key
  // 0 costs several times the CPU for each message, 5 makes a message on its own wait 5 ms.
  otherwise("linger.ms", "1");
  // The lane bounds what is queued, so the client must not.
  otherwise("queue.buffering.max.messages", "10000000");
  otherwise("queue.buffering.max.kbytes", "2097151");
  // Long enough for a topic that the broker is just creating, short enough to hear of one that does not exist.
  otherwise("topic.metadata.propagation.max.ms", "1500");
}

void check_security(BrokerSection& section, Raw& config) {
  ConfigSection& conn = section.conn_details;
  const auto protocol_at = config.properties.find("security.protocol");
  std::string protocol = protocol_at == config.properties.end() ? "PLAINTEXT" : protocol_at->second;
  std::transform(protocol.begin(), protocol.end(), protocol.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  const bool sasl = protocol.starts_with("SASL");
  const bool tls = protocol.ends_with("SSL");
  if (sasl) {
    if (!config.properties.contains("sasl.mechanism")) {
      conn.problem("sasl_mechanism", "The field 'sasl_mechanism' must be provided.");
    } else if (config.properties["sasl.mechanism"] != "GSSAPI") {
      if (!config.properties.contains("sasl.username")) {
        conn.problem("sasl_plain_username", "The field 'sasl_plain_username' must be provided.");
      }
      if (!config.secret_properties.contains("sasl.password")) {
        conn.problem("sasl_plain_password", "The field 'sasl_plain_password' must be provided.");
      }
    }
  } else if (config.properties.contains("sasl.username") || config.properties.contains("sasl.mechanism")) {
    conn.problem("security_protocol",
                 "SASL credentials are given, but 'security_protocol' is " + protocol + "; use SASL_SSL.");
  }
  if (tls) {
    config.properties["ssl.endpoint.identification.algorithm"] = "https";  // off by default before librdkafka 2.0
    // librdkafka cannot be told a least version. What remains here exists in TLS 1.2 only; the suites of 1.3 are apart.
    std::string& suites = config.properties.try_emplace("ssl.cipher.suites", "HIGH:!aNULL").first->second;
    suites += ":!SSLv3:!TLSv1";
    return;
  }
  for (const std::string& server : config.servers) {
    const auto host = parse_host_port(server, 0);
    if (host && is_loopback(host->host)) continue;
    const std::string text = server + ": " + std::string(plaintext_text);
    if (section.require_tls) {
      conn.problem("bootstrap_servers", text);
    } else {
      conn.warning("bootstrap_servers", text);
    }
    break;
  }
}

}  // namespace

std::vector<const FieldInfo*> kafka_fields() { return infos(fields()); }

std::unique_ptr<BrokerConfig> parse_kafka(BrokerSection& section) {
  Raw raw;
  raw.max_in_flight = default_max_in_flight;
  // The dotted name will do too.
  const bool dotted_servers = section.conn_details.has("bootstrap.servers");
  for (const Field<Raw>& field : fields()) {
    ConfigSection& from = field.section == in_params ? section.params : section.conn_details;
    if (from.has(field.key)) {
      field.read(from, field.key, raw);
    } else if (field.required && !(field.key == "bootstrap_servers" && dotted_servers)) {
      from.problem(field.key, "The field '" + field.key + "' must be provided.");
    }
  }
  if (section.params.has_null("message_id_header")) raw.message_id_header.reset();
  read_dotted(section.conn_details, raw);
  add_defaults(section.conn_details, raw);
  check_security(section, raw);
#ifdef ACTION_TRIGGERS_WITH_KAFKA
  for (const auto& [property, text] : wrong_properties(raw)) section.conn_details.problem(property, text);
  if (const auto mechanism = raw.properties.find("sasl.mechanism");
      mechanism != raw.properties.end() && mechanism->second.starts_with("SCRAM") && !why_scram_fails().empty()) {
    section.conn_details.warning("sasl_mechanism", "Older brokers accept it, but " + why_scram_fails() + ".");
  }
#endif
  const auto add = [&](const std::string& text) { raw.connection_key += std::to_string(text.size()) + ":" + text; };
  add(raw.bootstrap_servers);
  for (const auto& [property, value] : raw.properties) {
    add(property);
    add(value);
  }
  for (const auto& [property, value] : raw.secret_properties) {
    add(property);
    add(value.reveal());
  }
  return std::make_unique<KafkaConfig>(static_cast<const KafkaConfig&>(raw));
}

}  // namespace action_triggers::detail
