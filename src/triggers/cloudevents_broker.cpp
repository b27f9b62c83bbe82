// SPDX-License-Identifier: MIT
#include "triggers/cloudevents_broker.hpp"

#include <optional>
#include <string_view>
#include <utility>

#include "action_triggers/testing/outbound_message.hpp"
#include "core/cloudevents_of.hpp"

namespace action_triggers::detail {
/// What the broker gets. It is offered nothing else.
struct CloudEventsBroker::Wrapped : testing::OfferedMessage {
  Wrapped(const Message& cloudevent, const OutboundMessage& of)
      : OfferedMessage(cloudevent, of.destination(), of.destination_index(), of.attempt()), original(&of) {}

  const OutboundMessage* original;
};

/// The lane's, for the broker: an outcome becomes that of the message that the lane knows.
class CloudEventsBroker::Events final : public BrokerEvents {
 public:
  Events(CloudEventsBroker& owner, BrokerEvents& lane) : owner_(owner), lane_(lane) {}

  void complete(const OutboundMessage& message, Outcome outcome) override {
    const OutboundMessage& original = *static_cast<const Wrapped&>(message).original;
    const auto done = owner_.under_way_.extract(&original);  // freed at the end
    lane_.complete(original, std::move(outcome));
  }
  void connected() override { lane_.connected(); }
  void disconnected(Status why) override {
    takes_no_more_ = true;
    lane_.disconnected(std::move(why));
  }
  void blocked(bool is_blocked, std::string_view why) override { lane_.blocked(is_blocked, why); }
  void reconnecting(bool is_reconnecting, std::string_view why) override { lane_.reconnecting(is_reconnecting, why); }
  void full() override {
    takes_no_more_ = true;
    lane_.full();
  }
  void log(LogLevel level, std::string_view text) override { lane_.log(level, text); }
  [[nodiscard]] TimePoint now() const override { return lane_.now(); }

  /// Whether send() must not be called again in this call of the lane.
  [[nodiscard]] bool takes_no_more() const noexcept { return takes_no_more_; }

 private:
  CloudEventsBroker& owner_;
  BrokerEvents& lane_;
  bool takes_no_more_ = false;
};

CloudEventsBroker::CloudEventsBroker(std::unique_ptr<Broker> broker) : broker_(std::move(broker)) {}
CloudEventsBroker::~CloudEventsBroker() = default;

void CloudEventsBroker::connect(BrokerEvents& events) {
  Events ours(*this, events);
  broker_->connect(ours);
}

/// Up to the first one that cannot be made; `offered_` is empty if that is the first of all.
void CloudEventsBroker::wrap(std::span<const OutboundMessage* const> batch) {
  const CloudEventsConfig& config = *cloudevents_of(batch.front()->destination());
  offered_.clear();
  for (const OutboundMessage* const message : batch) {
    const std::optional<Message> cloudevent = maker_.make(config, *message);
    if (!cloudevent) return;
    auto wrapped = std::make_unique<Wrapped>(*cloudevent, *message);
    offered_.push_back(wrapped.get());
    under_way_.insert_or_assign(message, std::move(wrapped));
  }
}

std::size_t CloudEventsBroker::send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) {
  Events ours(*this, events);
  std::size_t taken = 0;
  while (taken < batch.size() && !ours.takes_no_more()) {
    const auto rest = batch.subspan(taken);
    wrap(rest);
    if (offered_.empty()) {
      events.complete(*rest.front(), Outcome::failed({StatusCode::invalid_argument, maker_.error()}));
      ++taken;
      continue;
    }
    const std::size_t count = broker_->send(offered_, ours);
    for (std::size_t i = count; i < offered_.size(); ++i) under_way_.erase(rest[i]);
    taken += count;
    if (count < offered_.size()) break;
  }
  return taken;
}

void CloudEventsBroker::poll(BrokerEvents& events) {
  Events ours(*this, events);
  broker_->poll(ours);
}

std::string CloudEventsBroker::why_unconfirmed(const OutboundMessage& message) const {
  const auto found = under_way_.find(&message);
  return found == under_way_.end() ? std::string() : broker_->why_unconfirmed(*found->second);
}

void CloudEventsBroker::close(BrokerEvents& events, std::chrono::milliseconds timeout) {
  Events ours(*this, events);
  broker_->close(ours, timeout);
}

BrokerRegistry with_envelopes(const BrokerRegistry& registry) {
  BrokerRegistry result = registry;
  for (const std::string& name : registry.types()) {
    BrokerType type = *registry.find(name);
    if (!type.make) continue;
    type.make = [make = std::move(type.make)](const BrokerConfig& config) -> std::unique_ptr<Broker> {
      std::unique_ptr<Broker> broker = make(config);
      if (broker == nullptr || cloudevents_of(config) == nullptr) return broker;
      return std::make_unique<CloudEventsBroker>(std::move(broker));
    };
    result.add(std::move(type));
  }
  return result;
}

}  // namespace action_triggers::detail
