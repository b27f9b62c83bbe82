// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/outgoing_frames.hpp"

#include <algorithm>
#include <cstring>

namespace action_triggers::detail {
namespace {

constexpr std::size_t usual_size = 1'024;  // of what has no large table in it

}  // namespace

OutgoingFrames::Room OutgoingFrames::room_for(amqp_channel_t channel, std::size_t bytes) const noexcept {
  if (empty()) return Room::yes;
  const std::size_t waiting = end_ - begin_;
  if (rest_.empty()) return waiting + bytes <= step ? Room::yes : Room::none;
  if (channel == channel_ || bytes > step) return Room::not_behind_the_body;
  // Beside a frame of the body there is as much room as ever.
  return waiting + bytes <= step + frame_max_ ? Room::yes : Room::none;
}

/// `encode` writes to a span of about `bytes`, and returns how many it has written, 0 if they do not fit.
template <class Encode>
bool OutgoingFrames::add(std::size_t bytes, Encode&& encode) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (bytes_.size() - end_ < bytes && begin_ > 0) {
    std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (bytes_.size() - end_ < bytes) bytes_.resize(end_ + bytes);
  const std::size_t size = encode(std::span(bytes_).subspan(end_));
  end_ += size;
  return size > 0;
}

bool OutgoingFrames::add_method(amqp_channel_t channel, amqp_method_number_t method, void* decoded) {
  if (is_writing(channel)) abandon_body();
  const auto encode = [&](std::span<char> to) {
    return encode_method(to.first(std::min(to.size(), frame_max_)), channel, method, decoded);
  };
  return add(usual_size, encode) || add(frame_max_, encode);
}

bool OutgoingFrames::add_publish(amqp_channel_t channel, Publish& publish) {
  const auto encode = [&](std::span<char> to) { return encode_envelope(to, frame_max_, channel, publish); };
  if (!add(usual_size, encode) && !add(frame_max_ + usual_size, encode)) return false;
  if (rest_.empty()) {
    channel_ = channel;
    rest_ = publish.body;
    if (!rest_.empty()) add_part_of_body(channel_, rest_);
  } else {  // a small one, between the frames of a large one
    for (std::string_view rest = publish.body; !rest.empty();) add_part_of_body(channel, rest);
  }
  return true;
}

void OutgoingFrames::add_heartbeat() {
  static_cast<void>(add(frame_overhead, [](std::span<char> to) { return encode_heartbeat(to); }));
}

void OutgoingFrames::add_part_of_body(amqp_channel_t channel, std::string_view& rest) {
  const std::string_view part = rest.substr(0, frame_max_ - frame_overhead);
  rest.remove_prefix(part.size());
  static_cast<void>(
      add(part.size() + frame_overhead, [&](std::span<char> to) { return encode_body(to, channel, part); }));
}

std::string_view OutgoingFrames::next() {
  if (begin_ == end_ && !rest_.empty()) add_part_of_body(channel_, rest_);
  return {bytes_.data() + begin_, end_ - begin_};
}

}  // namespace action_triggers::detail
