// SPDX-License-Identifier: MIT
/// A GoogleMock broker: say what a hook must send, and what the broker answers.
///
///     auto mock = std::make_shared<at::testing::NiceMockBroker>();
///     EXPECT_CALL(*mock, publish("orders", at::testing::BodyIs("…")));
///     registry.add("kafka", at::testing::maker(mock));
#pragma once

#include <gmock/gmock.h>

#include <memory>
#include <string_view>
#include <utility>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/message.hpp"

namespace action_triggers::testing {

/// publish() is called on the lane's thread, once per attempt; its status is the message's outcome (default: ok).
/// As with every GoogleMock object: set expectations before firing, and flush() the dispatcher before they are checked.
class MockBroker {
 public:
  virtual ~MockBroker() = default;
  MOCK_METHOD(Status, publish, (std::string_view broker, const Message& message));
};

using NiceMockBroker = ::testing::NiceMock<MockBroker>;
using StrictMockBroker = ::testing::StrictMock<MockBroker>;

/// Makes lanes' brokers that ask `mock`. Shares its ownership.
inline BrokerRegistry::Make maker(std::shared_ptr<MockBroker> mock) {
  class Adapter final : public Broker {
   public:
    explicit Adapter(std::shared_ptr<MockBroker> asked) : mock_(std::move(asked)) {}
    std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override {
      for (const OutboundMessage* message : batch) {
        Status status = mock_->publish(message->destination().name, message->copy());
        events.complete(*message, status.ok() ? Outcome::persisted() : Outcome::failed(std::move(status)));
      }
      return batch.size();
    }

   private:
    const std::shared_ptr<MockBroker> mock_;
  };
  return [mock = std::move(mock)](const BrokerConfig&) { return std::make_unique<Adapter>(mock); };
}

}  // namespace action_triggers::testing
