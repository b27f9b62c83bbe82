// SPDX-License-Identifier: MIT
/// Which of librdkafka's own properties a configuration may set. Needs no librdkafka.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace action_triggers::detail {

enum class KafkaPropertyRule : std::uint8_t {
  allowed,
  secret,   ///< Allowed, and its value is kept out of logs and error texts.
  refused,  ///< A problem in the configuration; KafkaProperty::why is its text.
};

/// A property under one of its names. A property that is not in the table is refused as an unknown key.
struct KafkaProperty {
  std::string_view name;
  std::string_view canonical;  ///< The name that KafkaConfig uses for it; another than `name` if that is an alias.
  KafkaPropertyRule rule;
  std::string_view why;  ///< A sentence; empty unless refused.
};

/// Those whose values are files that a client reads when it is made.
inline constexpr std::array<const char*, 5> kafka_file_properties{
    "ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.crl.location", "ssl.keystore.location"};

/// The whole table, sorted by name.
std::span<const KafkaProperty> kafka_properties() noexcept;

/// nullptr: not in the table.
const KafkaProperty* find_kafka_property(std::string_view name) noexcept;

/// For a key that is neither a field nor in the table, but known to users of other clients (Java's and Python's,
/// their underscores for dots): a sentence on what to use here. Empty if there is nothing to say.
std::string advice_on_foreign_key(std::string_view key);

}  // namespace action_triggers::detail
