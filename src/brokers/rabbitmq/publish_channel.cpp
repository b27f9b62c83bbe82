// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/publish_channel.hpp"

#include <algorithm>
#include <utility>

namespace action_triggers::detail {
namespace {

constexpr std::chrono::seconds renewal_interval{1};  // a queue that is full nacks for long: not a new channel each time
constexpr std::chrono::seconds reservation_time{1};

std::string in_quotes(std::string_view text) { return "'" + std::string(text) + "'"; }

Status protocol_error(std::string text) { return {StatusCode::unavailable, std::move(text)}; }

}  // namespace

// The channel's life

void PublishChannel::reset() {
  state_ = State::closed;
  return_.reset();
  closed_by_error_ = nacked_ = alone_ = false;
  reservation_.reset();
}

void PublishChannel::opened() {
  state_ = State::open;
  first_tag_ = 1;
}

bool PublishChannel::close_confirmed() {
  if (state_ != State::closing) return false;
  state_ = State::closed;
  return true;
}

std::optional<std::size_t> PublishChannel::closed_by_broker(const Status& why, BrokerEvents& events) {
  state_ = State::closed;
  closed_by_error_ = true;
  if (waiting_ != 1 || why.retryable()) {
    fail_unconfirmed({StatusCode::unavailable, "the channel was closed: " + why.message()},
                     Persistence::possibly_persisted, events);
    return std::nullopt;
  }
  const auto cause =
      std::find_if(window_.begin(), window_.end(), [](const Unconfirmed& entry) { return entry.message != nullptr; });
  const std::size_t destination = cause->message->destination_index();
  fail_unconfirmed(why, Persistence::not_persisted, events);
  return destination;
}

void PublishChannel::lost(const Status& why, BrokerEvents& events) {
  fail_unconfirmed(why, Persistence::possibly_persisted, events);
  state_ = State::closed;
}

void PublishChannel::use_for(std::string exchange) {
  exchange_ = std::move(exchange);
  closed_by_error_ = nacked_ = alone_ = false;
  reservation_.reset();
}

void PublishChannel::fail_unconfirmed(const Status& why, Persistence persistence, BrokerEvents& events) {
  waiting_ = 0;
  alone_ = false;
  for (const Unconfirmed& entry : std::exchange(window_, {})) {
    if (entry.message != nullptr) events.complete(*entry.message, Outcome::failed(why, persistence));
  }
}

// Publishing

PublishChannel::Policy PublishChannel::policy_for(const OutboundMessage& message, TimePoint now) const {
  if (message.attempt() <= 1) return Policy::normal;
  if (nacked_ && now - renewed_at_ >= renewal_interval) return Policy::renew_channel;
  return closed_by_error_ ? Policy::one_at_a_time : Policy::normal;
}

PublishChannel::Decision PublishChannel::offer(const OutboundMessage& message, TimePoint now) {
  const bool is_empty = waiting_ == 0;
  if (!is_empty && alone_) return Decision::wait;
  const std::size_t destination = message.destination_index();
  if (reservation_ && now < reservation_->until && reservation_->destination != destination) return Decision::wait;
  const Policy policy = policy_for(message, now);
  if (policy != Policy::normal && !is_empty) {
    reservation_ = Reservation{.destination = destination, .until = now + reservation_time};
    return Decision::wait;
  }
  reservation_.reset();
  if (policy == Policy::renew_channel) {
    nacked_ = false;
    renewed_at_ = now;
    return Decision::renew_channel;
  }
  alone_ = policy == Policy::one_at_a_time;
  return Decision::publish;
}

void PublishChannel::published(const OutboundMessage& message) {
  window_.push_back({&message, std::nullopt});
  ++waiting_;
}

void PublishChannel::forget_destination(std::size_t index) {
  if (reservation_ && reservation_->destination == index) reservation_.reset();
}

// What the broker answers

Status PublishChannel::confirmed(std::uint64_t tag, bool multiple, Confirmation confirmation, BrokerEvents& events) {
  if (confirmation == Confirmation::nack) nacked_ = true;
  if (multiple && tag == 0) tag = first_tag_ + window_.size() - 1;  // AMQP 0-9-1: all so far
  if (tag < first_tag_ || tag - first_tag_ >= window_.size()) {
    return protocol_error("the broker confirmed delivery tag " + std::to_string(tag) +
                          ", which is not waiting for a confirmation");
  }
  const std::size_t index = tag - first_tag_;
  for (std::size_t i = multiple ? 0 : index; i <= index; ++i) complete(window_[i], confirmation, events);
  while (!window_.empty() && window_.front().message == nullptr) {
    window_.pop_front();
    ++first_tag_;
  }
  return {};
}

void PublishChannel::complete(Unconfirmed& entry, Confirmation confirmation, BrokerEvents& events) {
  const OutboundMessage* const message = std::exchange(entry.message, nullptr);
  if (message == nullptr) return;
  --waiting_;
  if (entry.returned) {
    events.complete(*message, Outcome::failed(std::move(*entry.returned)));
  } else if (confirmation == Confirmation::ack) {
    events.complete(*message, Outcome::persisted());
  } else {
    const bool one_queue = exchange_.empty();
    events.complete(*message,
                    Outcome::failed({StatusCode::rejected,
                                     "the broker refused the message (nack): the queue is full and its "
                                     "overflow is reject-publish, or the broker has a problem; see its log"},
                                    one_queue ? Persistence::not_persisted : Persistence::possibly_persisted));
  }
}

void PublishChannel::return_begins(int reply_code, std::string_view reply_text, std::string_view routing_key) {
  std::string text =
      "no queue took the message: the broker says " + std::to_string(reply_code) + " " + std::string(reply_text);
  text += exchange_.empty() ? "; declare the queue " + in_quotes(routing_key) + ", or set params.declare"
                            : "; bind a queue to the exchange " + in_quotes(exchange_) + " for the routing key " +
                                  in_quotes(routing_key);
  return_ = Return{.text = std::move(text), .message_id = {}, .body_left = {}};
}

Status PublishChannel::return_header(std::string_view message_id, std::uint64_t body_size) {
  if (!return_ || return_->body_left) {
    return protocol_error("the broker sent part of a message that it has not announced");
  }
  return_->message_id = message_id;
  return_->body_left = body_size;
  if (body_size == 0) finish_return();
  return {};
}

Status PublishChannel::return_body(std::size_t bytes) {
  if (!return_ || !return_->body_left) {
    return protocol_error("the broker sent part of a message that it has not announced");
  }
  *return_->body_left -= std::min<std::uint64_t>(*return_->body_left, bytes);
  if (*return_->body_left == 0) finish_return();
  return {};
}

void PublishChannel::finish_return() {
  const Return returned = *std::exchange(return_, std::nullopt);
  if (Unconfirmed* const entry = find_returned(returned))
    entry->returned = Status(StatusCode::unroutable, returned.text);
}

/// Which unconfirmed message a return speaks of. It carries no delivery tag, so the message id has to tell.
PublishChannel::Unconfirmed* PublishChannel::find_returned(const Return& returned) {
  const auto found = std::find_if(window_.begin(), window_.end(), [&](const Unconfirmed& entry) {
    return entry.message != nullptr && !entry.returned && entry.message->id() == returned.message_id;
  });
  return found == window_.end() ? nullptr : &*found;
}

}  // namespace action_triggers::detail
