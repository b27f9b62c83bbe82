// SPDX-License-Identifier: MIT
/// Connects in the background, so that the lane keeps its deadlines while a host does not answer.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "action_triggers/clock.hpp"
#include "base/thread.hpp"
#include "brokers/rabbitmq/amqp.hpp"

namespace action_triggers::detail {

/// What came of an attempt to connect.
struct AmqpConnectorResult {
  AmqpHandle connection;
  Status status;  ///< Says of every host why it failed.
  std::size_t host_index = 0;
};

/// Tries every host in turn, from `first_host` on, until one answers or one says something final (wrong credentials).
/// Each has config.connect_timeout, and its share of the time until `deadline`. Blocks.
AmqpConnectorResult connect_to_any_host(RabbitMqConfig config, std::size_t first_host,
                                        TimePoint deadline = TimePoint::max());

/// One such attempt on a thread of its own.
class AmqpConnector {
 public:
  using Result = AmqpConnectorResult;

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
