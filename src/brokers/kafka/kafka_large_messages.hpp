// SPDX-License-Identifier: MIT
/// Finds the large message at which a broker closes the connection.
///
/// A broker does not answer a request over its socket.request.max.bytes, it closes the connection; and the client sends
/// the request again first, ahead of everything else. So where that happens again and again with a large message out,
/// the large ones are taken from the client and go each by itself: the one at which the connection ends is at fault.
#pragma once

#include <cstddef>
#include <cstdint>

#include "action_triggers/outbound_message.hpp"
#include "action_triggers/status.hpp"
#include "brokers/kafka/kafka_parts.hpp"

namespace action_triggers::detail {

class KafkaLargeMessages {
 public:
  // Which messages the client has.
  void count_in(const OutboundMessage& message);
  void count_out(const OutboundMessage& message);
  void none_out() { in_client_ = 0; }
  [[nodiscard]] bool has_any_out() const { return in_client_ > 0; }

  /// Whether a message that was not sent yet may go. Not a large one, until those taken from the client are done.
  [[nodiscard]] bool may_go(const OutboundMessage& message) const;
  /// Of all topics, one part with large messages at a time, so that it is known which one the connection ends at.
  [[nodiscard]] bool may_go(const KafkaParts::Messages& part) const;

  /// Begins to take the large messages from the client, which then has to be given up, if a broker has closed the
  /// connection so many times in a row. Returns whether it did.
  [[nodiscard]] bool begin(std::uint32_t cuts);
  /// From begin() until the client's last report.
  [[nodiscard]] bool is_taking() const { return is_taking_; }
  void taken() { is_taking_ = false; }
  /// Whether a message that comes back meanwhile is at fault, if it was `alone` of its topic.
  [[nodiscard]] bool is_at_fault(bool alone) const { return was_alone_ && alone; }
  /// What was taken is done: large messages may be sent again.
  void done() { are_apart_ = false; }

  [[nodiscard]] static bool is_large(const OutboundMessage& message);
  /// The status of the one at fault.
  [[nodiscard]] static Status closes_at(const OutboundMessage& message);

 private:
  std::size_t in_client_ = 0;
  bool is_taking_ = false;
  bool was_alone_ = false;  // the client had one when that began
  bool are_apart_ = false;  // until none waits, no other large message is taken
};

}  // namespace action_triggers::detail
