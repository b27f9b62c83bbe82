// SPDX-License-Identifier: MIT
/// A message as a lane offers it to a Broker, for tests that call a Broker themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "action_triggers/broker_config.hpp"
#include "action_triggers/export.hpp"
#include "action_triggers/message.hpp"
#include "action_triggers/outbound_message.hpp"

namespace action_triggers::testing {

/// Owns a copy of the message. One without an id gets one, as in fire().
class ACTION_TRIGGERS_EXPORT OfferedMessage : public OutboundMessage {
 public:
  /// `destination` outlives this; `index` and `attempt` are what the accessors of these names say.
  explicit OfferedMessage(const Message& message, const BrokerConfig& destination, std::size_t index = 0,
                          std::uint32_t attempt = 1);
  ~OfferedMessage();

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::unique_ptr<const detail::DestinationRef> destination_ref_;
};

}  // namespace action_triggers::testing
