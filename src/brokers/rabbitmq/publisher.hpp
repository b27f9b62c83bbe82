// SPDX-License-Identifier: MIT
/// How one destination goes on after trouble. Needs no socket: whoever publishes asks it first.
///
/// - A nack: before a message is sent again the destination gets a new channel, at most once a second. A channel of
///   RabbitMQ remembers which node led a quorum queue when it first published there. If that node was already down and
///   no other led yet, the channel refuses every later message as well, for as long as it lives (3.10:
///   rabbit_fifo_client, the registration of an enqueuer).
/// - A channel that the broker closed, which says no message: each destination that had something unconfirmed there
///   gets a channel of its own, and sends it again in groups. If a group is confirmed, its messages are innocent; if
///   the channel is closed again, the cause is in the group, which is divided further. Whoever is found alone is the
///   cause, and the others go together again. Its destination may well have more of the kind: it shares no channel for
///   ten minutes.
///
/// A new channel keeps the order only if nothing is unconfirmed on the old one. So the destination waits for that; no
/// other one does.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "action_triggers/broker.hpp"

namespace action_triggers::detail {

class Publisher {
 public:
  enum class Decision : std::uint8_t {
    publish,
    wait,         ///< offer it again later
    new_channel,  ///< go to a channel that nobody else uses, and offer it again there
  };

  /// After its message closed a channel.
  static constexpr std::chrono::minutes apart_for{10};

  /// `alone`: nobody else uses the destination's channel.
  [[nodiscard]] Decision offer(const OutboundMessage& message, bool alone, TimePoint now);

  void published();
  void completed() noexcept { --unconfirmed_; }
  [[nodiscard]] std::size_t unconfirmed() const noexcept { return unconfirmed_; }

  void nacked() noexcept { nacked_ = true; }
  /// The broker closed the channel on which `messages` of this destination were unconfirmed; one of them may be why.
  /// `others`: or one of another destination.
  void suspect(std::size_t messages, bool others);
  /// It is known that it was one of its messages, and which.
  void cause_found(TimePoint now) noexcept {
    suspects_ = 0;
    guilty_at_ = now;
  }
  /// No channel of its own is needed.
  [[nodiscard]] bool is_calm(TimePoint now) const noexcept { return !nacked_ && suspects_ == 0 && !is_guilty(now); }
  /// The connection is a new one: the trouble is forgotten. Nothing is unconfirmed.
  void reset() noexcept { *this = Publisher(); }

 private:
  [[nodiscard]] bool is_guilty(TimePoint now) const noexcept {
    return guilty_at_ != TimePoint::min() && now - guilty_at_ < apart_for;
  }

  std::size_t unconfirmed_ = 0;
  bool nacked_ = false;
  TimePoint renewed_at_ = TimePoint::min();
  TimePoint guilty_at_ = TimePoint::min();
  std::size_t suspects_ = 0;    // messages of which one may have closed the channel; they are sent first
  std::size_t group_ = 0;       // how many of them go together
  std::size_t group_left_ = 0;  // of which so many are not published yet
};

/// By destination_index.
using Publishers = std::vector<Publisher>;

}  // namespace action_triggers::detail
