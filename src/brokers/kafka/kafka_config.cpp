// SPDX-License-Identifier: MIT
#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "brokers/kafka/kafka_checks.hpp"
#include "brokers/kafka/kafka_fields.hpp"
#include "brokers/kafka/kafka_properties.hpp"
#include "brokers/kafka/kafka_type.hpp"
#include "config/cloudevents_fields.hpp"
#include "config/connection_key.hpp"
#include "config/field_table.hpp"
#include "config/section_reader.hpp"

// Parses the section of a Kafka destination. Compiled in every build, also without librdkafka.

namespace action_triggers::detail {
namespace {

// Several full requests for each of a few partitions. With more, librdkafka's messages do not fit the processor's
// caches any more, which costs a third of the throughput: docs/decisions/0014.
constexpr std::size_t default_max_in_flight = 40'000;

bool is_field(const std::string& key) {
  const auto& fields = kafka_field_table();
  return std::any_of(fields.begin(), fields.end(), [&](const FieldInfo& field) {
    return field.section == in_conn_details &&
           (field.key == key || std::find(field.aliases.begin(), field.aliases.end(), key) != field.aliases.end());
  });
}

/// As librdkafka reads a flag.
bool is_true(std::string value) {
  value = ascii_lower(value);
  return value == "true" || value == "t" || value == "1";
}

void read_property(ConfigSection& conn, const std::string& key, const std::string& property,
                   ParsedKafkaConfig& config) {
  config.keys[property] = key;
  if (property == "acks") {
    read_kafka_acks(conn, key, config);
    return;
  }
  if (property == "sasl.mechanism") {
    read_sasl_mechanism(conn, key, config);
    return;
  }
  auto value = conn.scalar(key);
  if (!value) return;
  if (property == "ssl.cipher.suites" && value->find("@SECLEVEL=0") != std::string::npos) {
    conn.problem(key, "'@SECLEVEL=0' lets broken ciphers and protocols in.");
    return;
  }
  if (property == "enable.idempotence") config.idempotence_asked_for = is_true(*value);
  if (property == "socket.nagle.disable" && !is_true(*value)) {
    conn.warning(key, "With Nagle's algorithm on, single messages wait for the broker's delayed acknowledgements.");
  }
  config.properties[property] = std::move(*value);
}

/// A name of another client gets its own answer. Any other stays unread, and is reported as an unknown key.
void advise_on(ConfigSection& conn, const std::string& key) {
  const std::string advice = advice_on_foreign_key(key);
  if (advice.empty() || !conn.has(key)) return;
  conn.problem(key, "Unknown field '" + key + "'. " + advice);
}

/// Reads librdkafka's own properties, which stand beside the fields.
void read_properties(ConfigSection& conn, ParsedKafkaConfig& config) {
  for (const std::string& key : conn.keys()) {
    if (is_field(key)) continue;
    const KafkaProperty* known = find_kafka_property(key);
    if (known == nullptr) {
      advise_on(conn, key);
      continue;
    }
    const std::string property(known->canonical);
    if (known->rule == KafkaPropertyRule::refused) {
      static_cast<void>(conn.has(key));  // known, so not reported a second time
      conn.problem(key, "The property '" + key + "' may not be set. " + std::string(known->why));
    } else if (config.properties.contains(property) || config.secret_properties.contains(property)) {
      static_cast<void>(conn.has(key));
      conn.problem(key, "The property '" + key + "' is given under another name too; give one of them.");
    } else if (known->rule == KafkaPropertyRule::secret) {
      if (auto secret = conn.secret(key)) config.secret_properties[property] = std::move(*secret);
      config.keys[property] = key;
    } else {
      read_property(conn, key, property, config);
    }
  }
}

/// Without acks all there is no idempotence.
void check_acks(ConfigSection& conn, ParsedKafkaConfig& config) {
  const std::string& acks = config.properties.try_emplace("acks", "all").first->second;
  if (acks == "all" || acks == "-1") return;
  if (config.idempotence_asked_for) {
    conn.problem("acks", "The field 'enable_idempotence' needs acks 'all'.");
  } else {
    conn.warning("acks",
                 "Without acks 'all' a confirmed message can be lost with its broker, and retries can reorder.");
  }
  config.properties["enable.idempotence"] = "false";
}

/// Sets what the file leaves open.
void add_defaults(ParsedKafkaConfig& config) {
  const auto otherwise = [&](const char* property, const char* value) {
    config.properties.try_emplace(property, value);
  };
  otherwise("enable.idempotence", "true");
  otherwise("socket.nagle.disable", "true");
  otherwise("partitioner", "murmur2_random");  // where the Java client puts a key
  // 0 costs several times the CPU for each message, 5 makes a message on its own wait 5 ms.
  otherwise("linger.ms", "1");
  // The lane limits what is queued, so the client must not.
  otherwise("queue.buffering.max.messages", "10000000");
  otherwise("queue.buffering.max.kbytes", "2097151");
  // Long enough for a topic that the broker is just creating, and short enough to report soon one that does not exist.
  otherwise("topic.metadata.propagation.max.ms", "1500");
}

/// Whether the file has it under any of these names, be its value right or not.
bool has_any(const ConfigSection& conn, std::initializer_list<const char*> keys) {
  return std::any_of(keys.begin(), keys.end(), [&](const char* key) { return conn.has(key); });
}

/// For an error text.
std::string shown(const ConfigSection& conn, const std::string& protocol) {
  return conn.is_substituted("security_protocol") || conn.is_substituted("security.protocol") ? "***" : protocol;
}

void check_credentials(ConfigSection& conn, const std::string& protocol) {
  const bool has_mechanism = has_any(conn, {"sasl_mechanism", "sasl.mechanism", "sasl.mechanisms"});
  const bool has_username = has_any(conn, {"sasl_plain_username", "sasl.username"});
  const bool has_password = has_any(conn, {"sasl_plain_password", "sasl.password"});
  if (!protocol.starts_with("SASL")) {
    if (has_username || has_mechanism) {
      conn.problem("security_protocol", "SASL credentials are given, but 'security_protocol' is " +
                                            shown(conn, protocol) + "; use SASL_SSL.");
    }
    return;
  }
  if (!has_mechanism) conn.problem("sasl_mechanism", "The field 'sasl_mechanism' must be provided.");
  if (!has_username) conn.problem("sasl_plain_username", "The field 'sasl_plain_username' must be provided.");
  if (!has_password) conn.problem("sasl_plain_password", "The field 'sasl_plain_password' must be provided.");
}

void require_modern_tls(ParsedKafkaConfig& config) {
  config.properties["ssl.endpoint.identification.algorithm"] = "https";  // off by default before librdkafka 2.0
  // librdkafka cannot be told a least version. What remains here exists in TLS 1.2 only; the suites of 1.3 are apart.
  std::string& suites = config.properties.try_emplace("ssl.cipher.suites", "HIGH:!aNULL").first->second;
  suites += ":!SSLv3:!TLSv1";
}

void check_security(BrokerSection& section, ParsedKafkaConfig& config) {
  for (const char* key : {"security_protocol", "security.protocol"}) {
    if (SectionReader::of(section.conn_details).is_unresolved(key)) return;
  }
  const auto protocol_at = config.properties.find("security.protocol");
  std::string protocol = protocol_at == config.properties.end() ? "PLAINTEXT" : protocol_at->second;
  std::transform(protocol.begin(), protocol.end(), protocol.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  check_credentials(section.conn_details, protocol);
  if (protocol.ends_with("SSL")) {
    require_modern_tls(config);
    return;
  }
  for (const auto& [property, key] : config.keys) {
    if (!property.starts_with("ssl.")) continue;
    section.conn_details.problem(key, "The field '" + key + "' is for TLS, but 'security_protocol' is " +
                                          shown(section.conn_details, protocol) + "; use SSL or SASL_SSL.");
  }
  for (const ParsedKafkaConfig::Server& server : config.servers) {
    if (section.report_plaintext("bootstrap_servers", server.host, server.text)) break;  // once is enough
  }
}

std::string connection_key(const KafkaConfig& config) {
  ConnectionKey key;
  key.add(config.bootstrap_servers);
  for (const auto& [property, value] : config.properties) key.add(property).add(value);
  for (const auto& [property, value] : config.secret_properties) key.add(property).add(value.reveal());
  return key.text();
}

}  // namespace

std::vector<const FieldInfo*> kafka_fields() {
  static const std::vector<FieldInfo> properties = [] {
    std::vector<FieldInfo> allowed;
    for (const KafkaProperty& property : kafka_properties()) {
      if (property.rule == KafkaPropertyRule::refused || is_field(std::string(property.name))) continue;
      allowed.push_back({.section = in_conn_details,
                         .key = std::string(property.name),
                         .aliases = {},
                         .type = "scalar",
                         .default_value = {},
                         .description = "A property of librdkafka.",
                         .required = false,
                         .values = {}});
    }
    return allowed;
  }();
  std::vector<const FieldInfo*> fields = infos(kafka_field_table());
  for (const FieldInfo* field : cloudevents_fields()) fields.push_back(field);
  for (const FieldInfo& property : properties) fields.push_back(&property);
  return fields;
}

std::unique_ptr<BrokerConfig> parse_kafka(BrokerSection& section) {
  ParsedKafkaConfig config;
  config.max_in_flight = default_max_in_flight;
  read_fields(kafka_field_table(), section, config);
  if (section.params.has_null("message_id_header")) config.message_id_header.reset();
  read_cloudevents(section.params, "ce_", config.content_type, config);
  read_properties(section.conn_details, config);
  check_acks(section.conn_details, config);
  add_defaults(config);
  check_security(section, config);
  check_kafka(section.conn_details, config);
  config.connection_key = connection_key(config);
  return std::make_unique<KafkaConfig>(static_cast<const KafkaConfig&>(config));
}

}  // namespace action_triggers::detail
