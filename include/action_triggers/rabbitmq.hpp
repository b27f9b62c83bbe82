// SPDX-License-Identifier: MIT
/// The configuration of a destination with `broker_type: "rabbitmq"`. Part of every build, with or without the backend.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "action_triggers/broker_config.hpp"
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

/// How a queue is declared: `params.declare`.
struct RabbitMqQueueDeclaration {
  bool durable = true;
  std::string queue_type{};  ///< "classic", "quorum", "stream"; empty: the virtual host's default.
  /// x-arguments; numbers and booleans keep their type.
  std::map<std::string, std::string> string_arguments{};
  std::map<std::string, std::int64_t> integer_arguments{};
  std::map<std::string, bool> boolean_arguments{};

  friend bool operator==(const RabbitMqQueueDeclaration&, const RabbitMqQueueDeclaration&) = default;
};

// Their former names.
using TlsConfig = RabbitMqTls;
using QueueDeclaration = RabbitMqQueueDeclaration;

struct ACTION_TRIGGERS_EXPORT RabbitMqConfig : BrokerConfig {
  std::vector<HostPort> hosts;  ///< Tried in turn; never empty after parsing.
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

  std::optional<RabbitMqQueueDeclaration> declare;  ///< Present: the queue is declared on every connection.

  bool mandatory = true;   ///< A message that no queue takes is `unroutable`, not lost in silence.
  bool persistent = true;  ///< A durable queue keeps its messages on disk (delivery mode 2).
  std::string content_type;
  std::optional<std::chrono::milliseconds> expiration;
  std::optional<std::uint8_t> priority;
};

}  // namespace action_triggers
