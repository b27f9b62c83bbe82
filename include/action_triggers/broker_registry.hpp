/// `broker_type` → how to parse its section and how to make its Broker.
///
///     at::BrokerRegistry registry = at::BrokerRegistry::builtin();
///     registry.add("my_type", [](const at::BrokerConfig&) { return std::make_unique<MyBroker>(); });
///     at::TriggerDispatcher dispatcher(at::load_config("brokers.json", registry), registry);
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/broker.hpp"
#include "action_triggers/config.hpp"
#include "action_triggers/export.hpp"

namespace action_triggers {

namespace detail {
class SectionReader;
}

/// One object of the configuration (conn_details, params, or an object inside them) while a type's parser reads it.
///
/// Each getter makes its key known and checks the value; a wrong one is recorded as a ConfigProblem with its position,
/// and the getter returns as if it were absent. Keys that no getter asked for are reported as unknown, with the nearest
/// known key. Values are substituted already. Valid during the parser's call only.
class ACTION_TRIGGERS_EXPORT ConfigSection {
 public:
  explicit ConfigSection(std::shared_ptr<detail::SectionReader> reader) : reader_(std::move(reader)) {}

  [[nodiscard]] bool has(std::string_view key) const;       ///< Present, and not null.
  [[nodiscard]] bool has_null(std::string_view key) const;  ///< Present, and null.
  [[nodiscard]] bool is_boolean(std::string_view key) const;
  [[nodiscard]] bool is_integer(std::string_view key) const;

  /// A string, not empty. A missing required one is the problem "The field 'key' must be provided.".
  std::optional<std::string> string(std::string_view key);
  std::string required_string(std::string_view key);
  std::optional<Secret> secret(std::string_view key);

  /// A number; numeric strings count when they came from `${…}` or `{{ … }}`. Out of [min, max]: a problem.
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t min = std::numeric_limits<std::int64_t>::min(),
                                      std::int64_t max = std::numeric_limits<std::int64_t>::max());
  std::optional<double> number(std::string_view key, double min, double max);
  std::optional<bool> boolean(std::string_view key);

  /// A string, number or boolean as text ("true", "5"), for values that somebody else checks.
  std::optional<std::string> scalar(std::string_view key);

  /// A list of strings, or one string.
  std::optional<std::vector<std::string>> strings(std::string_view key);

  /// A nested object; empty if absent or null.
  ConfigSection object(std::string_view key);

  /// A list of objects; empty if absent or null. What is wrong in the second element is reported as `key.1.…`.
  std::vector<ConfigSection> objects(std::string_view key);

  /// A list of strings and objects in the file's order; empty if absent or null. A string's section has text(), and no
  /// keys.
  std::vector<ConfigSection> items(std::string_view key);

  /// The string, if this is an element of items() that is one.
  [[nodiscard]] std::optional<std::string> text() const;

  /// Every key that the file has here, known or not.
  [[nodiscard]] std::vector<std::string> keys() const;

  /// Records a problem or a warning at this key (or at the object, if it has no such key).
  void problem(std::string_view key, std::string text);
  void warning(std::string_view key, std::string text);

 private:
  friend class detail::SectionReader;
  std::shared_ptr<detail::SectionReader> reader_;
};

/// One entry of the brokers map while it is being parsed.
struct BrokerSection {
  std::string name;
  ConfigSection conn_details;
  ConfigSection params;      ///< The common keys (timeout_secs, retry, …) are read by the loader itself.
  bool require_tls = false;  ///< settings.require_tls: plaintext to a host other than loopback is a problem.
};

/// What `ping` found.
struct PingReport {
  Status status;       ///< ok: connected, authenticated, the destination exists (and took a message, if asked to send).
  std::string detail;  ///< What was proven, for people: "queue orders exists (3 messages)", …
};

struct PingOptions {
  std::chrono::milliseconds timeout{10'000};
  bool send = false;  ///< Really send a marked test message, and read it back where that takes nothing from anyone.
};

/// A value: copy it, add to the copy. Not thread-safe while being changed.
class ACTION_TRIGGERS_EXPORT BrokerRegistry {
 public:
  /// Reads conn_details and params. Problems are recorded on the section; the result is used only if there were none.
  using Parse = std::function<std::unique_ptr<BrokerConfig>(BrokerSection& section)>;

  /// Makes the broker of a lane, given the first of its names. Called by TriggerDispatcher's constructor.
  using Make = std::function<std::unique_ptr<Broker>(const BrokerConfig& config)>;

  using Ping = std::function<PingReport(const BrokerConfig& config, const PingOptions& options)>;

  /// Kafka, RabbitMQ (as compiled in) and memory.
  static BrokerRegistry builtin();

  /// Without any type.
  BrokerRegistry();

  /// Adds or replaces a type. Names are case-insensitive; an empty one throws std::invalid_argument.
  BrokerRegistry& add(std::string_view broker_type, Parse parse, Make make);

  /// For a type that exists, replaces only how its broker is made (a test double behind the real configuration).
  /// For a new one, accepts any keys and hands them to `make` as a GenericConfig.
  BrokerRegistry& add(std::string_view broker_type, Make make);

  /// How `action-triggers ping` checks this type. Without one it fires a message, if asked to send, or else connects.
  BrokerRegistry& set_ping(std::string_view broker_type, Ping ping);

  struct Entry {
    Parse parse;
    Make make;
    Ping ping;
    std::string unavailable;  ///< Not empty: known, but not in this build; the text says how to get it.
  };

  /// nullptr if there is no such type.
  [[nodiscard]] const Entry* find(std::string_view broker_type) const;

  /// A known type that this build cannot serve: loading it is a ConfigError with this text, until add() gives it a
  /// maker.
  BrokerRegistry& add_unavailable(std::string_view broker_type, Parse parse, std::string text);

  /// Lower-case names, sorted.
  [[nodiscard]] std::vector<std::string> types() const;

 private:
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace action_triggers
