// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/publish_channel.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "brokers/rabbitmq/declare_methods.hpp"
#include "brokers/rabbitmq/message_encoder.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::chrono::milliseconds usual_wait{500};  // for a confirmation
constexpr std::chrono::seconds open_patience{5};
constexpr std::chrono::seconds shared_patience{5};  // more than a disk takes
constexpr std::size_t largest_window = 1'000'000;

Status protocol_error(std::string text) { return {StatusCode::unavailable, std::move(text)}; }

}  // namespace

// The channel's life

void PublishChannel::opened(TimePoint now) {
  state_ = State::open;
  open_is_confirmed_ = false;
  opened_at_ = now;
  first_tag_ = 1;
  last_returned_tag_ = 0;
  limit_ = safe_window;
  return_.reset();
}

void PublishChannel::close_sent(TimePoint now) {
  state_ = State::closing;
  close_sent_at_ = now;
}

bool PublishChannel::close_confirmed() {
  if (state_ != State::closing) return false;
  state_ = State::closed;
  return true;
}

std::optional<PublishChannel::Cause> PublishChannel::closed_by_broker(const Status& why, Persistence persistence,
                                                                      BrokerEvents& events) {
  state_ = State::closed;
  if (waiting_ == 1 && !why.retryable()) {
    const auto last =
        std::find_if(window_.begin(), window_.end(), [](auto& entry) { return entry.message != nullptr; });
    Cause cause{.destination = last->message->destination_index(), .routing_key = std::string(last->routing.key)};
    fail_unconfirmed(why, persistence, events);
    publishers_[cause.destination].cause_found(events.now());
    return cause;
  }
  const Status closed(StatusCode::unavailable, "the channel was closed: " + why.message());
  if (why.retryable()) {
    fail_unconfirmed(closed, Persistence::possibly_persisted, events);
  } else {
    fail_and_suspect(closed, events);
  }
  return std::nullopt;
}

void PublishChannel::given_up(const Status& why, BrokerEvents& events) {
  fail_and_suspect(why, events);
  lost(why, events);
}

void PublishChannel::lost(const Status& why, BrokerEvents& events) {
  fail_unconfirmed(why, Persistence::possibly_persisted, events);
  return_.reset();
  state_ = State::closed;
}

std::map<std::size_t, std::size_t> PublishChannel::waiting_by_destination() const {
  std::map<std::size_t, std::size_t> waiting;
  for (const Unconfirmed& entry : window_) {
    if (entry.message != nullptr) ++waiting[entry.message->destination_index()];
  }
  return waiting;
}

void PublishChannel::fail_and_suspect(const Status& why, BrokerEvents& events) {
  const std::map<std::size_t, std::size_t> waiting = waiting_by_destination();
  fail_unconfirmed(why, Persistence::possibly_persisted, events);
  for (const auto& [destination, messages] : waiting) publishers_[destination].suspect(messages, waiting.size() > 1);
}

void PublishChannel::fail_unconfirmed(const Status& why, Persistence persistence, BrokerEvents& events) {
  waiting_ = 0;
  for (const Unconfirmed& entry : std::exchange(window_, {})) {
    if (entry.message == nullptr) continue;
    publishers_[entry.message->destination_index()].completed();
    events.complete(*entry.message, Outcome::failed(why, persistence));
  }
}

// Publishing

void PublishChannel::published(const OutboundMessage& message, const Routing& routing, TimePoint now) {
  if (window_.empty()) progress_at_ = silent_since_ = now;
  window_.push_back({&message, routing, std::nullopt});
  ++waiting_;
  publishers_[message.destination_index()].published();
}

// Time

bool PublishChannel::stalled(TimePoint now) const { return waiting_ > 0 && now - progress_at_ >= usual_wait; }

bool PublishChannel::is_held_up(TimePoint now) const {
  return waiting_ > 1 && now - silent_since_ >= shared_patience && waiting_by_destination().size() > 1;
}

bool PublishChannel::is_hopeless(TimePoint now) const { return waiting_ > 0 && now - progress_at_ >= longest_wait; }

bool PublishChannel::is_unanswered(TimePoint now) const {
  return state_ == State::open && !open_is_confirmed_ && now - opened_at_ >= open_patience;
}

bool PublishChannel::is_unclosed(TimePoint now) const {
  return state_ == State::closing && now - close_sent_at_ >= longest_wait;
}

// What the broker answers

Status PublishChannel::confirmed(std::uint64_t tag, bool multiple, Confirmation confirmation, BrokerEvents& events) {
  if (multiple && tag == 0) tag = first_tag_ + window_.size() - 1;  // AMQP 0-9-1: all so far
  if (tag < first_tag_ || tag - first_tag_ >= window_.size()) {
    return protocol_error("the broker confirmed delivery tag " + std::to_string(tag) +
                          ", which is not waiting for a confirmation");
  }
  silent_since_ = answered_at_ = events.now();
  const std::size_t index = tag - first_tag_;
  for (std::size_t i = multiple ? 0 : index; i <= index; ++i) complete(window_[i], confirmation, events);
  while (!window_.empty() && window_.front().message == nullptr) {
    window_.pop_front();
    ++first_tag_;
    progress_at_ = events.now();
  }
  return {};
}

void PublishChannel::complete(Unconfirmed& entry, Confirmation confirmation, BrokerEvents& events) {
  const OutboundMessage* const message = std::exchange(entry.message, nullptr);
  if (message == nullptr) return;
  --waiting_;
  limit_ = std::min(limit_ + 1, largest_window);
  Publisher& publisher = publishers_[message->destination_index()];
  publisher.completed();
  if (entry.returned) {
    events.complete(*message, Outcome::failed(std::move(*entry.returned)));
  } else if (confirmation == Confirmation::ack) {
    events.complete(*message, Outcome::persisted());
  } else {
    publisher.nacked();
    events.complete(*message, Outcome::failed({StatusCode::rejected,
                                               "the broker refused the message (nack): the queue is full and its "
                                               "overflow is reject-publish, its node is down, or the broker has "
                                               "another problem; see its log"},
                                              Persistence::possibly_persisted));
  }
}

void PublishChannel::return_begins(int reply_code, std::string_view reply_text, std::string_view exchange,
                                   std::string_view routing_key) {
  return_ = Return{.text = "no queue took the message: the broker says " + std::to_string(reply_code) + " " +
                           std::string(reply_text),
                   .exchange = std::string(exchange),
                   .routing_key = std::string(routing_key),
                   .candidates = {},
                   .body_size = 0,
                   .body_left = {}};
}

Status PublishChannel::return_header(const amqp_basic_properties_t& properties, std::uint64_t body_size) {
  if (!return_ || return_->body_left) {
    return protocol_error("the broker sent part of a message that it has not announced");
  }
  return_->body_size = body_size;
  return_->body_left = body_size;
  find_candidates(properties);
  return body_size == 0 ? finish_return() : Status();
}

/// Only what was published after the last message that was returned; nearly always it is one.
void PublishChannel::find_candidates(const amqp_basic_properties_t& properties) {
  std::vector<std::size_t>& candidates = return_->candidates;
  const std::size_t from = last_returned_tag_ < first_tag_ ? 0 : last_returned_tag_ - first_tag_ + 1;
  for (std::size_t i = from; i < window_.size(); ++i) {
    const Unconfirmed& entry = window_[i];
    if (entry.message != nullptr && entry.routing.mandatory && entry.routing.exchange == return_->exchange &&
        entry.routing.key == return_->routing_key && entry.message->id() == message_id_of(properties) &&
        body_of(*entry.message).size() == return_->body_size) {
      candidates.push_back(i);
    }
  }
  // A broker may add headers of its own, or change a property: they tell apart where they can.
  std::vector<std::size_t> agreeing;
  for (const std::size_t i : candidates) {
    if (agree(properties, *window_[i].message)) agreeing.push_back(i);
  }
  if (!agreeing.empty()) candidates = std::move(agreeing);
}

Status PublishChannel::return_body(std::string_view bytes) {
  if (!return_ || !return_->body_left) {
    return protocol_error("the broker sent part of a message that it has not announced");
  }
  const auto offset = static_cast<std::size_t>(return_->body_size - *return_->body_left);
  std::erase_if(return_->candidates,
                [&](std::size_t i) { return !body_of(*window_[i].message).substr(offset).starts_with(bytes); });
  *return_->body_left -= std::min<std::uint64_t>(*return_->body_left, bytes.size());
  return *return_->body_left == 0 ? finish_return() : Status();
}

Status PublishChannel::finish_return() {
  Return returned = *std::exchange(return_, std::nullopt);
  if (returned.candidates.empty()) {
    return protocol_error("the broker returned a message that is not waiting for a confirmation");
  }
  const std::size_t index = returned.candidates.front();
  last_returned_tag_ = first_tag_ + index;
  Unconfirmed& entry = window_[index];
  if (entry.routing.declares != nullptr && reaches_declared_queue(*entry.routing.declares, entry.routing.key)) {
    gone_queue_ = entry.message->destination_index();
    const std::string what = returned.exchange.empty()
                                 ? "the queue " + in_quotes(returned.routing_key)
                                 : "what is bound to the exchange " + in_quotes(returned.exchange);
    entry.returned = Status(StatusCode::unavailable,
                            returned.text + "; " + what + " is gone, and is declared again, as params.declare says");
    return {};
  }
  returned.text += returned.exchange.empty()
                       ? "; declare the queue " + in_quotes(returned.routing_key) + ", or set params.declare"
                       : "; bind a queue to the exchange " + in_quotes(returned.exchange) + " for the routing key " +
                             in_quotes(returned.routing_key);
  entry.returned = Status(StatusCode::unroutable, std::move(returned.text));
  return {};
}

}  // namespace action_triggers::detail
