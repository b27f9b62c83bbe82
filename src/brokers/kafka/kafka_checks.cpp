// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_checks.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "action_triggers/broker_type.hpp"
#include "base/text.hpp"
#include "brokers/kafka/kafka_library.hpp"
#include "brokers/kafka/kafka_properties.hpp"
#include "config/readable_file.hpp"
#include "config/section_reader.hpp"

namespace action_triggers::detail {
namespace {

/// The key of conn_details that gives the property.
std::string key_of(const ParsedKafkaConfig& config, const std::string& property, const std::string& otherwise) {
  const auto given = config.keys.find(property);
  return given == config.keys.end() ? otherwise : given->second;
}

/// The client would never have room for a message that the configuration allows, and its destination would stand still.
void check_room(ConfigSection& conn, const ParsedKafkaConfig& config) {
  const auto given = config.keys.find("queue.buffering.max.kbytes");
  if (given == config.keys.end()) return;
  const auto largest = config.properties.find("message.max.bytes");
  const double bytes = largest == config.properties.end() ? 1e6 : parse_number<double>(largest->second).value_or(0);
  const auto value = config.properties.find(given->first);
  const auto room = value == config.properties.end() ? std::nullopt : parse_number<double>(value->second);
  if (!room || *room * 1024 >= bytes) return;
  conn.problem(given->second, "The field '" + given->second + "' must leave room for the largest message ('" +
                                  key_of(config, "message.max.bytes", "max_request_size") + "'): at least " +
                                  std::to_string((static_cast<std::int64_t>(bytes) + 1023) / 1024) + ".");
}

void check_files(ConfigSection& conn, const ParsedKafkaConfig& config) {
  const auto password = config.secret_properties.find("ssl.key.password");
  constexpr std::size_t most = 1024;  // PEM_BUFSIZE of OpenSSL; librdkafka lets it read on behind a longer one
  if (password != config.secret_properties.end() && password->second.reveal().size() > most) {
    const std::string& key = config.keys.at(password->first);
    conn.problem(key, "The field '" + key + "' must have at most 1024 bytes.");
  }
  for (const char* property : kafka_file_properties) {
    const auto given = config.properties.find(property);
    if (given == config.properties.end()) continue;
    const bool is_ca = given->first == "ssl.ca.location";
    if (is_ca && given->second == "probe") continue;  // librdkafka looks in the usual places
    report_unreadable(conn, config.keys.at(property), given->second, is_ca);
  }
}

/// Without its key librdkafka shows no certificate, and says nothing of it.
void check_pair(ConfigSection& conn, const ParsedKafkaConfig& config) {
  if (config.keys.contains("ssl.key.location") || config.keys.contains("ssl.key.pem")) return;
  for (const char* property : {"ssl.certificate.location", "ssl.certificate.pem"}) {
    const std::string key = key_of(config, property, "");
    if (!key.empty()) conn.problem(key, "The field '" + key + "' needs 'ssl_keyfile', the key of the certificate.");
  }
}

#ifdef ACTION_TRIGGERS_WITH_KAFKA

/// librdkafka's reason as the end of a sentence; left out if it may quote what a substitution brought.
std::string because(const std::string& reason, const ConfigSection& conn, const std::string& key,
                    const ParsedKafkaConfig& config) {
  bool quotes = conn.is_substituted(key);
  for (const auto& [property, value] : config.properties) {
    const auto given = config.keys.find(property);
    if (given == config.keys.end() || !conn.is_substituted(given->second)) continue;
    quotes = quotes || reason.find(value) != std::string::npos;
  }
  for (const auto& [property, value] : config.secret_properties) {
    quotes = quotes || (!value.empty() && reason.find(value.reveal()) != std::string::npos);
  }
  return reason.empty() || quotes ? "." : ": " + reason + ".";
}

/// The key whose property librdkafka's reason names first; empty if there is none.
std::string key_named_in(const std::string& reason, const ParsedKafkaConfig& config) {
  std::size_t first = std::string::npos;
  std::size_t length = 0;
  std::string key;
  for (const KafkaProperty& property : kafka_properties()) {
    const auto given = config.keys.find(std::string(property.canonical));
    const std::size_t at = reason.find(property.name);
    if (given == config.keys.end() || at == std::string::npos) continue;
    if (at > first || (at == first && property.name.size() < length)) continue;
    first = at;
    length = property.name.size();
    key = given->second;
  }
  return key;
}

void check_values(ConfigSection& conn, const ParsedKafkaConfig& config) {
  for (const auto& [property, reason] : wrong_properties(config)) {
    const std::string key = key_of(config, property, property);
    conn.problem(key, "librdkafka does not accept '" + key + "'" + because(reason, conn, key, config));
  }
  const auto mechanism = config.properties.find("sasl.mechanism");
  if (mechanism == config.properties.end() || !mechanism->second.starts_with("SCRAM")) return;
  if (const std::string why = why_scram_fails(); !why.empty()) {
    conn.warning(key_of(config, "sasl.mechanism", "sasl_mechanism"), "Older brokers accept it, but " + why + ".");
  }
}

/// why_no_client(), asked once for each connection: with TLS the answer takes a while.
std::string why_no_client_of(ConfigSection& conn, const KafkaConfig& config) {
  const auto [answer, is_new] = SectionReader::of(conn).answers().try_emplace("kafka " + config.connection_key);
  if (is_new) answer->second = why_no_client(config);
  return answer->second;
}

/// Checks what goes together, with the destination's timeout and pauses; each value is right on its own.
void check_together(ConfigSection& conn, const ParsedKafkaConfig& parsed, const KafkaConfig& config) {
  const auto value_of = [&](const char* property, double otherwise) {
    const auto found = config.properties.find(property);
    return found == config.properties.end() ? otherwise : parse_number<double>(found->second).value_or(otherwise);
  };
  const auto in_ms = [](std::chrono::milliseconds time) {
    constexpr double most = 3'600'000;  // librdkafka's, which make_kafka_conf() keeps to
    return std::min(static_cast<double>(time.count()), most);
  };
  const double shortest = in_ms(config.retry.initial_backoff);
  const double longest = in_ms(config.retry.max_backoff);
  if (const auto linger = parsed.keys.find("linger.ms");
      linger != parsed.keys.end() && value_of("linger.ms", 0) >= static_cast<double>(config.timeout.count())) {
    const std::string& key = linger->second;
    conn.problem(key, "The field '" + key + "' must be less than params.timeout_secs, or nothing is sent in time.");
  } else if (value_of("reconnect.backoff.ms", shortest) > value_of("reconnect.backoff.max.ms", longest)) {
    const bool is_least = parsed.keys.contains("reconnect.backoff.ms");
    conn.problem(is_least ? "reconnect.backoff.ms" : "reconnect.backoff.max.ms",
                 is_least ? "The property 'reconnect.backoff.ms' must not be larger than "
                            "'reconnect.backoff.max.ms', which is params.retry.max_backoff_ms unless it is given."
                          : "The property 'reconnect.backoff.max.ms' must not be less than "
                            "params.retry.initial_backoff_ms.");
  } else if (const std::string reason = why_no_client_of(conn, config); !reason.empty()) {
    const std::string key = key_named_in(reason, parsed);
    const bool is_key = key_of(parsed, "ssl.key.location", "") == key || key_of(parsed, "ssl.key.pem", "") == key;
    const bool wants_password = !key.empty() && is_key && !parsed.keys.contains("ssl.key.password");
    conn.problem(key, "librdkafka does not accept this" + because(reason, conn, key, parsed) +
                          (wants_password ? " If the key is encrypted, give its password in 'ssl_password'." : ""));
  }
}

#endif

}  // namespace

void check_kafka(ConfigSection& conn, const ParsedKafkaConfig& config) {
  check_room(conn, config);
  check_files(conn, config);
  check_pair(conn, config);
#ifdef ACTION_TRIGGERS_WITH_KAFKA
  check_values(conn, config);
  SectionReader::of(conn).check_whole = [conn, config](const BrokerConfig& whole) mutable {
    check_together(conn, config, config_as<KafkaConfig>(whole, "Kafka"));
  };
#endif
}

}  // namespace action_triggers::detail
