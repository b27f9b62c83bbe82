// SPDX-License-Identifier: MIT
/// The OutboundMessage of tests that drive a broker through a lane of theirs.
#pragma once

#include <cstdint>
#include <vector>

#include "action_triggers/broker.hpp"
#include "action_triggers/testing/outbound_message.hpp"

namespace action_triggers::tests {

struct TestMessage final : testing::OfferedMessage {
  TestMessage(const BrokerConfig& config, std::uint32_t index, const Message& message)
      : OfferedMessage(message, config, index) {}

  std::vector<Outcome> outcomes;  // in the order they came; more than one only if it was sent again
};

}  // namespace action_triggers::tests
