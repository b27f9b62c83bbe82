// SPDX-License-Identifier: MIT
/// Frames that wait until the socket takes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "brokers/rabbitmq/message_encoder.hpp"

namespace action_triggers::detail {

/// Everything that is sent after login goes through here, as whole frames, in order. Needs no socket: its owner writes
/// what next() says, as much as the socket takes.
///
/// A body may be larger than any buffer, so that only its next frame is copied here. While the rest waits, frames of
/// other channels go between (AMQP 0-9-1, 4.2.6 allows it). One body at a time.
class OutgoingFrames {
 public:
  enum class Room : std::uint8_t {
    yes,
    not_behind_the_body,  ///< because of the body that is under way; other channels may have room
    none,
  };

  /// Small messages are collected up to about so many bytes.
  static constexpr std::size_t step = 32UL * 1024UL;

  explicit OutgoingFrames(std::size_t frame_max) : frame_max_(frame_max) {}

  [[nodiscard]] bool empty() const noexcept { return begin_ == end_ && rest_.empty(); }

  /// Whether a message of about so many bytes may be added on this channel. Always yes if empty.
  [[nodiscard]] Room room_for(amqp_channel_t channel, std::size_t bytes) const noexcept;

  // Adding. False: it does not fit the peer's frames, and nothing was added.

  /// Ends a body that is under way on this channel: the peer has closed the channel.
  [[nodiscard]] bool add_method(amqp_channel_t channel, amqp_method_number_t method, void* decoded);
  /// The body is referred to until is_writing(channel) is false, or nothing is asked of this any more.
  [[nodiscard]] bool add_publish(amqp_channel_t channel, Publish& publish);
  void add_heartbeat();

  /// Whether part of a body has still to be copied from its message.
  [[nodiscard]] bool is_writing(amqp_channel_t channel) const noexcept { return !rest_.empty() && channel == channel_; }
  /// The rest of a body that is under way is never sent, which the peer only bears before connection.close.
  void abandon_body() noexcept { rest_ = {}; }

  // Writing

  /// What is to be written next. Empty: nothing. Valid until the next call of another member.
  [[nodiscard]] std::string_view next();
  /// So many bytes of next() were.
  void written(std::size_t bytes) noexcept { begin_ += bytes; }

 private:
  template <class Encode>
  bool add(std::size_t bytes, Encode&& encode);
  void add_part_of_body(amqp_channel_t channel, std::string_view& rest);

  const std::size_t frame_max_;
  std::vector<char> bytes_;
  std::size_t begin_ = 0;  // of what is not written
  std::size_t end_ = 0;

  std::string_view rest_;  // of the body under way
  amqp_channel_t channel_ = 0;
};

}  // namespace action_triggers::detail
