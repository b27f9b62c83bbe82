// SPDX-License-Identifier: MIT
#include "dispatch/dispatcher.hpp"

#include <algorithm>
#include <functional>
#include <new>
#include <set>
#include <stdexcept>
#include <utility>

#include "base/fork.hpp"
#include "base/message_id.hpp"
#include "base/readers.hpp"
#include "base/suggestion.hpp"
#include "dispatch/dispatcher_parts.hpp"
#include "dispatch/flush_request.hpp"
#include "dispatch/lane_key.hpp"
#include "dispatch/lane_thread.hpp"
#include "dispatch/later.hpp"
#include "dispatch/record.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::size_t largest_message = 1UL << 30U;  // beyond every broker's limit; keeps sizes in 32 bits
constexpr std::chrono::seconds grace_after_close{2};
constexpr std::size_t most_names_compared = 100;

std::string text_of_full(const Destination& destination) {
  const Capacity& capacity = destination.capacity;
  const std::uint64_t in_scopes = capacity.messages_in_scopes();
  return "'" + destination.name + "' holds " + std::to_string(capacity.messages() + in_scopes) + " messages (" +
         std::to_string(capacity.bytes() + capacity.bytes_in_scopes()) + " bytes) without an outcome" +
         (in_scopes > 0 ? ", " + std::to_string(in_scopes) + " of them in open commit scopes" : "") +
         "; the broker is too slow or away, or raise params.max_queued_messages / max_queued_bytes";
}

}  // namespace

Dispatcher::Dispatcher(const Configs& configs, const BrokerRegistry& registry, DispatcherOptions options,
                       MoreDestinations more)
    : callbacks_(std::make_shared<Callbacks>(std::move(options))),
      process_((watch_forks(), fork_generation())),
      nowhere_(std::make_unique<Destination>(std::make_shared<BrokerConfig>())),
      incomplete_(std::move(more.incomplete)) {
  std::map<std::string, Lane::Destinations> groups;
  const auto add_to_group = [&](const std::shared_ptr<const BrokerConfig>& config, bool findable) {
    destinations_.push_back(std::make_shared<Destination>(config, findable));
    groups[lane_key(*config)].push_back(destinations_.back());
  };
  check_names(configs);
  for (const auto& [name, config] : configs) add_to_group(config, true);
  for (const auto& config : more.derived) add_to_group(config, false);
  for (auto& [key, destinations] : groups) {
    lanes_.push_back({key, make_lane(std::move(destinations), registry)});
  }
  owned_table_ = table_of(destinations_, nullptr);
  table_.store(owned_table_.get(), std::memory_order_seq_cst);
  std::size_t started = 0;
  try {
    for (; started < lanes_.size(); ++started) lanes_[started].lane->start();
  } catch (...) {
    lanes_.resize(started);  // the others have no thread to wait for
    end(std::chrono::nanoseconds::zero());
    throw;
  }
}

Dispatcher::~Dispatcher() { shut_down(); }

void Dispatcher::shut_down() {
  if (std::exchange(is_shut_down_, true)) return;
  if (is_in_child()) {
    // Not even destroyed: their threads are the parent's, and what they were doing at the fork is half done here.
    static_cast<void>(new (std::nothrow) std::vector<LaneEntry>(std::move(lanes_)));
    static_cast<void>(new (std::nothrow) std::vector<std::shared_ptr<Lane>>(std::move(ended_lanes_)));
    return;
  }
  end(callbacks_->options.close_timeout);
  for (const LaneEntry& entry : lanes_) entry.lane->join();
  for (const auto& lane : ended_lanes_) lane->join();
}

void Dispatcher::attach(const void* attached) {
  const std::lock_guard lock(mutex_);
  owned_table_ = table_of(destinations_, attached);
  table_.store(owned_table_.get(), std::memory_order_seq_cst);
}

bool Dispatcher::is_in_child() const noexcept { return process_ != fork_generation(); }

std::shared_ptr<Lane> Dispatcher::make_lane(Lane::Destinations destinations, const BrokerRegistry& registry) const {
  const BrokerConfig& first = *destinations.front()->config;
  const auto* type = registry.find(first.broker_type);
  if (type == nullptr || !type->make) {
    throw std::runtime_error("destination '" + first.name + "': the registry cannot make brokers of type '" +
                             first.broker_type + "'; was the configuration loaded with another registry?");
  }
  return std::make_shared<Lane>(std::move(destinations), type->make, callbacks_, "at-" + first.broker_type);
}

Destination* Dispatcher::of(const BrokerConfig& config) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(destinations_.begin(), destinations_.end(),
                                  [&](const auto& destination) { return destination->config.get() == &config; });
  return found == destinations_.end() ? nullptr : found->get();
}

// --------------------------------------------------------------------------------------------------------------- fire

namespace {

inline Capacity::Answer reserve_now(Destination& destination, std::size_t bytes, bool in_scope) noexcept {
  const bool slack = destination.overflow == Overflow::drop_oldest;
  return in_scope ? destination.capacity.reserve_in_scope(bytes, slack) : destination.capacity.reserve(bytes, slack);
}

}  // namespace

inline Capacity::Answer Dispatcher::reserve(Destination& destination, std::size_t bytes, bool in_scope) const {
  if (is_in_child()) return Capacity::Answer::closed;
  if (bytes > largest_message) return Capacity::Answer::too_large;
  const Capacity::Answer answer = reserve_now(destination, bytes, in_scope);
  if (answer != Capacity::Answer::full || destination.overflow != Overflow::block) return answer;
  return block(destination, bytes, in_scope);
}

Delivery Dispatcher::fire(std::string_view name, const MessageParts& parts, DeliveryCallback&& callback) {
  const ReadSection reading;
  Destination* const destination = find(name);
  if (destination == nullptr) return refuse_unknown(name, parts, std::move(callback), {});
  if (destination->durability != Durability::none) [[unlikely]] {
    return refuse_for_durability(*destination, parts, std::move(callback), {});
  }
  const std::size_t bytes = Payload::counted_bytes(parts);
  const Capacity::Answer answer = reserve(*destination, bytes);
  if (answer != Capacity::Answer::reserved) [[unlikely]] {
    return refuse(*destination, answer, parts, std::move(callback), {});
  }
  Record* record = nullptr;
  try {
    const MessageId id = Payload::has_own_id(parts) ? MessageId() : next_message_id(destination->lane->unix_ms());
    record = Record::make(*destination, parts, bytes, id, std::move(callback));
  } catch (...) {
    destination->capacity.release(1, bytes);
    throw;
  }
  Delivery delivery = record->handle();
  destination->lane->push(*record);
  return delivery;
}

Delivery Dispatcher::fire(std::string_view name, const MessageParts& parts, DeliveryCallback&& callback,
                          FireOrigin& origin) {
  const ReadSection reading;
  Destination* const destination = find(name);
  if (destination == nullptr) return refuse_unknown(name, parts, std::move(callback), origin);
  return fire(*destination, parts, std::move(callback), origin);
}

Delivery Dispatcher::fire(Destination& destination, const MessageParts& parts, DeliveryCallback&& callback,
                          FireOrigin& origin) {
  const std::size_t bytes = Payload::counted_bytes(parts);
  const bool in_scope = origin.scope != nullptr;
  if (destination.durability > (in_scope ? Durability::commit : Durability::none)) [[unlikely]] {
    return refuse_for_durability(destination, parts, std::move(callback), origin);
  }
  const Capacity::Answer answer = reserve(destination, bytes, in_scope);
  if (answer != Capacity::Answer::reserved) return refuse(destination, answer, parts, std::move(callback), origin);
  Record* record = nullptr;
  try {
    if (origin.first != nullptr) {
      record = Record::share(destination, *origin.first, std::move(callback));
    } else {
      const MessageId id = origin.id != nullptr ? *origin.id : next_message_id(destination.lane->unix_ms());
      record = Record::make(destination, parts, bytes, id, std::move(callback));
    }
  } catch (...) {
    in_scope ? destination.capacity.release_in_scope(1, bytes) : destination.capacity.release(1, bytes);
    throw;
  }
  if (origin.shared && origin.first == nullptr) {
    record->write_id();  // before any lane can see it
    origin.first = record;
  }
  record->observer = origin.observer;
  Delivery delivery = record->handle();
  if (in_scope) {
    record->scope_thread.store(this_thread(), std::memory_order_relaxed);
    origin.scope->push_newest(*record);
  } else {
    destination.lane->push(*record);
  }
  return delivery;
}

Capacity::Answer Dispatcher::offer(Destination& destination, const MessageParts& parts, OutcomeObserver& observer) {
  const std::size_t bytes = Payload::counted_bytes(parts);
  if (is_in_child()) return Capacity::Answer::closed;
  if (bytes > largest_message) return Capacity::Answer::too_large;
  const Capacity::Answer answer = destination.capacity.reserve(bytes, /*slack=*/false);
  if (answer != Capacity::Answer::reserved) return answer;
  Record* record = nullptr;
  try {
    record = Record::make(destination, parts, bytes, MessageId(), {});
  } catch (...) {
    destination.capacity.release(1, bytes);
    throw;
  }
  record->observer = &observer;
  record->durable = true;
  record->drop_reference();  // nobody waits for it
  destination.lane->push(*record);
  return answer;
}

Delivery Dispatcher::fire(std::string_view name, const MessageParts& parts, DeliveryCallback&& callback,
                          RecordList& scope) {
  FireOrigin origin{.scope = &scope};
  return fire(name, parts, std::move(callback), origin);
}

std::string Dispatcher::why_unknown(std::string_view name) const {
  std::set<std::string, std::less<>> known;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = incomplete_.find(name); found != incomplete_.end()) return found->second;
    // It takes half a microsecond for each name, and the hook waits for it.
    if (destinations_.size() <= most_names_compared) {
      for (const auto& destination : destinations_) known.insert(destination->name);
    }
  }
  const std::string question = did_you_mean(name, known);
  return "no destination is named '" + std::string(name) + "' in the configuration" +
         (question.empty() ? "" : ". " + question);
}

Delivery Dispatcher::refuse_unknown(std::string_view name, const MessageParts& parts, DeliveryCallback&& callback,
                                    const FireOrigin& origin) {
  if (is_in_child()) {
    return refuse(nullptr, name, parts, std::move(callback), origin, {StatusCode::closed, in_child_text});
  }
  unknown_broker_.fetch_add(1, std::memory_order_relaxed);
  return refuse(nullptr, name, parts, std::move(callback), origin, {StatusCode::not_found, why_unknown(name)});
}

/// Waits for capacity, but not on a lane's thread of this dispatcher, which would have to release some meanwhile.
Capacity::Answer Dispatcher::block(Destination& destination, std::size_t bytes, bool in_scope) const {
  Capacity::Answer answer = Capacity::Answer::full;
  if (on_lane_thread_of(*callbacks_)) return answer;
  const TimePoint deadline = later(std::min<std::chrono::milliseconds>(destination.config->max_block, longest_wait));
  while (answer == Capacity::Answer::full && Clock::now() < deadline) {
    destination.capacity.wait(deadline);
    answer = reserve_now(destination, bytes, in_scope);
    // The reload may be waiting for this fire, and capacity is released when the reload is done.
    if (answer == Capacity::Answer::full && !in_scope && destination.is_settling.load(std::memory_order_relaxed) &&
        destination.capacity.take_beyond_limits(1, bytes)) {
      return Capacity::Answer::reserved;
    }
  }
  return answer;
}

/// A fire that got no capacity.
Delivery Dispatcher::refuse(Destination& destination, Capacity::Answer answer, const MessageParts& parts,
                            DeliveryCallback&& callback, const FireOrigin& origin) {
  const std::string& name = destination.name;
  const std::size_t bytes = Payload::counted_bytes(parts);
  const auto with = [&](StatusCode code, std::string text) {
    return refuse(&destination, name, parts, std::move(callback), origin, {code, std::move(text)});
  };
  if (is_in_child()) {
    return refuse(nullptr, name, parts, std::move(callback), origin, {StatusCode::closed, in_child_text});
  }
  switch (answer) {
    case Capacity::Answer::closed:
      return with(StatusCode::closed, "fired at '" + name + "' after close()");
    case Capacity::Answer::too_large:
      if (bytes > largest_message) return with(StatusCode::too_large, "messages of over 1 GiB cannot be sent");
      return with(StatusCode::too_large, "a message of " + std::to_string(bytes) + " bytes can never fit '" + name +
                                             "'; raise params.max_queued_bytes");
    default:
      return with(StatusCode::queue_full, text_of_full(destination));
  }
}

/// A fire that promises less than the destination asks for.
Delivery Dispatcher::refuse_for_durability(Destination& destination, const MessageParts& parts,
                                           DeliveryCallback&& callback, const FireOrigin& origin) {
  if (is_in_child()) return refuse(destination, Capacity::Answer::closed, parts, std::move(callback), origin);
  const bool wants_outbox = destination.durability == Durability::outbox;
  return refuse(destination, parts, std::move(callback), origin,
                {StatusCode::invalid_argument,
                 "'" + destination.name + "' takes no message from here: its params.durability is '" +
                     (wants_outbox ? "outbox'; fire in the transaction of an outbox (PgTransaction, SqliteTransaction)"
                                   : "commit'; fire in a commit scope, or in the transaction of an outbox")});
}

/// An outcome that is known at once: no lane has to do with it. nullptr: of no destination.
Delivery Dispatcher::refuse(Destination* destination, std::string_view name, const MessageParts& parts,
                            DeliveryCallback&& callback, const FireOrigin& origin, Status status) {
  const auto callbacks = callbacks_;  // a callback may destroy the dispatcher
  // The message itself is kept for on_failure only; else its id is enough.
  Message only_id;
  if (Payload::has_own_id(parts)) only_id.id = parts.rest->id;
  const std::size_t bytes = Payload::counted_bytes(parts);
  const bool whole = callbacks->hears_failures() && bytes <= largest_message;
  const MessageParts kept = whole ? parts : MessageParts{{}, &only_id};
  Record* const record = Record::make(
      destination != nullptr ? *destination : *nowhere_, kept, whole ? bytes : Payload::counted_bytes(kept),
      origin.id != nullptr ? *origin.id : next_message_id(coarse_unix_ms()), std::move(callback));
  record->observer = origin.observer;
  if (destination != nullptr) {
    destination->refused[static_cast<std::size_t>(status.code())].fetch_add(1, std::memory_order_relaxed);
  }
  record->drop_reference();  // the lane's
  Delivery delivery = record->handle();
  record->write_id();
  auto report = std::make_unique<DeliveryReport>();
  report->status = std::move(status);
  report->broker = name;
  report->message_id = record->id();
  if (origin.observer != nullptr) report->trigger = origin.observer->trigger();
  record->report = std::move(report);
  record->set_done();
  if (origin.observer != nullptr) {
    origin.observer->resolved(*record, record->report->status.code(), Persistence::not_persisted);
  }
  callbacks->run(*record, *record->report);
  return delivery;
}

std::vector<std::shared_ptr<Lane>> Dispatcher::lanes() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Lane>> all = ended_lanes_;
  for (const LaneEntry& entry : lanes_) all.push_back(entry.lane);
  return all;
}

// ------------------------------------------------------------------------------- flush, connections, close

bool Dispatcher::flush(std::chrono::nanoseconds timeout) {
  refuse_on_lane_thread_of(*callbacks_, "TriggerDispatcher::flush");
  refuse_inside_fire("TriggerDispatcher::flush");
  if (is_in_child()) return false;
  const TimePoint deadline = later(timeout);
  const auto all = lanes();
  const auto progress = std::make_shared<FlushProgress>(all.size());
  for (const auto& lane : all) {
    auto barrier = std::make_unique<LaneFlush>(progress);
    if (lane->push(*barrier)) {
      static_cast<void>(barrier.release());  // the lane's now
    } else {
      progress->lane_done();
    }
  }
  return progress->wait_until(deadline);
}

bool Dispatcher::wait_until_connected(std::chrono::nanoseconds timeout) {
  refuse_on_lane_thread_of(*callbacks_, "TriggerDispatcher::wait_until_connected");
  if (is_in_child()) return false;
  const TimePoint deadline = later(timeout);
  std::vector<std::shared_ptr<Lane>> all;
  {
    const std::lock_guard lock(mutex_);
    for (const LaneEntry& entry : lanes_) all.push_back(entry.lane);
  }
  return std::all_of(all.begin(), all.end(), [&](const auto& lane) { return lane->wait_until_connected(deadline); });
}

bool Dispatcher::wait_until_connected(std::string_view name, std::chrono::nanoseconds timeout) {
  refuse_on_lane_thread_of(*callbacks_, "TriggerDispatcher::wait_until_connected");
  if (is_in_child()) return false;
  std::shared_ptr<Lane> lane;
  {
    const std::lock_guard lock(mutex_);
    const Destination* const destination = find(name);  // which nobody can remove meanwhile
    if (destination != nullptr) lane = destination->lane->shared_from_this();
  }
  if (lane == nullptr) throw std::invalid_argument(why_unknown(name));
  return lane->wait_until_connected(later(timeout));
}

CloseReport Dispatcher::close(std::chrono::nanoseconds timeout) {
  refuse_on_lane_thread_of(*callbacks_, "TriggerDispatcher::close");
  if (is_in_child()) return {};
  return end(timeout);
}

CloseReport Dispatcher::end(std::chrono::nanoseconds timeout) {
  Lane::Destinations destinations;
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    is_first = !std::exchange(closed_, true);
    destinations = destinations_;
    destinations.insert(destinations.end(), removed_.begin(), removed_.end());
  }
  const TimePoint deadline = later(timeout);
  auto all = lanes();
  if (is_first) {
    // What a removal has ended before is not this close's to count.
    std::erase_if(all, [](const auto& lane) { return lane->wait_until_ended(Clock::now()); });
    for (const auto& lane : all) lane->begin_close(deadline, /*all=*/true);
  }
  CloseReport report;
  for (const auto& destination : destinations) report.in_open_scopes += destination->capacity.messages_in_scopes();
  for (const auto& lane : all) {
    if (!on_lane_thread_of(*callbacks_)) lane->wait_until_ended(is_first ? deadline + grace_after_close : deadline);
    if (is_first) {
      report.delivered += lane->close_counts().delivered.get();
      report.failed += lane->close_counts().failed.get();
    }
    for (const auto& destination : destinations) {
      if (destination->lane != lane.get()) continue;
      report.unfinished += destination->unreported();
      const std::size_t abandoned = is_first ? destination->counters.abandoned_at_close.get() : 0;
      if (abandoned == 0) continue;
      report.abandoned += abandoned;
      report.abandoned_by_broker[destination->name] += abandoned;
    }
  }
  return report;
}

}  // namespace action_triggers::detail
