// SPDX-License-Identifier: MIT
/// A Broker that hands another one CloudEvents in place of the messages that it is offered.
///
/// It stands between the lane and the backend, and only where `params.envelope` asks for it, so that neither the lane
/// nor backends nor other destinations know of it (docs/decisions/0037). Lanes, reports and on_failure have the
/// message as it was fired.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "action_triggers/broker.hpp"
#include "action_triggers/broker_registry.hpp"
#include "triggers/cloudevents_message.hpp"

namespace action_triggers::detail {

/// All destinations of its lane have CloudEventsSupport::cloudevents: lane_key() sees to it.
class CloudEventsBroker final : public Broker {
 public:
  explicit CloudEventsBroker(std::unique_ptr<Broker> broker);
  ~CloudEventsBroker() override;

  void start(const LaneContext& context) override { broker_->start(context); }
  void add_destination(const BrokerConfig& config, std::size_t index) override {
    broker_->add_destination(config, index);
  }
  void remove_destination(std::size_t index) override { broker_->remove_destination(index); }
  void connect(BrokerEvents& events) override;
  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override;
  void poll(BrokerEvents& events) override;
  [[nodiscard]] WaitRequest wait_request() const override { return broker_->wait_request(); }
  [[nodiscard]] std::string why_unconfirmed(const OutboundMessage& message) const override;
  void close(BrokerEvents& events, std::chrono::milliseconds timeout) override;

 private:
  class Events;
  struct Wrapped;
  void wrap(std::span<const OutboundMessage* const> batch);

  CloudEventsMaker maker_;
  std::vector<const OutboundMessage*> offered_;  // in one call of send()
  // By the message that was offered; kept until the broker completes it. Lives longer than the broker.
  std::unordered_map<const OutboundMessage*, std::unique_ptr<Wrapped>> under_way_;
  const std::unique_ptr<Broker> broker_;
};

/// The same types; those of destinations with an envelope are made with a CloudEventsBroker before them.
[[nodiscard]] BrokerRegistry with_envelopes(const BrokerRegistry& registry);

}  // namespace action_triggers::detail
