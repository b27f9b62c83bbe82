// SPDX-License-Identifier: MIT
// The defaults that the field tables print (docs/configuration.md) are those that a minimal configuration has.
// Every field has a printer here: what the parsed configuration holds, written as the table writes it.
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "action_triggers/config.hpp"
#include "action_triggers/kafka.hpp"
#include "action_triggers/memory.hpp"
#include "action_triggers/rabbitmq.hpp"
#include "brokers/kafka/kafka_type.hpp"
#include "brokers/memory/memory_type.hpp"
#include "brokers/rabbitmq/rabbitmq_type.hpp"
#include "config/field_table.hpp"
#ifdef ACTION_TRIGGERS_WITH_KAFKA
#include "brokers/kafka/kafka_client.hpp"
#endif

namespace action_triggers::detail {
namespace {

template <class Config>
using Printers = std::map<std::string, std::function<std::string(const Config&)>>;

/// Compares the whole table. A field without a printer fails, and so does a printer without a field.
template <class Config>
void check(const std::vector<const FieldInfo*>& fields, Printers<Config> printers, const Config& config) {
  for (const FieldInfo* field : fields) {
    if (field->type == "scalar") continue;                // librdkafka's
    if (field->key.starts_with("declare.")) continue;     // by default nothing is declared
    if (field->key.starts_with("cloudevents")) continue;  // nor wrapped
    if (field->key == "envelope") {
      EXPECT_EQ(field->default_value, "none");
      EXPECT_EQ(dynamic_cast<const CloudEventsSupport&>(config).cloudevents, nullptr);
      continue;
    }
    if (field->required) {
      EXPECT_EQ(field->default_value, "") << field->key << " is required, so it has no default";
      continue;
    }
    const auto printer = printers.find(field->key);
    if (printer == printers.end()) {
      ADD_FAILURE() << "no printer for the field '" << field->key << "'";
      continue;
    }
    EXPECT_EQ(printer->second(config), field->default_value) << field->key;
    printers.erase(printer);
  }
  for (const auto& [key, printer] : printers) ADD_FAILURE() << "a printer for '" << key << "', which is no field";
}

template <class Config>
Config minimal(const std::string& type, const std::string& rest = {}) {
  const auto parsed = parse_config(R"({"brokers": {"b": {"broker_type": ")" + type + "\"" + rest + "}}}");
  const auto* config = parsed.find_as<Config>("b");
  return config == nullptr ? throw std::runtime_error(type) : *config;
}

[[maybe_unused]] std::string text_of(bool flag) { return flag ? "true" : "false"; }

template <class Value>
std::string text_of(const std::optional<Value>& value) {
  if (!value) return {};
  if constexpr (requires { value->count(); }) {
    return std::to_string(value->count());
  } else {
    return std::to_string(*value);
  }
}

[[maybe_unused]] std::string text_of(std::chrono::milliseconds time) { return std::to_string(time.count()); }

[[maybe_unused]] std::string text_of(Overflow overflow) {
  const std::map<Overflow, std::string> names{
      {Overflow::reject, "reject"}, {Overflow::block, "block"}, {Overflow::drop_oldest, "drop_oldest"}};
  return names.at(overflow);
}

MemoryConfig minimal_memory() { return minimal<MemoryConfig>("memory"); }

#ifdef ACTION_TRIGGERS_WITH_KAFKA
KafkaConfig minimal_kafka() {
  return minimal<KafkaConfig>("kafka",
                              R"(, "conn_details": {"bootstrap_servers": "localhost"}, "params": {"topic": "t"})");
}
#endif
#ifdef ACTION_TRIGGERS_WITH_RABBITMQ
RabbitMqConfig minimal_rabbitmq() { return minimal<RabbitMqConfig>("rabbitmq", R"(, "params": {"queue": "q"})"); }
#endif

#if defined(ACTION_TRIGGERS_WITH_KAFKA) && defined(ACTION_TRIGGERS_WITH_RABBITMQ)
TEST(FieldDefaultsTest, OfEveryType) {
  const Printers<BrokerConfig> printers{
      {"timeout_secs",
       [](const auto& config) {
         return "`settings.max_broker_timeout`, or else " + std::to_string(config.timeout.count() / 1000);
       }},
      {"max_queued_messages", [](const auto& config) { return std::to_string(config.max_queued_messages); }},
      {"max_queued_bytes", [](const auto& config) { return std::to_string(config.max_queued_bytes); }},
      {"max_in_flight",
       [](const auto& config) {
         const std::string others = config.max_in_flight == 0 ? "unlimited" : std::to_string(config.max_in_flight);
         return std::to_string(minimal_rabbitmq().max_in_flight) + " (RabbitMQ), " +
                std::to_string(minimal_kafka().max_in_flight) + " (Kafka), " + others + " (others)";
       }},
      {"overflow", [](const auto& config) { return text_of(config.overflow); }},
      {"max_block_ms",
       [](const auto& config) { return config.max_block.count() == 0 ? std::string() : text_of(config.max_block); }},
      {"on_dead", [](const auto& config) { return std::string(config.on_dead == OnDead::skip ? "skip" : "stop"); }},
      {"durability",
       [](const auto& config) { return std::string(config.durability == Durability::none ? "none" : "some"); }},
      {"retry.max_attempts",
       [](const auto& config) { return config.retry.max_attempts ? text_of(config.retry.max_attempts) : "unlimited"; }},
      {"retry.initial_backoff_ms", [](const auto& config) { return text_of(config.retry.initial_backoff); }},
      {"retry.max_backoff_ms", [](const auto& config) { return text_of(config.retry.max_backoff); }},
      {"retry.on", [](const auto& config) { return std::string(config.retry.on.empty() ? "" : "some"); }},
  };
  check<BrokerConfig>(common_fields(), printers, minimal_memory());
}
#endif

TEST(FieldDefaultsTest, OfMemory) {
  check<MemoryConfig>(memory_fields(), {{"server", [](const auto& config) { return config.server; }}},
                      minimal_memory());
}

#ifdef ACTION_TRIGGERS_WITH_KAFKA
/// What the client is really told: the configuration's value of a property, else librdkafka's own default.
std::function<std::string(const KafkaConfig&)> effective(const std::string& property) {
  return [=](const KafkaConfig& config) {
    std::array<char, 512> value{};
    std::size_t size = value.size();
    EXPECT_EQ(rd_kafka_conf_get(make_kafka_conf(config).get(), property.c_str(), value.data(), &size), RD_KAFKA_CONF_OK)
        << property;
    return std::string(value.data());
  };
}

/// What the configuration itself says of a property.
std::function<std::string(const KafkaConfig&)> given(const std::string& property) {
  return [=](const KafkaConfig& config) {
    const auto found = config.properties.find(property);
    return found == config.properties.end() ? std::string() : found->second;
  };
}

std::function<std::string(const KafkaConfig&)> given_secret(const std::string& property) {
  return [=](const KafkaConfig& config) {
    return std::string(config.secret_properties.contains(property) ? "given" : "");
  };
}

std::string upper_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

TEST(FieldDefaultsTest, OfKafka) {
  const Printers<KafkaConfig> printers{
      {"client_id", effective("client.id")},
      {"acks", given("acks")},  // librdkafka prints its own default, also all, as -1
      {"enable_idempotence", effective("enable.idempotence")},
      {"compression_type", effective("compression.type")},
      {"linger_ms", effective("linger.ms")},
      {"request_timeout_ms", effective("request.timeout.ms")},
      {"retry_backoff_ms", effective("retry.backoff.ms")},
      {"metadata_max_age_ms", effective("metadata.max.age.ms")},
      {"connections_max_idle_ms", effective("connections.max.idle.ms")},
      {"max_request_size", effective("message.max.bytes")},
      {"partitioner", effective("partitioner")},
      {"security_protocol",
       [](const KafkaConfig& config) { return upper_case(effective("security.protocol")(config)); }},
      {"sasl_mechanism", given("sasl.mechanism")},
      {"sasl_plain_username", given("sasl.username")},
      {"sasl_plain_password", given_secret("sasl.password")},
      {"ssl_cafile",
       [](const KafkaConfig& config) {
         const std::string file = given("ssl.ca.location")(config);
         return file.empty() ? "the system's" : file;
       }},
      {"ssl_certfile", given("ssl.certificate.location")},
      {"ssl_keyfile", given("ssl.key.location")},
      {"ssl_password", given_secret("ssl.key.password")},
      {"message_id_header", [](const KafkaConfig& config) { return config.message_id_header.value_or("null"); }},
      {"content_type", [](const KafkaConfig& config) { return config.content_type; }},
  };
  check<KafkaConfig>(kafka_fields(), printers, minimal_kafka());
}
#endif

#ifdef ACTION_TRIGGERS_WITH_RABBITMQ
TEST(FieldDefaultsTest, OfRabbitMq) {
  // host, hosts, port and url become the one list of hosts; the port with TLS is that of another configuration.
  const std::uint16_t tls_port =
      minimal<RabbitMqConfig>("rabbitmq", R"(, "conn_details": {"ssl": true}, "params": {"queue": "q"})")
          .hosts.at(0)
          .port;
  const auto none = [](const RabbitMqConfig&) { return std::string(); };
  const auto tls = [](const RabbitMqConfig& config) { return std::string(config.tls ? "given" : ""); };
  const Printers<RabbitMqConfig> printers{
      {"host", [](const auto& config) { return config.hosts.at(0).host; }},
      {"hosts", [](const auto& config) { return config.hosts.size() == 1 ? std::string() : "several"; }},
      {"port",
       [=](const auto& config) {
         return std::to_string(config.hosts.at(0).port) + ", with TLS " + std::to_string(tls_port);
       }},
      {"auth_mechanism",
       [](const auto& config) { return config.auth_mechanism == RabbitMqAuthMechanism::plain ? "PLAIN" : "EXTERNAL"; }},
      {"username", [](const auto& config) { return config.username; }},
      {"password", [](const auto& config) { return config.password.reveal(); }},
      {"virtual_host", [](const auto& config) { return config.virtual_host; }},
      {"url", none},  // absent, or it would have replaced the hosts
      {"ssl_options", tls},
      {"ssl_options.ca_file", none},
      {"ssl_options.cert_file", none},
      {"ssl_options.key_file", none},
      {"ssl.ca_file", none},
      {"ssl.cert_file", none},
      {"ssl.key_file", none},
      {"ssl", [](const auto& config) { return text_of(config.tls.has_value()); }},
      {"heartbeat", [](const auto& config) { return std::to_string(config.heartbeat.count()); }},
      {"connect_timeout", [](const auto& config) { return std::to_string(config.connect_timeout.count() / 1000); }},
      {"connection_name",
       [](const auto& config) {
         return config.connection_name.empty() ? "the program's name" : config.connection_name;
       }},
      {"queue", none},  // required unless there is an exchange: has no default
      {"exchange", [](const auto& config) { return config.exchange; }},
      {"routing_key", [](const auto& config) { return config.routing_key; }},
      {"key_as_routing_key", [](const auto& config) { return text_of(config.key_as_routing_key); }},
      {"declare", [](const auto& config) { return text_of(config.declare.has_value()); }},
      {"mandatory", [](const auto& config) { return text_of(config.mandatory); }},
      {"persistent", [](const auto& config) { return text_of(config.persistent); }},
      {"content_type", [](const auto& config) { return config.content_type; }},
      {"expiration_ms", [](const auto& config) { return text_of(config.expiration); }},
      {"priority", [](const auto& config) { return text_of(config.priority); }},
  };
  check<RabbitMqConfig>(rabbitmq_fields(), printers, minimal_rabbitmq());
}
#endif

}  // namespace
}  // namespace action_triggers::detail
