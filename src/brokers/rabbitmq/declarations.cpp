// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/declarations.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "brokers/rabbitmq/message_encoder.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::chrono::seconds longest_refusal{30};  // of what closes connections; it begins with one second
constexpr std::chrono::seconds answer_patience{10};  // a quorum queue is not made at once

}  // namespace

void Refusal::set(Status status, TimePoint now, std::chrono::seconds time) {
  status_ = std::move(status);
  until_ = now + time;
}

Declarations::Declarations(Owner& owner) : owner_(owner) {
  for (std::size_t i = 0; i < controls_.size(); ++i) controls_[i].id = static_cast<amqp_channel_t>(i + 1);
}

Declarations::Entry& Declarations::entry(Subject subject) {
  auto& entries = subject.kind == Kind::queue ? queues_ : exchanges_;
  if (subject.index >= entries.size()) entries.resize(subject.index + 1);
  return entries[subject.index];
}

const Declarations::Entry& Declarations::entry(Subject subject) const {
  return (subject.kind == Kind::queue ? queues_ : exchanges_)[subject.index];
}

void Declarations::set_queue(std::size_t index, const RabbitMqConfig& config) {
  Entry& queue = entry({Kind::queue, index});
  queue = {};
  queue.config = &config;
  queue.state = config.declare ? State::unknown : State::exists;
}

void Declarations::set_exchange(std::size_t index, std::string exchange) {
  Entry& added = entry({Kind::exchange, index});
  if (added.exchange == exchange) return;
  added = {};
  added.exchange = std::move(exchange);
}

void Declarations::remove(Subject subject) {
  entry(subject) = {};
  std::erase(waiting_, subject);
  for (Control& control : controls_) {
    if (control.sent == subject) control.removed = true;
  }
}

void Declarations::closed_connection(const Status& why, TimePoint now) {
  std::vector<Subject> asked;
  for (const Control& control : controls_) {
    if (control.sent && !control.removed) asked.push_back(*control.sent);
  }
  const auto suspect =
      std::find_if(asked.begin(), asked.end(), [this](Subject each) { return entry(each).is_suspect; });
  if (suspect != asked.end()) asked = {*suspect};  // there is one at a time
  for (const Subject each : asked) entry(each).is_suspect = true;
  if (asked.size() != 1) return;
  Entry& cause = entry(asked.front());
  const std::chrono::seconds time(1U << std::min(cause.closed_connections++, 5U));
  cause.refusal.set({StatusCode::unavailable, "asking for " + describe(asked.front()) +
                                                  " made the broker close the connection: " + why.message()},
                    now, std::min(time, longest_refusal));
}

void Declarations::reset() {
  for (Control& control : controls_) {
    control.state = Control::State::closed;
    control.sent.reset();
  }
  waiting_.clear();
  for (Entry& queue : queues_) {
    queue.state = queue.config != nullptr && queue.config->declare ? State::unknown : State::exists;
    if (!queue.is_suspect) queue.refusal.clear();
  }
  for (Entry& exchange : exchanges_) {
    exchange.state = State::unknown;
    if (!exchange.is_suspect) exchange.refusal.clear();
  }
}

void Declarations::request(Subject subject, TimePoint now) {
  Entry& wanted = entry(subject);
  if (wanted.state == State::requested || (wanted.is_suspect && wanted.refusal.at(now) != nullptr)) return;
  wanted.state = State::requested;
  waiting_.push_back(subject);
  send_waiting(now);
}

void Declarations::forget(Subject subject) {
  Entry& gone = entry(subject);
  if (gone.state == State::exists) gone.state = State::unknown;
}

bool Declarations::exists(Subject subject) const { return entry(subject).state == State::exists; }

void Declarations::refuse(Subject subject, const Status& status, TimePoint now) {
  entry(subject).refusal.set(status, now);
}

const Status* Declarations::refused(Subject subject, TimePoint now) const { return entry(subject).refusal.at(now); }

void Declarations::send_waiting(TimePoint now) {
  for (Control& control : controls_) {
    if (control.sent || control.state == Control::State::closing) continue;
    const auto next =
        std::find_if(waiting_.begin(), waiting_.end(), [this](Subject each) { return may_be_sent(each); });
    if (next == waiting_.end()) return;
    const Subject subject = *next;
    waiting_.erase(next);
    send(control, subject, now);
  }
}

/// Of those under suspicion one at a time.
bool Declarations::may_be_sent(Subject subject) const {
  return !entry(subject).is_suspect || std::none_of(controls_.begin(), controls_.end(), [this](const Control& control) {
    return control.sent && !control.removed && entry(*control.sent).is_suspect;
  });
}

void Declarations::send(Control& control, Subject subject, TimePoint now) {
  control.sent = subject;
  control.removed = false;
  control.sent_at = now;
  if (control.state == Control::State::closed) {
    amqp_channel_open_t open{.out_of_band = amqp_empty_bytes};
    control.state = Control::State::open;
    owner_.send_method(control.id, AMQP_CHANNEL_OPEN_METHOD, &open);
  }
  const Entry& wanted = entry(subject);
  if (subject.kind == Kind::queue) {
    declare_queue(control.id, *wanted.config);
  } else {
    probe_exchange(control.id, wanted.exchange);
  }
}

void Declarations::declare_queue(amqp_channel_t channel, const RabbitMqConfig& config) {
  const QueueDeclaration& wanted = *config.declare;
  std::vector<amqp_table_entry_t> arguments = declare_arguments(wanted);
  amqp_queue_declare_t declare{};
  declare.queue = to_amqp(config.queue);
  declare.durable = wanted.durable ? 1 : 0;
  declare.arguments = {static_cast<int>(arguments.size()), arguments.data()};
  owner_.send_method(channel, AMQP_QUEUE_DECLARE_METHOD, &declare);
}

void Declarations::probe_exchange(amqp_channel_t channel, const std::string& exchange) {
  amqp_exchange_declare_t declare{};
  declare.exchange = to_amqp(exchange);
  declare.type = amqp_cstring_bytes("direct");  // not looked at: passive asks only whether it exists
  declare.passive = 1;
  owner_.send_method(channel, AMQP_EXCHANGE_DECLARE_METHOD, &declare);
}

void Declarations::on_method(amqp_channel_t channel, const amqp_method_t& method, TimePoint now) {
  Control& control = controls_[channel - 1U];
  switch (method.id) {
    case AMQP_EXCHANGE_DECLARE_OK_METHOD:
    case AMQP_QUEUE_DECLARE_OK_METHOD:
      answered(control, {}, now);
      break;
    case AMQP_CHANNEL_CLOSE_METHOD: {
      const auto& close = *static_cast<const amqp_channel_close_t*>(method.decoded);
      const Status status = status_of_close(close.reply_code, from_amqp(close.reply_text));
      amqp_channel_close_ok_t close_ok{};
      owner_.send_method(control.id, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok);
      if (control.state == Control::State::open) control.state = Control::State::closed;
      answered(control, status, now);
      break;
    }
    case AMQP_CHANNEL_CLOSE_OK_METHOD:
      control.state = Control::State::closed;
      send_waiting(now);
      break;
    default:
      break;
  }
}

void Declarations::answered(Control& control, const Status& status, TimePoint now) {
  if (!control.sent) return;
  const Subject subject = *std::exchange(control.sent, std::nullopt);
  if (!control.removed) {
    Entry& wanted = entry(subject);
    wanted.state = status.ok() ? State::exists : State::unknown;
    wanted.is_suspect = false;
    wanted.closed_connections = 0;
    if (!status.ok()) {
      wanted.refusal.set(status, now);
    } else if (subject.kind == Kind::exchange) {
      owner_.exchange_exists(subject.index, now);
    }
  }
  send_waiting(now);
}

// Time

void Declarations::check_times(TimePoint now) {
  for (Control& control : controls_) {
    if (!control.sent || now - control.sent_at < answer_patience) continue;
    amqp_channel_close_t close{};
    close.reply_code = AMQP_REPLY_SUCCESS;
    control.state = Control::State::closing;
    owner_.send_method(control.id, AMQP_CHANNEL_CLOSE_METHOD, &close);
    answered(control,
             {StatusCode::unavailable, "the broker has not answered for " + std::to_string(answer_patience.count()) +
                                           " seconds when asked for " + describe(*control.sent)},
             now);
  }
}

bool Declarations::has_times() const {
  return std::any_of(controls_.begin(), controls_.end(),
                     [](const Control& control) { return control.sent.has_value(); });
}

bool Declarations::is_stuck() const {
  return std::all_of(controls_.begin(), controls_.end(),
                     [](const Control& control) { return control.state == Control::State::closing; });
}

void Declarations::restart_times(TimePoint now) {
  for (Control& control : controls_) control.sent_at = now;
}

std::string Declarations::describe(Subject subject) const {
  const Entry& wanted = entry(subject);
  if (subject.kind == Kind::exchange) return "the exchange '" + wanted.exchange + "'";
  return "the queue '" + (wanted.config == nullptr ? std::string() : wanted.config->queue) + "'";
}

}  // namespace action_triggers::detail
