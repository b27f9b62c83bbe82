// SPDX-License-Identifier: MIT
/// The broker types that a configuration may use and a dispatcher can serve.
///
///     at::BrokerRegistry registry = at::BrokerRegistry::builtin();
///     registry.add("my_type", [](const at::BrokerConfig&) { return std::make_unique<MyBroker>(); });
///     at::TriggerDispatcher dispatcher(at::load_config("brokers.json", registry), registry);
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/broker_type.hpp"
#include "action_triggers/export.hpp"

namespace action_triggers {

/// Broker types by name; names are case-insensitive. A value: copy it, add to the copy. Not thread-safe while being
/// changed.
class ACTION_TRIGGERS_EXPORT BrokerRegistry {
 public:
  using Parse = BrokerType::Parse;
  using Make = BrokerType::Make;
  using Ping = BrokerType::Ping;
  using Entry = BrokerType;

  /// Kafka, RabbitMQ (as compiled in) and memory.
  static BrokerRegistry builtin();

  /// Without any type.
  BrokerRegistry();

  /// Adds or replaces a type. Throws std::invalid_argument if its name is empty.
  BrokerRegistry& add(BrokerType type);

  /// The same for a type with a parser and a maker.
  BrokerRegistry& add(std::string_view broker_type, Parse parse, Make make);

  /// For a type that exists, replaces only how its broker is made (a test double behind the real configuration), and
  /// drops its ping. For a new one, accepts any keys and hands them to `make` as a GenericConfig.
  BrokerRegistry& add(std::string_view broker_type, Make make);

  /// Sets how `action-triggers ping` checks a type that exists.
  BrokerRegistry& set_ping(std::string_view broker_type, Ping ping);

  /// nullptr if there is no such type. Valid until the registry changes.
  [[nodiscard]] const BrokerType* find(std::string_view broker_type) const;

  /// Adds a known type that this build cannot serve: loading it is a ConfigError with this text, until add() gives it a
  /// maker.
  BrokerRegistry& add_unavailable(std::string_view broker_type, Parse parse, std::string text);

  /// Lower-case names, sorted.
  [[nodiscard]] std::vector<std::string> types() const;

 private:
  std::map<std::string, BrokerType, std::less<>> types_;
};

}  // namespace action_triggers
