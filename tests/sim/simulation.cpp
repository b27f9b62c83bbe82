// SPDX-License-Identifier: MIT
#include "sim/simulation.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <utility>

#include "dispatch/lane_core.hpp"

namespace action_triggers::tests {
namespace {

using detail::Capacity;
using detail::Destination;
using detail::FlushBarrier;
using detail::LaneClosing;
using detail::LaneCommand;
using detail::LaneCore;
using detail::MessageParts;
using detail::OutcomeObserver;
using detail::Payload;
using detail::QueueNode;
using detail::Record;
using namespace std::chrono_literals;

constexpr std::size_t most_fires = 400;
constexpr std::size_t most_names = 6;  // at once
constexpr int most_turns_without_progress = 200;
constexpr std::chrono::microseconds longest_busy_step{
    50};  // how long a turn takes that was followed by another at once

/// What the oracle knows of one message.
struct Message {
  std::size_t name = 0;
  std::string id;
  std::size_t reports = 0;
  std::size_t arrivals = 0;
  bool refused = false;  // by the broker: its place in the order is lost (docs/delivery.md, "Order")
  bool pushed = false;
  bool has_partner = false;  // the next message is the same one, to another name
  TimePoint picked_up{};

  // What an observer of it heard.
  bool is_observed = false;
  std::size_t resolved = 0;
  StatusCode resolved_as = StatusCode::ok;
  std::size_t resolved_late = 0;
};

/// A destination, from its add() to its removed().
struct Name {
  std::shared_ptr<const BrokerConfig> config;
  std::unique_ptr<Destination> destination;  // none: it was removed
  bool leaving = false;
  TimePoint leave_by = TimePoint::max();
  std::size_t held = 0;                // by the broker
  std::vector<std::size_t> arrived{};  // in order of arrival, first copies
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, std::vector<std::string>* text) : random_(seed), text_(text) {}

  SimulationResult run();

 private:
  class SimulatedBroker;
  class Observer;
  class Removal;
  struct Mark;

  // Choices
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  bool chance(unsigned percent) { return below(100) < percent; }
  std::chrono::milliseconds milliseconds_below(std::uint64_t limit) {
    return std::chrono::milliseconds(static_cast<std::int64_t>(below(limit)));
  }

  // Record
  void note(const std::string& text) {
    for (const char c : text) result_.trace = (result_.trace ^ static_cast<unsigned char>(c)) * 1'099'511'628'211ULL;
    if (text_ != nullptr) text_->push_back(std::to_string((now_ - begin_) / 1us) + " us: " + text);
  }
  void violation(const std::string& text) {
    note("VIOLATION " + text);
    if (result_.violations.size() < 20) result_.violations.push_back(text);
  }

  // The schedule
  std::size_t make_name();
  void add_name();
  void remove_name(std::size_t name);
  void removed(const Destination& destination);
  void check_removals();
  void check_counts(const Destination& destination);
  std::optional<std::size_t> any_open_name();
  bool reserve(std::size_t name, const MessageParts& parts);
  void fire(std::size_t name);
  void fire_at_two(std::size_t name, std::size_t other);
  void on_its_way(std::size_t name, Record* record);
  void push_some(std::size_t most);
  void turn();
  void on_report(const Record& record, const DeliveryReport& outcome);
  void advance();
  void finish();
  void check_order();
  Message& message_of(const OutboundMessage& message) { return messages_.at(index_of(message)); }
  /// Its body says which one it is, or for which of two names.
  std::size_t index_of(const OutboundMessage& message) {
    const std::size_t index = std::stoul(std::string(message.body()));
    const Destination* const destination = &static_cast<const Record&>(message).dest();
    const bool is_partner =
        messages_[index].has_partner && names_[messages_[index].name].destination.get() != destination;
    return is_partner ? index + 1 : index;
  }

  std::mt19937_64 random_;
  detail::MessageIdGenerator ids_{1};
  std::vector<std::string>* const text_;
  SimulationResult result_;

  const TimePoint begin_ = TimePoint(1h);
  TimePoint now_ = begin_;
  std::vector<Name> names_;
  std::unique_ptr<Observer> observer_;
  std::unique_ptr<LaneCore> core_;
  bool core_started_ = false;

  std::vector<Message> messages_;
  std::vector<Delivery> deliveries_;
  std::deque<QueueNode*> queue_;       // what the producers have pushed
  std::vector<Record*> on_their_way_;  // capacity reserved, not pushed yet
  std::size_t open_marks_ = 0;
  bool closing_ = false;
  bool progress_ = false;
  int turns_without_progress_ = 0;
  std::size_t outstanding_at_close_ = 0;
  std::size_t abandoned_of_removed_ = 0;
  std::optional<std::size_t> spoken_of_;  // the message that the broker completes just now

  // The broker's temper in this schedule, in percent of its polls or messages.
  unsigned disconnects_ = 0;
  unsigned refuses_ = 0;
  unsigned is_permanent_ = 0;
  unsigned stalls_ = 0;
  unsigned takes_less_ = 0;
  unsigned throws_ = 0;
  unsigned answers_at_once_ = 0;
  unsigned connect_fails_ = 0;
  unsigned fires_again_ = 0;

  // The application's.
  unsigned observes_ = 0;
  unsigned shares_ = 0;
  unsigned comes_and_goes_ = 0;
};

/// What an outbox's relay would hear.
class Simulation::Observer final : public OutcomeObserver {
 public:
  explicit Observer(Simulation& simulation) : sim_(simulation) {}

  void resolved(const Record& record, StatusCode code, Persistence) noexcept override {
    const std::size_t index = sim_.index_of(record);
    Message& known = sim_.messages_[index];
    if (++known.resolved > 1) sim_.violation("an observer heard two outcomes: " + std::to_string(index));
    if (known.reports > 0) sim_.violation("an observer heard after the report: " + std::to_string(index));
    if (code == StatusCode::ok && known.arrivals == 0) sim_.violation("an observer heard ok of what never arrived");
    known.resolved_as = code;
  }

  void resolved_late(const Record& record, StatusCode code, Persistence) noexcept override {
    const std::size_t index = sim_.index_of(record);
    Message& known = sim_.messages_[index];
    sim_.note("late " + std::to_string(index) + " " + std::string(to_string(code)));
    if (known.resolved != 1) sim_.violation("an observer heard late what it had not heard: " + std::to_string(index));
    if (++known.resolved_late > 1) sim_.violation("an observer heard late twice: " + std::to_string(index));
    // Without a word of the broker's it is lost with the broker.
    if (code == StatusCode::ok && sim_.spoken_of_ != index) {
      sim_.violation("an observer heard that it arrived, and the broker said nothing: " + std::to_string(index));
    }
    if (code == StatusCode::ok && known.arrivals == 0) sim_.violation("an observer heard ok of what never arrived");
  }

 private:
  Simulation& sim_;
};

class Simulation::Removal final : public LaneCommand {
 public:
  Removal(Destination& destination, TimePoint deadline) : destination_(destination), deadline_(deadline) {}
  void run(LaneCore& core) noexcept override {
    core.remove(destination_, deadline_);
    delete this;
  }
  void lane_ended() noexcept override { delete this; }

 private:
  Destination& destination_;
  const TimePoint deadline_;
};

/// A broker with one connection. Messages reach the far side in the order of sending; there each one is kept or
/// refused, and the answers come back in any order, or never.
class Simulation::SimulatedBroker final : public Broker {
 public:
  explicit SimulatedBroker(Simulation& simulation) : sim_(simulation) {}
  ~SimulatedBroker() override { let_go(); }

  void start(const LaneContext& context) override {
    configs_.assign(context.destinations.begin(), context.destinations.end());
    for (const BrokerConfig* config : configs_) {
      if (config == nullptr) sim_.violation("start() with a gap among the destinations");
    }
    maybe_throw("start");
  }

  void add_destination(const BrokerConfig& config, std::size_t index) override {
    sim_.note("broker: add " + config.name + " as " + std::to_string(index));
    if (index > configs_.size() || (index < configs_.size() && configs_[index] != nullptr)) {
      return sim_.violation("add_destination() with an index that is not free");
    }
    configs_.resize(std::max(configs_.size(), index + 1));
    configs_[index] = &config;
    maybe_throw("add_destination");
  }

  void remove_destination(std::size_t index) override {
    sim_.note("broker: remove " + std::to_string(index));
    if (index >= configs_.size() || configs_[index] == nullptr) {
      return sim_.violation("remove_destination() of what was not added");
    }
    for (const Held& held : held_) {
      if (held.message->destination_index() == index) sim_.violation("removed while the broker holds a message of it");
    }
    configs_[index] = nullptr;
    maybe_throw("remove_destination");
  }

  void connect(BrokerEvents& events) override {
    sim_.progress_ = true;
    if (is_connected_ || is_connecting_) sim_.violation("connect() while connected or connecting");
    is_connecting_ = true;
    if (sim_.chance(30)) answer_connect(events);
  }

  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override {
    if (!is_connected_) sim_.violation("send() without a connection");
    sim_.progress_ = true;
    maybe_throw("send");
    std::size_t take = batch.size();
    if (sim_.chance(sim_.takes_less_)) take = sim_.below(batch.size() + 1);
    for (std::size_t i = 0; i < take; ++i) {
      const OutboundMessage& message = *batch[i];
      Message& known = sim_.message_of(message);
      sim_.note("sent " + std::string(message.body()) + " attempt " + std::to_string(message.attempt()));
      if (known.reports > 0) sim_.violation("sent after its report: " + std::string(message.body()));
      if (known.id.empty()) known.id = message.id();
      if (known.id != message.id()) sim_.violation("another id at another attempt: " + std::string(message.body()));
      if (&message.destination() != sim_.names_[known.name].config.get()) sim_.violation("sent to another name");
      if (message.destination_index() >= configs_.size() ||
          configs_[message.destination_index()] != &message.destination()) {
        sim_.violation("sent with an index that the broker does not know");
      }
      const auto& most = message.destination().retry.max_attempts;
      if (most && message.attempt() > *most) sim_.violation("more attempts than max_attempts");
      held_.push_back({&message, std::nullopt, known.name});
      ++sim_.names_[known.name].held;
      if (sim_.chance(sim_.answers_at_once_)) {
        arrive(held_.size());
        answer(held_.size() - 1, events);
      }
    }
    std::map<std::size_t, std::size_t> in_flight;
    for (const Held& held : held_) ++in_flight[held.message->destination_index()];
    for (const auto& [name, count] : in_flight) {
      if (configs_[name] == nullptr) continue;  // a violation already
      const std::size_t window = configs_[name]->max_in_flight;
      if (window != 0 && count > window) sim_.violation("more in flight than max_in_flight");
    }
    return take;
  }

  void poll(BrokerEvents& events) override {
    maybe_throw("poll");
    if (is_connecting_ && sim_.chance(60)) answer_connect(events);
    if (!is_connected_) return;
    if (sim_.chance(5)) events.blocked(sim_.chance(50), "memory");
    if (sim_.chance(sim_.stalls_)) return;
    if (sim_.chance(70)) arrive(sim_.below(held_.size() + 1));
    for (std::size_t answers = sim_.below(held_.size() + 1); answers > 0; --answers) {
      const std::size_t at = sim_.below(held_.size());
      if (held_[at].answer) answer(at, events);
    }
    if (sim_.chance(sim_.disconnects_)) disconnect(events);
  }

  [[nodiscard]] WaitRequest wait_request() const override {
    WaitRequest request;
    if (is_connecting_ || !held_.empty()) request.at = sim_.now_ + 1ms + sim_.milliseconds_below(5);
    return request;
  }

  void close(BrokerEvents& events, std::chrono::milliseconds) override {
    arrive(sim_.below(held_.size() + 1));
    for (std::size_t i = held_.size(); i-- > 0;) {
      if (held_[i].answer && sim_.chance(50)) answer(i, events);
    }
    let_go();  // no message is touched after this
  }

 private:
  struct Held {
    const OutboundMessage* message;
    std::optional<Outcome> answer;  // it has reached the far side
    std::size_t name;
  };

  void let_go() {
    for (const Held& held : held_) --sim_.names_[held.name].held;
    held_.clear();
  }

  void maybe_throw(const char* where) {
    if (!sim_.chance(sim_.throws_) || !sim_.chance(10)) return;
    sim_.note(std::string("the broker throws in ") + where);
    if (sim_.chance(50)) throw std::bad_alloc();
    throw std::runtime_error("a bug");
  }

  void answer_connect(BrokerEvents& events) {
    is_connecting_ = false;
    if (sim_.chance(sim_.connect_fails_)) {
      const bool permanent = sim_.chance(sim_.is_permanent_);
      sim_.note(permanent ? "login refused" : "connect failed");
      events.disconnected({permanent ? StatusCode::unauthenticated : StatusCode::unavailable, "no connection"});
    } else {
      is_connected_ = true;
      sim_.note("connected");
      events.connected();
    }
  }

  /// The first `count` messages reach the far side.
  void arrive(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      Held& held = held_[i];
      if (held.answer) continue;
      const std::size_t index = sim_.index_of(*held.message);
      Message& known = sim_.messages_[index];
      if (sim_.chance(sim_.refuses_)) {
        const bool permanent = sim_.chance(sim_.is_permanent_);
        held.answer = Outcome::failed({permanent ? StatusCode::unroutable : StatusCode::rejected, "refused"});
        known.refused = true;
        continue;
      }
      sim_.note("arrived " + std::to_string(index));
      if (++known.arrivals > 1) {
        ++sim_.result_.duplicates;
      } else {
        sim_.names_[known.name].arrived.push_back(index);
      }
      held.answer = Outcome::persisted();
    }
  }

  void answer(std::size_t at, BrokerEvents& events) {
    Held held = std::move(held_[at]);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(at));
    sim_.progress_ = true;
    sim_.note("answered " + std::string(held.message->body()) + " " +
              std::string(to_string(held.answer->status.code())));
    complete(held, std::move(*held.answer), events);
  }

  void complete(const Held& held, Outcome outcome, BrokerEvents& events) {
    --sim_.names_[held.name].held;
    sim_.spoken_of_ = sim_.index_of(*held.message);
    events.complete(*held.message, std::move(outcome));
    sim_.spoken_of_.reset();
  }

  void disconnect(BrokerEvents& events) {
    ++sim_.result_.disconnects;
    sim_.note("disconnected");
    sim_.progress_ = true;
    is_connected_ = false;
    arrive(sim_.below(held_.size() + 1));  // what was on the wire
    for (Held& held : std::exchange(held_, {})) {
      complete(held, Outcome::failed({StatusCode::unavailable, "reset"}, Persistence::possibly_persisted), events);
    }
    events.disconnected({StatusCode::unavailable, "reset by peer"});
  }

  Simulation& sim_;
  bool is_connected_ = false;
  bool is_connecting_ = false;
  std::vector<const BrokerConfig*> configs_;  // by index
  std::deque<Held> held_;
};

struct Simulation::Mark final : FlushBarrier {
  Mark(Simulation& simulation, std::size_t fires) : sim(simulation), fires_before(fires) { ++sim.open_marks_; }
  void reached() noexcept override {
    --sim.open_marks_;
    for (const std::size_t index : waits_for) {
      if (sim.messages_[index].reports == 0) sim.violation("a flush ended before message " + std::to_string(index));
    }
    delete this;
  }
  Simulation& sim;
  const std::size_t fires_before;
  std::vector<std::size_t> waits_for;
};

std::size_t Simulation::make_name() {
  auto config = std::make_shared<BrokerConfig>();
  config->name = "name" + std::to_string(names_.size());
  config->broker_type = "simulated";
  config->timeout = chance(10) ? 0ms : 1ms + milliseconds_below(chance(50) ? 50 : 5'000);
  if (chance(30)) config->timeout = chance(50) ? 20ms : 300ms;  // several that are the same
  config->max_queued_messages = chance(30) ? 1 + below(8) : 1'000;
  config->max_queued_bytes = chance(10) ? 1 + below(2'000) : 1'000'000;
  config->max_in_flight = chance(50) ? 1 + below(8) : 0;
  config->overflow = chance(30) ? Overflow::drop_oldest : Overflow::reject;
  if (chance(30)) config->retry.max_attempts = 1 + static_cast<std::uint32_t>(below(4));
  config->retry.initial_backoff = 1ms + milliseconds_below(20);
  config->retry.max_backoff = config->retry.initial_backoff * static_cast<int>(1 + below(5));
  names_.push_back({.config = config, .destination = std::make_unique<Destination>(config)});
  return names_.size() - 1;
}

void Simulation::add_name() {
  const auto open =
      std::count_if(names_.begin(), names_.end(), [](const Name& name) { return name.destination != nullptr; });
  if (static_cast<std::size_t>(open) >= most_names) return;
  const std::size_t name = make_name();
  note("add " + names_[name].config->name);
  core_->add(*names_[name].destination);
}

void Simulation::remove_name(std::size_t name) {
  names_[name].destination->capacity.close();
  names_[name].leaving = true;
  names_[name].leave_by = now_ + (chance(30) ? 0ms : milliseconds_below(chance(50) ? 20 : 2'000));
  note("remove " + names_[name].config->name);
  queue_.push_back(new Removal(*names_[name].destination, names_[name].leave_by));
}

/// The lane forgets a destination: nothing of it may be left anywhere.
void Simulation::removed(const Destination& destination) {
  const auto name = std::find_if(names_.begin(), names_.end(),
                                 [&](const Name& one) { return one.destination.get() == &destination; });
  if (name == names_.end() || !name->leaving) return violation("a destination left that was not removed");
  note("removed " + destination.name);
  progress_ = true;
  const auto number = static_cast<std::size_t>(name - names_.begin());
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    if (messages_[i].name != number) continue;
    if (messages_[i].reports != 1) violation("a destination left before the report of " + std::to_string(i));
  }
  if (name->held != 0) violation("a destination left while the broker holds a message of it");
  check_counts(destination);
  abandoned_of_removed_ += destination.counters.abandoned_at_close.get();
  name->destination.reset();  // whoever uses it now is seen by AddressSanitizer
}

/// The lane goes to sleep: a destination that nothing is left of has been forgotten.
void Simulation::check_removals() {
  if (core_->has_work() || !queue_.empty() || core_->finished()) return;
  for (std::size_t name = 0; name < names_.size(); ++name) {
    if (!names_[name].destination || !names_[name].leaving || names_[name].held != 0) continue;
    const bool is_empty = std::all_of(messages_.begin(), messages_.end(), [&](const Message& message) {
      return message.name != name || message.reports > 0;
    });
    if (is_empty) violation("a removed destination stays though nothing is left of it");
  }
}

void Simulation::check_counts(const Destination& destination) {
  if (destination.capacity.messages() != 0 || destination.capacity.bytes() != 0) violation("capacity was not released");
  if (destination.counters.in_flight.get() != 0) violation("in_flight is not 0 at the end");
  std::uint64_t outcomes = 0;
  for (const auto& counter : destination.counters.outcomes) outcomes += counter.get();
  if (outcomes != destination.counters.admitted.get()) violation("outcomes do not add up to what was picked up");
}

std::optional<std::size_t> Simulation::any_open_name() {
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (names_[i].destination && !names_[i].leaving) open.push_back(i);
  }
  if (open.empty()) return std::nullopt;
  return open[below(open.size())];
}

bool Simulation::reserve(std::size_t name, const MessageParts& parts) {
  if (!names_[name].destination) return false;  // its message had been fired again by a callback
  Destination& destination = *names_[name].destination;
  return destination.capacity.reserve(Payload::counted_bytes(parts), destination.overflow == Overflow::drop_oldest) ==
         Capacity::Answer::reserved;
}

void Simulation::fire(std::size_t name) {
  const std::string body = std::to_string(messages_.size());
  const MessageParts parts{body, nullptr};
  if (messages_.size() >= most_fires || !reserve(name, parts)) return;
  messages_.push_back({.name = name, .id = {}});
  on_its_way(name,
             Record::make(*names_[name].destination, parts, Payload::counted_bytes(parts), ids_.next(1'700'000'000'000),
                          [](const DeliveryReport&) {}));  // somebody reads it: it gets a report
}

/// One message, its bytes shared by two records.
void Simulation::fire_at_two(std::size_t name, std::size_t other) {
  const std::string body = std::to_string(messages_.size());
  const MessageParts parts{body, nullptr};
  if (name == other || messages_.size() >= most_fires || !reserve(name, parts)) return;
  if (!reserve(other, parts)) {
    names_[name].destination->capacity.release(1, Payload::counted_bytes(parts));
    return;
  }
  Record* const record = Record::make(*names_[name].destination, parts, Payload::counted_bytes(parts),
                                      ids_.next(1'700'000'000'000), [](const DeliveryReport&) {});
  record->write_id();
  Record* const shared = Record::share(*names_[other].destination, *record, [](const DeliveryReport&) {});
  if (shared->id() != record->id()) violation("two records of one message have two ids");
  messages_.push_back({.name = name, .id = std::string(record->id()), .has_partner = true});
  messages_.push_back({.name = other, .id = std::string(record->id())});
  on_its_way(name, record);
  on_its_way(other, shared);
}

void Simulation::on_its_way(std::size_t name, Record* record) {
  const std::size_t index = index_of(*record);
  note("fired " + std::to_string(index) + " at " + names_[name].config->name);
  ++result_.fired;
  if (chance(observes_)) {
    messages_[index].is_observed = true;
    record->observer = observer_.get();
  }
  Delivery delivery = record->handle();
  if (chance(70)) deliveries_.push_back(std::move(delivery));  // otherwise fire and forget
  on_their_way_.push_back(record);
}

/// A producer's push() comes some time after it reserved its capacity. Pushes of one thread, and so of one name here,
/// keep their order.
void Simulation::push_some(std::size_t most) {
  for (; most > 0 && !on_their_way_.empty(); --most) {
    Record* record = on_their_way_.front();
    on_their_way_.erase(on_their_way_.begin());
    messages_[index_of(*record)].pushed = true;
    queue_.push_back(record);
  }
}

void Simulation::turn() {
  progress_ = false;
  core_->begin_turn();
  for (; !queue_.empty(); queue_.pop_front(), progress_ = true) {
    if (queue_.front()->is_command) {
      static_cast<LaneCommand*>(queue_.front())->run(*core_);
    } else {
      auto* record = static_cast<Record*>(queue_.front());
      messages_[index_of(*record)].picked_up = now_;
      core_->admit(*record);
    }
  }
  core_->step();
  core_->report([this](Record& record, const DeliveryReport& report) { on_report(record, report); });
  if (!core_->finished() && !progress_ && (core_->has_work() || core_->wait_request().at <= now_)) {
    ++turns_without_progress_;
  }
  if (progress_) turns_without_progress_ = 0;
  if (turns_without_progress_ > most_turns_without_progress && on_their_way_.empty()) {
    violation("the lane spins");
    turns_without_progress_ = -1'000'000;
  }
  check_removals();
}

void Simulation::on_report(const Record& record, const DeliveryReport& outcome) {
  progress_ = true;
  const std::size_t index = index_of(record);
  Message& message = messages_[index];
  note("report " + std::to_string(index) + " " + std::string(to_string(outcome.status.code())) + " " +
       std::string(to_string(outcome.persistence)));
  if (++message.reports > 1) violation("two reports: " + std::to_string(index));
  if (outcome.status.ok()) {
    ++result_.delivered;
    if (message.arrivals == 0) violation("ok, but it never arrived: " + std::to_string(index));
    if (outcome.persistence != Persistence::persisted) violation("ok, but not persisted");
  } else {
    ++result_.failed;
    if (outcome.persistence == Persistence::persisted) violation("failed, but persisted");
    if (outcome.persistence == Persistence::not_persisted && message.arrivals > 0) {
      violation("not_persisted, but it arrived: " + std::to_string(index));
    }
    if (outcome.status.message().empty()) violation("a failure without a text");
  }
  const Name& name = names_[message.name];
  if (outcome.latency > name.config->timeout + longest_busy_step) violation("reported after its deadline");
  if (now_ - 1ms > std::max(name.leave_by, message.picked_up)) violation("reported after its destination had to leave");
  if (message.is_observed && (message.resolved != 1 || message.resolved_as != outcome.status.code())) {
    violation("its observer heard another outcome: " + std::to_string(index));
  }
  if (chance(fires_again_)) fire(message.name);  // as a callback may
}

void Simulation::advance() {
  if (core_->has_work() || !queue_.empty()) {
    if (chance(50)) now_ += std::chrono::nanoseconds(static_cast<std::int64_t>(below(50'000)));
    return;
  }
  const TimePoint latest = core_->wait_request().at;
  const auto most =
      latest == TimePoint::max() ? Clock::duration(10ms) : std::max(latest - now_, Clock::duration::zero());
  // Woken early by a fire, or when the lane asked for it; never later than that.
  now_ += chance(50) ? most
                     : Clock::duration(static_cast<std::int64_t>(below(static_cast<std::uint64_t>(most.count()) + 1)));
}

void Simulation::finish() {
  for (const Name& name : names_) {
    if (name.destination) name.destination->capacity.close();
  }
  outstanding_at_close_ = 0;
  for (const Message& message : messages_) {
    if (message.reports == 0) ++outstanding_at_close_;
  }
  closing_ = true;
  const TimePoint deadline = now_ + (chance(30) ? 0ms : milliseconds_below(500));
  core_->begin_close(deadline);
  note("close");
  int turns = 0;
  while (!core_->finished() && ++turns < 100'000 && result_.violations.empty()) {
    if (chance(50)) push_some(on_their_way_.size());
    turn();
    if (!core_->finished()) advance();
    if (now_ > deadline && on_their_way_.empty() && queue_.empty() && turns > 50'000) break;
  }
  if (!core_->finished()) return violation("close does not end");
  if (now_ > deadline + 1ms) violation("close ended late");
  for (; !queue_.empty(); queue_.pop_front()) {
    if (!queue_.front()->is_command) return violation("a message was left in the queue");
    static_cast<LaneCommand*>(queue_.front())->lane_ended();
  }
  const LaneClosing::Counts& counts = core_->close_counts();
  std::size_t accounted = counts.delivered.get() + counts.failed.get();
  accounted += abandoned_of_removed_;
  for (const Name& name : names_) {
    if (name.destination) accounted += name.destination->counters.abandoned_at_close.get();
  }
  if (accounted != outstanding_at_close_) violation("close counted other than what was outstanding");
}

void Simulation::check_order() {
  for (const Name& name : names_) {
    const bool strict = name.config->max_in_flight == 1;
    std::optional<std::size_t> last;
    for (const std::size_t index : name.arrived) {
      if (messages_[index].refused && !strict) continue;
      if (last && index < *last) {
        violation("out of order: " + std::to_string(index) + " after " + std::to_string(*last));
      }
      last = index;
    }
  }
}

SimulationResult Simulation::run() {
  observer_ = std::make_unique<Observer>(*this);
  for (std::uint64_t count = 1 + below(4); count > 0; --count) make_name();
  disconnects_ = chance(50) ? static_cast<unsigned>(below(20)) : 0;
  refuses_ = chance(50) ? static_cast<unsigned>(below(40)) : 0;
  is_permanent_ = static_cast<unsigned>(below(100));
  stalls_ = chance(40) ? static_cast<unsigned>(below(95)) : 0;
  takes_less_ = chance(50) ? static_cast<unsigned>(below(60)) : 0;
  throws_ = chance(20) ? static_cast<unsigned>(below(30)) : 0;
  answers_at_once_ = chance(30) ? static_cast<unsigned>(below(100)) : 0;
  connect_fails_ = chance(50) ? static_cast<unsigned>(below(70)) : 0;
  fires_again_ = chance(20) ? static_cast<unsigned>(below(40)) : 0;
  observes_ = chance(50) ? static_cast<unsigned>(below(100)) : 0;
  shares_ = chance(40) ? static_cast<unsigned>(below(60)) : 0;
  comes_and_goes_ = chance(50) ? static_cast<unsigned>(below(60)) : 0;

  core_ = std::make_unique<LaneCore>(LaneCore::Environment{.make_broker =
                                                               [this] {
                                                                 // Not the first one: that failure is the dispatcher's
                                                                 // constructor's.
                                                                 if (core_started_ && chance(throws_))
                                                                   throw std::bad_alloc();
                                                                 return std::make_unique<SimulatedBroker>(*this);
                                                               },
                                                           .log = [](LogLevel, std::string_view) {},
                                                           .clock = [this] { return now_; },
                                                           .waker = Waker([] {}),
                                                           .seed = random_(),
                                                           .on_failure_is_set = true});
  core_->removed = [this](Destination& destination) { removed(destination); };
  for (const Name& name : names_) core_->add(*name.destination);
  core_->make_broker();
  core_started_ = true;
  core_->start();

  for (std::uint64_t actions = 20 + below(200); actions > 0 && result_.violations.empty(); --actions) {
    const std::uint64_t action = below(10);
    if (action < 4) {
      const auto name = any_open_name();
      for (std::uint64_t n = chance(20) ? below(30) : 1; name && n > 0; --n) {
        if (chance(shares_)) {
          fire_at_two(*name, *any_open_name());
        } else {
          fire(*name);
        }
      }
    }
    if (action < 6) push_some(below(on_their_way_.size() + 1));
    if (action == 6 && chance(30)) {
      auto mark = std::make_unique<Mark>(*this, messages_.size());
      for (std::size_t i = 0; i < messages_.size(); ++i) {
        if (messages_[i].pushed && messages_[i].reports == 0) mark->waits_for.push_back(i);
      }
      queue_.push_back(mark.release());
    }
    if (action == 7 && chance(comes_and_goes_)) add_name();
    if (action == 8 && chance(comes_and_goes_)) {
      if (const auto name = any_open_name()) remove_name(*name);
    }
    turn();
    advance();
  }
  finish();
  if (result_.violations.empty()) {
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      if (messages_[i].reports != 1) violation(std::to_string(messages_[i].reports) + " reports: " + std::to_string(i));
    }
    for (const Name& name : names_) {
      if (name.destination) check_counts(*name.destination);
    }
    for (const Delivery& delivery : deliveries_) {
      if (!delivery.done()) violation("a Delivery without an outcome");
    }
    if (open_marks_ != 0) violation("a flush that never ends");
    check_order();
  }
  core_.reset();
  return result_;
}

}  // namespace

SimulationResult simulate(std::uint64_t seed, std::vector<std::string>* trace_text) {
  return Simulation(seed, trace_text).run();
}

}  // namespace action_triggers::tests
