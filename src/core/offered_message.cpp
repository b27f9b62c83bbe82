// SPDX-License-Identifier: MIT
#include "action_triggers/testing/outbound_message.hpp"
#include "base/message_id.hpp"
#include "core/destination_ref.hpp"
#include "core/payload.hpp"

namespace action_triggers::testing {

OfferedMessage::OfferedMessage(const Message& message, const BrokerConfig& destination, std::size_t index,
                               std::uint32_t attempt) {
  const detail::MessageParts parts{message.body, &message};
  const std::size_t behind = detail::Payload::trailing_bytes(parts, detail::Payload::counted_bytes(parts));
  memory_ = std::make_unique<std::byte[]>(sizeof(detail::Payload) + behind);
  detail::Payload* const payload =
      detail::Payload::make_at(memory_.get(), parts, detail::next_message_id(detail::coarse_unix_ms()));
  payload->write_id();
  payload_ = payload;
  destination_ref_ = std::make_unique<detail::DestinationRef>(detail::DestinationRef{&destination, index});
  destination_ = destination_ref_.get();
  attempts_ = attempt;
}

OfferedMessage::~OfferedMessage() = default;

}  // namespace action_triggers::testing
