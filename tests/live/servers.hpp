// SPDX-License-Identifier: MIT
/// The real servers that live tests talk to, and independent consumers that read back what arrived.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/run_command.hpp"

namespace action_triggers::tests {

/// The private RabbitMQ and Kafka of scripts/servers.
class Servers {
 public:
  /// Starts what is not running yet of the servers that a program needs. Throws if that is impossible: a live test
  /// without its server has failed.
  static void start_own(const std::string& names);
  /// Starts more of them: "kafka-secure", for example. `environment`: NAME=VALUE words for scripts/servers.
  static void start(const std::string& names, const std::string& environment = {});
  /// Stops everything, if nothing ran before start() or start_own().
  static void stop();

  /// A variable of `scripts/servers env`, as it is now.
  static std::string variable(const std::string& name);

  static std::string rabbitmq_host();
  static int rabbitmq_port();
  static std::string kafka_bootstrap();

  /// rabbitmqctl ARGUMENTS on the private node.
  static std::string rabbitmqctl(const std::string& arguments);
};

/// A message as another client sees it.
struct Received {
  std::string id;
  std::string body;
  std::string key;  // Kafka
  std::int64_t partition = -1;
  std::int64_t offset = -1;
  std::string properties;  // RabbitMQ: the properties as JSON; Kafka: the headers as kcat prints them
};

/// Takes everything out of a queue with Debian's python3-pika.
std::vector<Received> drain_queue(const std::string& queue, const std::string& virtual_host = "/");
/// Reads a topic from the beginning with kcat, in the order of each partition.
/// `bootstrap`: another cluster than the usual one.
std::vector<Received> read_topic(const std::string& topic, const std::string& bootstrap = {});

/// Until every partition answers: the first messages to a topic that was created a moment ago may be sent twice, and
/// arrive out of order (docs/delivery.md).
void await_leaders(const std::vector<std::string>& topics, int partitions, const std::string& bootstrap = {});

/// One replica each. Returns when they can be written to.
void create_topics(const std::vector<std::string>& topics, int partitions, const std::string& bootstrap = {});

/// The connections that the private RabbitMQ has of this user, or with this in their connection_name: asked of the
/// broker, which has a word of its own for each.
std::set<std::string> rabbitmq_connections(const std::string& user_or_name);
int rabbitmq_connections_of(const std::string& user_or_name);
/// Established connections of this process to the port of `server` (host:port), by their local address: asked of the
/// kernel.
std::set<std::string> sockets_to(const std::string& server);
int connections_to(const std::string& server);

/// A name that no other test or run uses.
std::string unique(const std::string& prefix);

}  // namespace action_triggers::tests
