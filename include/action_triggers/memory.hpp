// SPDX-License-Identifier: MIT
/// `broker_type: "memory"`, a broker inside the process: for first steps without a server, and for tests, with faults
/// on demand.
///
///     auto memory = std::make_shared<at::InMemoryBroker>();
///     at::BrokerRegistry registry = at::BrokerRegistry::builtin();
///     registry.add("kafka", memory->maker());              // the real configuration, without Kafka
///     at::TriggerDispatcher dispatcher(config, registry);
///     …
///     EXPECT_EQ(memory->messages("orders").at(0).body, "…");
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/broker_config.hpp"
#include "action_triggers/broker_registry.hpp"
#include "action_triggers/cloudevents.hpp"
#include "action_triggers/export.hpp"
#include "action_triggers/message.hpp"
#include "action_triggers/status.hpp"

namespace action_triggers {

/// The configuration of a destination with `broker_type: "memory"`.
struct ACTION_TRIGGERS_EXPORT MemoryConfig : BrokerConfig, CloudEventsSupport {
  std::string server = "default";  ///< conn_details.server: which in-memory broker, see InMemoryBroker::named().
};

/// Keeps every message that reaches it, in order. All members may be called from any thread.
class ACTION_TRIGGERS_EXPORT InMemoryBroker {
 public:
  InMemoryBroker();
  ~InMemoryBroker();
  InMemoryBroker(const InMemoryBroker&) = delete;
  InMemoryBroker& operator=(const InMemoryBroker&) = delete;

  /// The process-wide instance behind `broker_type: "memory"` with this `conn_details.server`.
  static std::shared_ptr<InMemoryBroker> named(std::string_view server = "default");

  /// Makes the lanes' Broker objects that deliver here. They share the messages and faults, and outlive this object.
  [[nodiscard]] BrokerRegistry::Make maker() const;

  /// What was delivered to a destination, in order of arrival. `id` and `content_type` are as sent.
  [[nodiscard]] std::vector<Message> messages(std::string_view destination) const;
  [[nodiscard]] std::size_t size() const;
  void clear();  ///< Forgets messages; faults stay.

  // Scripted faults. `destination` limits one to the messages of that destination; empty: of all.

  /// The next `count` messages get this status instead of being delivered.
  void fail_next(Status status, std::size_t count = 1, std::string_view destination = {});
  void nack_next(std::size_t count = 1, std::string_view destination = {});        ///< `rejected`
  void unroutable_next(std::size_t count = 1, std::string_view destination = {});  ///< `unroutable`

  /// The next `count` messages arrive, but their confirmation is lost with the connection: the lane sends them again.
  void lose_confirmation_next(std::size_t count = 1, std::string_view destination = {});

  /// Drops the connection of every lane; messages still unconfirmed fail with `unavailable`, possibly_persisted.
  void disconnect();

  /// While down, connecting fails with this status.
  void go_down(Status why = {StatusCode::unavailable, "the in-memory broker was told to be down"});
  void go_up();

  /// While held, messages are taken and not confirmed. release() confirms what waits.
  void hold();
  void release();

  /// Confirms each message this long after it was taken.
  void set_delay(std::chrono::milliseconds delay);

  /// While blocked, messages are not even taken, as with RabbitMQ's connection.blocked.
  void block();
  void unblock();

 private:
  friend class MemoryClient;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace action_triggers
