// SPDX-License-Identifier: MIT
/// The brokers map: typed configurations, and every problem of a file at once.
///
///     at::Config config = at::load_config("brokers.json");   // throws at::ConfigError
///
/// A file is JSON with comments (`//`, `/* */`, `#`). docs/configuration.md lists every key.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <typeindex>
#include <utility>
#include <vector>

#include "action_triggers/broker_config.hpp"
#include "action_triggers/export.hpp"

namespace action_triggers {

class BrokerRegistry;

/// One thing wrong with a configuration.
struct ConfigProblem {
  std::string broker{};    ///< The destination. Empty: belongs to none.
  std::string section{};   ///< "conn_details", "params", "settings" or empty.
  std::string key{};       ///< Nested keys with dots: "retry.max_attempts". Empty: the broker or file as a whole.
  std::string pointer{};   ///< RFC 6901 JSON pointer to the value, or to the object that lacks it.
  std::size_t line = 0;    ///< From 1; 0: unknown.
  std::size_t column = 0;  ///< In bytes, from 1; 0: unknown.
  std::string text{};
  std::string hint{};  ///< What else may help, a sentence; often empty.

  friend bool operator==(const ConfigProblem&, const ConfigProblem&) = default;
};

/// All problems of one configuration.
class ACTION_TRIGGERS_EXPORT ConfigError : public std::runtime_error {
 public:
  /// what() has a line for each problem: `source:line:column: broker.section.key: text hint`; `source` names the file,
  /// or is empty.
  ConfigError(const std::string& source, std::vector<ConfigProblem> problems);

  [[nodiscard]] const std::vector<ConfigProblem>& problems() const noexcept { return *problems_; }

  /// The reference's shape: {"NAME": {"connection_params": {key: [text…]}, "params": {key: [text…]}}};
  /// what belongs to no broker under "". Compact JSON.
  [[nodiscard]] std::string to_json() const;

 private:
  std::shared_ptr<const std::vector<ConfigProblem>> problems_;  // shared: copying an exception must not throw
};

/// `settings`: what holds for all destinations.
struct Settings {
  std::optional<std::chrono::milliseconds> max_broker_timeout;
  bool require_tls = false;  ///< Plaintext to a host other than loopback is an error, not a warning.
};

/// A checked configuration. A value: copy it, or move it into a TriggerDispatcher.
class ACTION_TRIGGERS_EXPORT Config {
 public:
  using Brokers = std::map<std::string, std::shared_ptr<const BrokerConfig>, std::less<>>;

  Settings settings;
  Brokers brokers;
  std::vector<std::string> files;       ///< What `${file:…}` read.
  std::vector<ConfigProblem> warnings;  ///< Not errors, but worth a look: plaintext to a remote host, acks raised, …

  /// The destination of this name, or nullptr.
  [[nodiscard]] const BrokerConfig* find(std::string_view name) const noexcept;

  /// The same as its type: `config.find_as<KafkaConfig>("orders")`; nullptr if absent or of another type.
  template <class T>
  [[nodiscard]] const T* find_as(std::string_view name) const noexcept {
    return dynamic_cast<const T*>(find(name));
  }

  /// What a part of the library that is not the brokers map made of its own section of the file, by the type of what it
  /// made; nullptr if there is nothing of this type. Copies of the configuration share it.
  template <class T>
  [[nodiscard]] const T* section() const noexcept {
    const auto found = sections_.find(typeid(T));
    return found == sections_.end() ? nullptr : static_cast<const T*>(found->second.get());
  }
  /// The same, to keep.
  template <class T>
  [[nodiscard]] std::shared_ptr<const T> shared_section() const noexcept {
    const auto found = sections_.find(typeid(T));
    return found == sections_.end() ? nullptr : std::static_pointer_cast<const T>(found->second);
  }
  template <class T>
  void set_section(std::shared_ptr<const T> value) {
    sections_[typeid(T)] = std::move(value);
  }

 private:
  std::map<std::type_index, std::shared_ptr<const void>> sections_;
};

/// Turns the argument of `${NAME:argument}` into a value; std::nullopt: there is none. May throw std::exception:
/// its text becomes a ConfigProblem. The result counts as a secret.
using ValueResolver = std::function<std::optional<std::string>(std::string_view argument)>;

struct ConfigOptions {
  /// `${NAME:argument}`, beside the built-in `${ENV}`, `${ENV:-default}` and `${file:PATH}`.
  std::map<std::string, ValueResolver, std::less<>> resolvers{};

  /// `{{ name }}`: the names that may be used, and the functions that give their values.
  std::map<std::string, std::function<std::string()>, std::less<>> names{};

  /// For tools that check the files of other programs: resolvers, names and broker types that are unknown here are
  /// warnings. What they stand for is not checked, and such a configuration is not for use.
  bool allow_unknown = false;
};

inline constexpr std::size_t max_config_bytes = 1024UL * 1024UL;
inline constexpr std::size_t max_config_depth = 64;

/// Reads and checks a file. Throws ConfigError (also when the file cannot be read).
ACTION_TRIGGERS_EXPORT Config load_config(const std::string& path);
ACTION_TRIGGERS_EXPORT Config load_config(const std::string& path, const BrokerRegistry& registry,
                                          const ConfigOptions& options = {});

/// As load_config, from text.
ACTION_TRIGGERS_EXPORT Config parse_config(std::string_view text);
ACTION_TRIGGERS_EXPORT Config parse_config(std::string_view text, const BrokerRegistry& registry,
                                           const ConfigOptions& options = {});

}  // namespace action_triggers
