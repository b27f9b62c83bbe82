// SPDX-License-Identifier: MIT
/// Connects in the background, so that the lane keeps its deadlines while a host does not answer.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "base/thread.hpp"
#include "brokers/rabbitmq/amqp.hpp"

namespace action_triggers::detail {

/// One attempt: every host in turn, until one answers or one says something final (wrong credentials).
class AmqpConnector {
 public:
  struct Result {
    AmqpHandle connection;
    Status status;
    std::size_t host_index = 0;
  };

  /// Starts at once, with the host at `first_host`. `done` is called on the connector's thread.
  AmqpConnector(const RabbitMqConfig& config, std::size_t first_host, std::function<void()> done);

  /// Does not wait for an attempt that still runs: that one ends within its timeouts, and frees what it made. `done` is
  /// still called then.
  ~AmqpConnector();

  /// True when the attempt has ended; call it no more then.
  bool take(Result& result);

 private:
  struct Attempt;
  std::shared_ptr<Attempt> attempt_;
  Thread thread_;
};

}  // namespace action_triggers::detail
