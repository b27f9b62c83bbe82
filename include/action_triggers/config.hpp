/// The brokers map: typed configurations, and every problem of a file at once.
///
///     at::Config config = at::load_config("brokers.json");   // throws at::ConfigError
///
/// A file is JSON with comments (`//`, `/* */`, `#`). docs/configuration.md lists every key.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
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

#include "action_triggers/export.hpp"
#include "action_triggers/secret.hpp"

namespace action_triggers {

class BrokerRegistry;

/// What to do when a named broker is at its bounds.
enum class Overflow : std::uint8_t {
  reject,       ///< fire() reports queue_full at once.
  block,        ///< fire() waits up to max_block for room, then reports queue_full.
  drop_oldest,  ///< The oldest message that was not yet handed to the client is reported queue_full in its place.
};

/// Retries happen on retryable statuses only (see Status::retryable), with full jitter, until the deadline.
struct RetryPolicy {
  std::optional<std::uint32_t> max_attempts;  ///< Absent: unlimited. 1: never tried again.
  std::chrono::milliseconds initial_backoff{100};
  std::chrono::milliseconds max_backoff{5'000};
};

/// What every broker type has. Backends derive their own configuration from it.
struct ACTION_TRIGGERS_EXPORT BrokerConfig {
  BrokerConfig() = default;
  BrokerConfig(const BrokerConfig&) = default;
  BrokerConfig(BrokerConfig&&) = default;
  BrokerConfig& operator=(const BrokerConfig&) = default;
  BrokerConfig& operator=(BrokerConfig&&) = default;
  virtual ~BrokerConfig();

  std::string name;         ///< The key in the brokers map.
  std::string broker_type;  ///< Lower case: "kafka", "rabbitmq", "memory", or the application's own.

  /// From fire to outcome: params.timeout_secs, at most settings.max_broker_timeout; without timeout_secs that maximum
  /// itself, and without both what is set here or by the type's parser.
  std::chrono::milliseconds timeout{30'000};
  std::size_t max_queued_messages = 100'000;  ///< Counted from fire until the client lets go of the message.
  std::size_t max_queued_bytes = std::size_t{64} << 20U;  ///< Payload, key and header bytes.
  std::size_t max_in_flight = 0;  ///< Handed on and unconfirmed at once. 0: no limit of its own.
  Overflow overflow = Overflow::reject;
  std::chrono::milliseconds max_block{0};  ///< Only with Overflow::block.
  RetryPolicy retry;

  /// Names with an equal broker_type and an equal, non-empty connection_key share one lane and one connection.
  /// The loader makes it from the resolved conn_details unless the type's parser has set it. May contain credentials:
  /// compare it, never print it. Empty (in a configuration made by hand): a connection of its own.
  std::string connection_key;
};

/// `broker_type: "kafka"`.
struct ACTION_TRIGGERS_EXPORT KafkaConfig : BrokerConfig {
  std::string bootstrap_servers;  ///< host:port[,host:port…]
  std::string topic;

  /// Everything the client is told, by librdkafka's names, defaults of ours included. Secrets are kept apart.
  std::map<std::string, std::string> properties;
  std::map<std::string, Secret> secret_properties;

  std::optional<std::string> message_id_header = "message-id";  ///< Absent (null in the file): the id is not sent.
  std::string content_type;                                     ///< For messages that bring none.
};

/// Where and how a TLS connection is verified. Verification of chain and host name cannot be switched off.
struct TlsConfig {
  std::string ca_file;    ///< PEM. Empty: the system's certificates.
  std::string cert_file;  ///< PEM, for mutual TLS.
  std::string key_file;   ///< PEM, for mutual TLS.
};

struct HostPort {
  std::string host;
  std::uint16_t port = 0;

  friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// How a queue is declared: `params.declare`.
struct QueueDeclaration {
  bool durable = true;
  std::string queue_type{};  ///< "classic", "quorum", "stream"; empty: the virtual host's default.
  /// x-arguments; numbers and booleans keep their type.
  std::map<std::string, std::string> string_arguments{};
  std::map<std::string, std::int64_t> integer_arguments{};
  std::map<std::string, bool> boolean_arguments{};

  friend bool operator==(const QueueDeclaration&, const QueueDeclaration&) = default;
};

/// `broker_type: "rabbitmq"`.
struct ACTION_TRIGGERS_EXPORT RabbitMqConfig : BrokerConfig {
  std::vector<HostPort> hosts;  ///< Tried in turn; never empty after parsing.
  std::string username = "guest";
  Secret password{"guest"};
  std::string virtual_host = "/";
  std::optional<TlsConfig> tls;  ///< Present: amqps.
  std::chrono::seconds heartbeat{30};
  std::chrono::milliseconds connect_timeout{10'000};  ///< For one host: TCP, TLS and login together.
  std::string connection_name;                        ///< Shown in the management interface. Empty: the program's name.

  std::string queue;     ///< With the default exchange; empty when `exchange` is set.
  std::string exchange;  ///< Empty: the default exchange.
  std::string routing_key;
  bool key_as_routing_key = false;  ///< Message::key, where not empty, overrides routing_key.

  std::optional<QueueDeclaration> declare;  ///< Present: the queue is declared on every connection.

  bool mandatory = true;
  bool persistent = true;
  std::string content_type;
  std::optional<std::chrono::milliseconds> expiration;
  std::optional<std::uint8_t> priority;
};

/// `broker_type: "memory"`: messages stay in this process (see memory_broker.hpp).
struct ACTION_TRIGGERS_EXPORT MemoryConfig : BrokerConfig {
  std::string server = "default";  ///< conn_details.server: which in-process broker.
};

/// The configuration of a type registered without a parser of its own: every scalar as text, nested keys with dots.
struct ACTION_TRIGGERS_EXPORT GenericConfig : BrokerConfig {
  std::map<std::string, std::string> conn_details;
  std::map<std::string, std::string> params;
};

/// One thing wrong with a configuration.
struct ConfigProblem {
  std::string broker{};    ///< Empty: belongs to no broker.
  std::string section{};   ///< "conn_details", "params", "settings" or empty.
  std::string key{};       ///< Nested keys with dots: "retry.max_attempts". Empty: the broker or file as a whole.
  std::string pointer{};   ///< RFC 6901 JSON pointer to the value, or to the object that lacks it.
  std::size_t line = 0;    ///< From 1; 0: unknown.
  std::size_t column = 0;  ///< In bytes, from 1; 0: unknown.
  std::string text{};

  friend bool operator==(const ConfigProblem&, const ConfigProblem&) = default;
};

/// All problems of one configuration.
class ACTION_TRIGGERS_EXPORT ConfigError : public std::runtime_error {
 public:
  /// what() has a line for each problem: `source:line:column: broker.section.key: text`; `source` names the file, or is
  /// empty.
  ConfigError(const std::string& source, std::vector<ConfigProblem> problems);

  [[nodiscard]] const std::vector<ConfigProblem>& problems() const noexcept { return *problems_; }

  /// The reference's shape: {"NAME": {"connection_params": {key: [text…]}, "params": {key: [text…]}}};
  /// what belongs to no broker under "". Compact JSON.
  [[nodiscard]] std::string to_json() const;

 private:
  std::shared_ptr<const std::vector<ConfigProblem>> problems_;  // shared: copying an exception must not throw
};

/// `settings`: what holds for all brokers.
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
  std::vector<ConfigProblem> warnings;  ///< Not errors, but worth a look: plaintext to a remote host, acks raised, …

  /// The named broker, or nullptr.
  [[nodiscard]] const BrokerConfig* find(std::string_view name) const noexcept;

  /// The named broker as its type: `config.find_as<KafkaConfig>("orders")`; nullptr if absent or of another type.
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
