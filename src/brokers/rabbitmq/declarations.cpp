// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/declarations.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "brokers/rabbitmq/message_encoder.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::chrono::seconds refusal_time{1};

}  // namespace

void Refusal::set(Status status, TimePoint now) {
  status_ = std::move(status);
  until_ = now + refusal_time;
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
  if (sent_ && sent_->subject == subject) sent_->removed = true;
}

void Declarations::reset() {
  channel_is_open_ = false;
  sent_.reset();
  waiting_.clear();
  for (Entry& queue : queues_) {
    queue.state = queue.config != nullptr && queue.config->declare ? State::unknown : State::exists;
    queue.refusal.clear();
  }
  for (Entry& exchange : exchanges_) {
    exchange.state = State::unknown;
    exchange.refusal.clear();
  }
}

void Declarations::request(Subject subject) {
  Entry& wanted = entry(subject);
  if (wanted.state == State::requested) return;
  wanted.state = State::requested;
  waiting_.push_back(subject);
  send_next();
}

bool Declarations::exists(Subject subject) const { return entry(subject).state == State::exists; }

void Declarations::refuse(Subject subject, const Status& status, TimePoint now) {
  entry(subject).refusal.set(status, now);
}

const Status* Declarations::refused(Subject subject, TimePoint now) const { return entry(subject).refusal.at(now); }

void Declarations::send_next() {
  if (waiting_.empty() || sent_) return;
  if (!channel_is_open_) {
    amqp_channel_open_t open{.out_of_band = amqp_empty_bytes};
    channel_is_open_ = true;
    owner_.send_method(control_channel_, AMQP_CHANNEL_OPEN_METHOD, &open);
  }
  sent_ = Sent{.subject = waiting_.front()};
  waiting_.pop_front();
  const Entry& wanted = entry(sent_->subject);
  if (sent_->subject.kind == Kind::queue) {
    declare_queue(*wanted.config);
  } else {
    probe_exchange(wanted.exchange);
  }
}

void Declarations::declare_queue(const RabbitMqConfig& config) {
  const QueueDeclaration& wanted = *config.declare;
  std::vector<amqp_table_entry_t> arguments = declare_arguments(wanted);
  amqp_queue_declare_t declare{};
  declare.queue = to_amqp(config.queue);
  declare.durable = wanted.durable ? 1 : 0;
  declare.arguments = {static_cast<int>(arguments.size()), arguments.data()};
  owner_.send_method(control_channel_, AMQP_QUEUE_DECLARE_METHOD, &declare);
}

void Declarations::probe_exchange(const std::string& exchange) {
  amqp_exchange_declare_t declare{};
  declare.exchange = to_amqp(exchange);
  declare.type = amqp_cstring_bytes("direct");  // not looked at: passive asks only whether it exists
  declare.passive = 1;
  owner_.send_method(control_channel_, AMQP_EXCHANGE_DECLARE_METHOD, &declare);
}

void Declarations::on_method(const amqp_method_t& method, TimePoint now) {
  switch (method.id) {
    case AMQP_EXCHANGE_DECLARE_OK_METHOD:
    case AMQP_QUEUE_DECLARE_OK_METHOD:
      answered({}, now);
      break;
    case AMQP_CHANNEL_CLOSE_METHOD: {
      const auto& close = *static_cast<const amqp_channel_close_t*>(method.decoded);
      const Status status = status_of_close(close.reply_code, from_amqp(close.reply_text));
      amqp_channel_close_ok_t close_ok{};
      owner_.send_method(control_channel_, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok);
      channel_is_open_ = false;
      answered(status, now);
      break;
    }
    default:
      break;
  }
}

void Declarations::answered(const Status& status, TimePoint now) {
  if (!sent_) return;
  const Sent sent = *std::exchange(sent_, std::nullopt);
  if (!sent.removed) {
    Entry& wanted = entry(sent.subject);
    wanted.state = status.ok() ? State::exists : State::unknown;
    if (!status.ok()) {
      wanted.refusal.set(status, now);
    } else if (sent.subject.kind == Kind::exchange) {
      owner_.exchange_exists(sent.subject.index);
    }
  }
  send_next();
}

}  // namespace action_triggers::detail
