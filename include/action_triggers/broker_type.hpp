// SPDX-License-Identifier: MIT
/// What a backend brings: how a `broker_type` is configured, how its Broker is made, how a connection is checked.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/broker.hpp"
#include "action_triggers/broker_config.hpp"
#include "action_triggers/config_section.hpp"
#include "action_triggers/export.hpp"
#include "action_triggers/status.hpp"

namespace action_triggers {

/// What `ping` found.
struct PingReport {
  Status status;       ///< ok: connected, authenticated, the destination exists (and took a message, if asked to send).
  std::string detail;  ///< What was proven, for people: "queue orders exists (3 messages)", …
};

struct PingOptions {
  std::chrono::milliseconds timeout{10'000};
  bool send = false;  ///< Really send a marked test message, and read it back where that takes nothing from anyone.
};

/// One backend. Only `name`, and `make` or `unavailable`, must be given.
struct BrokerType {
  /// Reads conn_details and params. Problems are recorded on the section; the result is used only if there were none.
  using Parse = std::function<std::unique_ptr<BrokerConfig>(BrokerSection& section)>;

  /// Makes the broker of a lane, given the first of its destinations. Called by TriggerDispatcher's constructor.
  using Make = std::function<std::unique_ptr<Broker>(const BrokerConfig& config)>;

  using Ping = std::function<PingReport(const BrokerConfig& config, const PingOptions& options)>;

  /// The keys that `parse` reads, beside those that every type has. They live as long as the program.
  using Fields = std::function<std::vector<const FieldInfo*>()>;

  std::string name;           ///< As in `broker_type`; case-insensitive.
  Parse parse{};              ///< Empty: any keys are accepted, and handed to `make` as a GenericConfig.
  Make make{};                ///< Empty only if `unavailable` is not.
  Ping ping{};                ///< Empty: `ping` fires a message, if asked to send, or else connects.
  Fields fields{};            ///< Empty: none that anybody knows of. For the reference page.
  std::string unavailable{};  ///< Not empty: known, but not in this build; the text says how to get it.
};

/// The configuration of a type without a parser of its own: every value as text, nested keys with dots.
struct ACTION_TRIGGERS_EXPORT GenericConfig : BrokerConfig {
  std::map<std::string, std::string> conn_details;
  std::map<std::string, std::string> params;
};

/// The configuration as its backend's type, C. Throws std::invalid_argument "'NAME' has no KIND configuration".
template <class C>
const C& config_as(const BrokerConfig& config, std::string_view kind) {
  const C* typed = dynamic_cast<const C*>(&config);
  if (typed == nullptr) {
    throw std::invalid_argument("'" + config.name + "' has no " + std::string(kind) + " configuration");
  }
  return *typed;
}

/// The same, with the type that the configuration claims to be of as KIND.
template <class C>
const C& config_as(const BrokerConfig& config) {
  return config_as<C>(config, config.broker_type);
}

}  // namespace action_triggers
