// SPDX-License-Identifier: MIT
/// What can go wrong with a broker or on the way to it, and how it is put right again.
#pragma once

#include <chrono>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "faults/fault_proxy.hpp"

namespace action_triggers::tests {

struct Fault {
  std::string name;  ///< As the table has it.
  std::function<void(FaultProxy&)> begin;
  std::function<void(FaultProxy&)> heal;
  std::chrono::milliseconds lasts{1'000};

  /// From beginning to end.
  void strike(FaultProxy& proxy) const;

  friend void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }
};

/// Every fault of the network, and those of the private RabbitMQ.
std::vector<Fault> rabbitmq_faults();
/// Every fault of the network, and those of the private Kafka.
std::vector<Fault> kafka_faults();

/// Sends a signal to a server of scripts/servers.
void signal_server(const std::string& pid_variable, int signal);
/// Starts it again, with the same ports and data.
void restart_server(const std::string& server);

/// A proxy in front of the private Kafka, which names the proxy as its address to clients that come through it. One at
/// a time.
FaultProxy kafka_proxy(const std::string& listener = {});  // or "_SASL"

/// Connection after connection ends after so many bytes from the client, then from the server, in steps up to `bytes`.
/// Needs a load, without which no bytes come.
void cut_login_at_each_step(FaultProxy& proxy, std::size_t bytes, std::size_t step);

/// The fault's name as a test's name.
std::string name_of(const std::string& fault);

}  // namespace action_triggers::tests
