// SPDX-License-Identifier: MIT
/// The configuration of a destination with `broker_type: "rabbitmq"`. Part of every build, with or without the backend.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "action_triggers/broker_config.hpp"
#include "action_triggers/cloudevents.hpp"
#include "action_triggers/export.hpp"
#include "action_triggers/host_port.hpp"
#include "action_triggers/secret.hpp"

namespace action_triggers {

/// How an amqps connection is verified: `conn_details.tls`. Verification of chain and host name cannot be switched off.
struct RabbitMqTls {
  std::string ca_file;    ///< PEM. Empty: the system's certificates.
  std::string cert_file;  ///< PEM, for mutual TLS.
  std::string key_file;   ///< PEM, for mutual TLS.
};

/// How a connection logs in: the SASL mechanism.
enum class RabbitMqAuthMechanism : std::uint8_t {
  plain,     ///< PLAIN: username and password.
  external,  ///< EXTERNAL: the user is the one that the client's certificate names. Needs rabbitmq_auth_mechanism_ssl.
};

struct RabbitMqArgument;
struct RabbitMqValue;
using RabbitMqTable = std::vector<RabbitMqArgument>;  ///< In the order in which it is sent.
using RabbitMqList = std::vector<RabbitMqValue>;

/// A value in a table of AMQP: all that JSON can say, null excepted.
struct RabbitMqValue {
  std::variant<std::int64_t, double, bool, std::string, RabbitMqList, RabbitMqTable> value;
};

/// A value with its name, such as an x-argument.
struct RabbitMqArgument {
  std::string name;
  RabbitMqValue value;
};

inline bool operator==(const RabbitMqValue& a, const RabbitMqValue& b);
inline bool operator==(const RabbitMqArgument& a, const RabbitMqArgument& b) {
  return a.name == b.name && a.value == b.value;
}
inline bool operator==(const RabbitMqValue& a, const RabbitMqValue& b) { return a.value == b.value; }

/// How a queue is declared: `params.declare` with `queue`. Never exclusive: this connection could not read it.
struct RabbitMqQueueDeclaration {
  bool durable = true;
  std::string queue_type{};  ///< "classic", "quorum", "stream"; empty: the virtual host's default.
  bool auto_delete = false;  ///< The broker deletes it when its last consumer has left.
  RabbitMqTable arguments{};

  friend bool operator==(const RabbitMqQueueDeclaration&, const RabbitMqQueueDeclaration&) = default;
};

/// Which messages of an exchange a queue gets.
struct RabbitMqBinding {
  std::string routing_key{};
  RabbitMqTable arguments{};

  friend bool operator==(const RabbitMqBinding&, const RabbitMqBinding&) = default;
};

/// A queue that is declared and bound to the exchange: one of `params.declare.queues`.
struct RabbitMqBoundQueue {
  std::string queue{};
  RabbitMqQueueDeclaration declare{};
  std::vector<RabbitMqBinding> bindings{};

  friend bool operator==(const RabbitMqBoundQueue&, const RabbitMqBoundQueue&) = default;
};

/// How an exchange is declared: `params.declare` with `exchange`.
struct RabbitMqExchangeDeclaration {
  std::string type = "direct";  ///< "direct", "fanout", "topic", "headers", or a plugin's.
  bool durable = true;
  bool auto_delete = false;  ///< The broker deletes it when its last binding is gone.
  RabbitMqTable arguments{};
  std::vector<RabbitMqBoundQueue> queues{};

  friend bool operator==(const RabbitMqExchangeDeclaration&, const RabbitMqExchangeDeclaration&) = default;
};

// Their former names.
using TlsConfig = RabbitMqTls;
using QueueDeclaration = RabbitMqQueueDeclaration;

struct ACTION_TRIGGERS_EXPORT RabbitMqConfig : BrokerConfig, CloudEventsSupport {
  std::vector<HostPort> hosts;  ///< Tried in turn; never empty after parsing.
  RabbitMqAuthMechanism auth_mechanism = RabbitMqAuthMechanism::plain;
  std::string username = "guest";
  Secret password{"guest"};
  std::string virtual_host = "/";
  std::optional<RabbitMqTls> tls;  ///< Present: amqps.
  std::chrono::seconds heartbeat{30};
  std::chrono::milliseconds connect_timeout{10'000};  ///< For one host: TCP, TLS and login together.
  std::string connection_name;                        ///< Shown in the management interface. Empty: the program's name.

  std::string queue;     ///< With the default exchange; empty when `exchange` is set.
  std::string exchange;  ///< Empty: the default exchange.
  std::string routing_key;
  bool key_as_routing_key = false;  ///< Message::key, where not empty, overrides routing_key.

  /// Present: the queue, or the exchange with its queues, is declared on every connection, and again when it is gone.
  std::optional<RabbitMqQueueDeclaration> declare;              ///< With `queue`.
  std::optional<RabbitMqExchangeDeclaration> declare_exchange;  ///< With `exchange`.

  bool mandatory = true;   ///< A message that no queue takes is `unroutable`, not lost in silence.
  bool persistent = true;  ///< A durable queue keeps its messages on disk (delivery mode 2).
  std::string content_type;
  std::optional<std::chrono::milliseconds> expiration;
  std::optional<std::uint8_t> priority;
};

}  // namespace action_triggers
