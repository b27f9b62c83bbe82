// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/declarations.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "brokers/rabbitmq/declare_methods.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::chrono::seconds longest_refusal{30};  // of what closes connections; it begins with one second
constexpr std::chrono::seconds answer_patience{10};  // a quorum queue is not made at once

/// Queues that are bound to it do not count.
bool is_same_exchange(const RabbitMqExchangeDeclaration& a, const RabbitMqExchangeDeclaration& b) {
  return a.type == b.type && a.durable == b.durable && a.auto_delete == b.auto_delete && a.arguments == b.arguments;
}

}  // namespace

void Refusal::set(Status status, TimePoint now, std::chrono::seconds time) {
  status_ = std::move(status);
  until_ = now + time;
}

Declarations::Declarations(Owner& owner) : owner_(owner) {
  for (std::size_t i = 0; i < all_controls_.size(); ++i) all_controls_[i].id = static_cast<amqp_channel_t>(i + 1);
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
  queue.state = declares(config) ? State::unknown : State::exists;
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

void Declarations::connection_lost(std::string_view why) {
  constexpr std::string_view before = "exchange type '";
  const std::size_t at = why.find(before);
  if (at == std::string_view::npos) return;
  const std::string_view from = why.substr(at + before.size());
  unknown_type_ = from.substr(0, from.find('\''));
  is_type_new_ = true;
}

void Declarations::closed_connection(const Status& why, TimePoint now) {
  if (is_type_new_) return;  // the broker has said what is to blame
  std::vector<Subject> asked;
  for (const Control& control : controls_) {
    if (control.sent && !control.removed) asked.push_back(*control.sent);
  }
  const auto suspect =
      std::find_if(asked.begin(), asked.end(), [this](Subject each) { return entry(each).is_suspect; });
  if (suspect != asked.end()) asked.assign(1, Subject(*suspect));  // there is one at a time
  for (const Subject each : asked) entry(each).is_suspect = true;
  if (asked.size() != 1) return;
  Entry& cause = entry(asked.front());
  const std::chrono::seconds time(1U << std::min(cause.closed_connections++, 5U));
  cause.refusal.set({StatusCode::unavailable, "asking for " + describe(asked.front()) +
                                                  " made the broker close the connection: " + why.message()},
                    now, std::min(time, longest_refusal));
}

void Declarations::reset(amqp_channel_t last_channel) {
  controls_ = std::span(all_controls_).first(last_channel);
  if (!std::exchange(is_type_new_, false)) unknown_type_.clear();  // its plugin may be there now
  for (Control& control : controls_) {
    control.state = Control::State::closed;
    control.sent.reset();
  }
  waiting_.clear();
  for (Entry& queue : queues_) {
    queue.state = queue.config != nullptr && declares(*queue.config) ? State::unknown : State::exists;
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
  if (has_unknown_type(subject)) {
    wanted.refusal.set({StatusCode::invalid_argument, "the broker does not know the exchange type '" + unknown_type_ +
                                                          "': enable the plugin that brings the type, or correct "
                                                          "params.declare.type"},
                       now);
    return;
  }
  wanted.state = State::requested;
  if (subject.kind == Kind::exchange) {
    for (Entry& queue : queues_) {
      if (queue.state == State::exists && declares_exchange(queue, wanted.exchange)) queue.state = State::unknown;
    }
  }
  waiting_.push_back(subject);
  send_waiting(now);
}

void Declarations::request_declared(std::size_t index, TimePoint now) {
  const RabbitMqConfig* const config = queues_[index].config;
  if (config != nullptr && declares(*config)) request({Kind::queue, index}, now);
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

bool Declarations::declares_exchange(const Entry& queue, const std::string& exchange) {
  return queue.config != nullptr && queue.config->declare_exchange && queue.config->exchange == exchange;
}

bool Declarations::has_unknown_type(Subject subject) const {
  if (unknown_type_.empty()) return false;
  const Entry& wanted = entry(subject);
  const auto has_it = [&](const Entry& queue) {
    return declares_exchange(queue, wanted.config == nullptr ? wanted.exchange : wanted.config->exchange) &&
           queue.config->declare_exchange->type == unknown_type_;
  };
  return subject.kind == Kind::queue ? has_it(wanted) : std::any_of(queues_.begin(), queues_.end(), has_it);
}

bool Declarations::declares_exchange(const std::string& exchange) const {
  return std::any_of(queues_.begin(), queues_.end(),
                     [&](const Entry& queue) { return declares_exchange(queue, exchange); });
}

/// An exchange and its queues are declared one after the other, and then bound.
bool Declarations::makes_what_is_missing(Subject subject) const {
  const RabbitMqConfig* const config = entry(subject).config;
  return config != nullptr && config->declare_exchange.has_value();
}

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
  control.answers = 0;
  control.fits = true;
  control.removed = false;
  control.sent_at = now;
  if (control.state == Control::State::closed) {
    amqp_channel_open_t open{.out_of_band = amqp_empty_bytes};
    control.state = Control::State::open;
    owner_.send_method(control.id, AMQP_CHANNEL_OPEN_METHOD, &open);
  }
  const Entry& wanted = entry(subject);
  if (subject.kind == Kind::exchange) {
    ask_for_exchange(control, wanted.exchange);
  } else {
    declare_all(*wanted.config, [&](amqp_method_number_t method, void* decoded) { ask(control, method, decoded); });
  }
  if (control.fits) return;
  if (control.answers > 0) close(control);  // what was asked before is answered, too
  answered(control,
           {StatusCode::invalid_argument, "what params.declare says of " + describe(subject) +
                                              " does not fit one frame, and the broker's frame_max is smaller than "
                                              "usual: shorten its arguments, or raise frame_max"},
           now);
}

void Declarations::ask(Control& control, amqp_method_number_t method, void* decoded) {
  control.fits = control.fits && owner_.send_method(control.id, method, decoded);
  if (control.fits) ++control.answers;
}

void Declarations::close(Control& control) {
  amqp_channel_close_t close{};
  close.reply_code = AMQP_REPLY_SUCCESS;
  control.state = Control::State::closing;
  owner_.send_method(control.id, AMQP_CHANNEL_CLOSE_METHOD, &close);
}

/// Each destination that declares it may declare it otherwise: the broker says which of them do not agree.
void Declarations::ask_for_exchange(Control& control, const std::string& exchange) {
  std::vector<const RabbitMqExchangeDeclaration*> asked;
  for (const Entry& queue : queues_) {
    if (!declares_exchange(queue, exchange)) continue;
    const RabbitMqExchangeDeclaration& wanted = *queue.config->declare_exchange;
    const auto same = [&](const auto* other) { return is_same_exchange(*other, wanted); };
    if (std::any_of(asked.begin(), asked.end(), same)) continue;
    asked.push_back(&wanted);
    detail::declare_exchange(exchange, wanted, [&](auto method, void* decoded) { ask(control, method, decoded); });
  }
  if (!asked.empty()) return;
  amqp_exchange_declare_t declare{};
  declare.exchange = to_amqp(exchange);
  declare.type = amqp_cstring_bytes("direct");  // not looked at: passive asks only whether it exists
  declare.passive = 1;
  ask(control, AMQP_EXCHANGE_DECLARE_METHOD, &declare);
}

void Declarations::on_method(amqp_channel_t channel, const amqp_method_t& method, TimePoint now) {
  Control& control = controls_[channel - 1U];
  switch (method.id) {
    case AMQP_EXCHANGE_DECLARE_OK_METHOD:
    case AMQP_QUEUE_DECLARE_OK_METHOD:
    case AMQP_QUEUE_BIND_OK_METHOD:
      control.sent_at = now;  // of several methods each has its time
      if (control.answers > 0 && --control.answers == 0) answered(control, {}, now);
      break;
    case AMQP_CHANNEL_CLOSE_METHOD: {
      const auto& close = *static_cast<const amqp_channel_close_t*>(method.decoded);
      Status status = status_of_close(close.reply_code, from_amqp(close.reply_text));
      if (status.code() == StatusCode::not_found && control.sent && makes_what_is_missing(*control.sent)) {
        status = {StatusCode::unavailable, "the broker says 404 " + std::string(from_amqp(close.reply_text)) +
                                               "; it was deleted while it was declared, and is declared again"};
      }
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
    close(control);
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
  if (wanted.config == nullptr) return "a queue";
  if (wanted.config->declare_exchange) return "the exchange '" + wanted.config->exchange + "' and its queues";
  return "the queue '" + wanted.config->queue + "'";
}

}  // namespace action_triggers::detail
