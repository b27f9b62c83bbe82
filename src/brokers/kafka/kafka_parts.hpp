// SPDX-License-Identifier: MIT
/// What was refused with its batch, of one topic, and is tried again in parts.
///
/// The parts go one after the other, each by itself, and a part that is refused goes in halves, until the error is one
/// message's. Meanwhile nothing newer of the topic is sent.
#pragma once

#include <cstddef>
#include <deque>
#include <unordered_set>
#include <utility>
#include <vector>

#include "action_triggers/outbound_message.hpp"
#include "action_triggers/status.hpp"

namespace action_triggers::detail {

class KafkaParts {
 public:
  using Messages = std::vector<const OutboundMessage*>;

  /// Counts the topic's messages that the client has, of a part or not.
  void count_in() { ++in_client_; }
  void count_out() {
    if (in_client_ > 0) --in_client_;
  }

  /// Whether a part waits, or the client has one as far as next() has seen.
  [[nodiscard]] bool is_divided() const { return part_size_ > 0 || !refused_.empty() || !parts_.empty(); }

  /// A message that came back from the client, to be divided when the client has none of the topic.
  void refuse(const OutboundMessage& message, Persistence persistence);
  /// The message leaves. Whether an attempt before the last one may have written it.
  [[nodiscard]] bool may_have_arrived(const OutboundMessage& message) {
    return !doubtful_.empty() && doubtful_.erase(&message) > 0;
  }
  /// The message leaves, and it is known that it was written.
  void forget(const OutboundMessage& message) {
    if (!doubtful_.empty()) doubtful_.erase(&message);
  }
  /// True the first time that it is asked.
  [[nodiscard]] bool is_first_time() { return !std::exchange(was_divided_, true); }

  /// The part that goes next; nullptr if there is none, or the client has messages of the topic.
  [[nodiscard]] const Messages* next();
  /// Takes what next() showed.
  [[nodiscard]] Messages take();
  /// A message of the part that was taken is in the client.
  void sent();
  /// The messages of `part` from `first` on, which the client did not take now.
  void put_back(const Messages& part, std::size_t first);

  /// Whether the part that the client has is one message.
  [[nodiscard]] bool is_alone() const { return part_size_ == 1; }
  /// The client, and its part, are gone.
  void forget_part() { part_size_ = 0; }

  /// Everything that waits here, in order; the client has nothing any more.
  [[nodiscard]] Messages take_all();

 private:
  std::size_t in_client_ = 0;
  Messages refused_;
  std::unordered_set<const OutboundMessage*> doubtful_;  // they may have been written before they were refused
  std::deque<Messages> parts_;
  std::size_t part_size_ = 0;  // of the part that the client has; 0: it has none
  bool was_divided_ = false;   // for the log
};

}  // namespace action_triggers::detail
