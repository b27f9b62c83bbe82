// SPDX-License-Identifier: MIT
#include "outbox/dispatcher_outlet.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "action_triggers/clock.hpp"
#include "dispatch/destination.hpp"
#include "dispatch/lane.hpp"
#include "outbox/row_targets.hpp"
#include "triggers/emitter.hpp"
#include "triggers/event_pattern.hpp"
#include "triggers/trigger_config.hpp"
#include "triggers/trigger_counters.hpp"

namespace action_triggers::detail {
namespace {

/// What is in flight for so long without a confirmation is held up by something.
constexpr std::chrono::seconds patience{1};

bool is_event(const OutboxRow& row) { return row.target.starts_with(event_prefix); }
std::string_view event_of(const OutboxRow& row) { return std::string_view(row.target).substr(event_prefix.size()); }

/// Two configurations of one destination have the same identity, and two targets with the same params.
std::string identity_of(const BrokerConfig& config, bool is_findable) {
  if (is_findable) return config.name;
  const auto address = reinterpret_cast<std::uintptr_t>(&config);  // one that was made by hand has no source
  return config.name + "\n" + (config.source.empty() ? std::to_string(address) : config.source);
}

/// Those that its row cannot note would be sent again, and buried again, as long as another one waits.
Status too_many_targets(std::string_view event, std::size_t count) {
  return {StatusCode::invalid_argument, "the event '" + std::string(event) + "' has " + std::to_string(count) +
                                            " targets, and one of an outbox can have " +
                                            std::to_string(most_done_bits) +
                                            ": let some of them have an event of their own"};
}

std::string identity_of(const TargetConfig& target) {
  return target.derived == nullptr ? target.broker : identity_of(*target.derived, false);
}

}  // namespace

DispatcherOutlet::DispatcherOutlet(DispatcherAccess access, std::shared_ptr<OfferBox> box, const std::string& outbox_id,
                                   std::uint32_t most_rejections)
    : access_(access), box_(std::move(box)), most_rejections_(most_rejections), reader_(outbox_id) {}

std::uint64_t DispatcherOutlet::begin_turn() {
  destinations_ = &access_.dispatcher().table();
  table_ = &Emitter::table_of(*destinations_);
  functions_ = access_.emitter().functions();
  read_ = found_ = RowInTurn();  // rows stay where they are for a turn only
  return (table_->generation() << 32U) + (functions_ == nullptr ? 0 : functions_->generation);
}

std::uint32_t DispatcherOutlet::number_of(const std::string& identity, const std::string& name) {
  const auto [found, is_new] = numbers_.try_emplace(identity, static_cast<std::uint32_t>(entries_.size()));
  if (is_new) entries_.push_back({.name = name, .identity = identity});
  return found->second;
}

const MessageParts& DispatcherOutlet::parts_of(const OutboxRow& row) {
  if (read_ == RowInTurn(row)) return parts_;
  read_ = found_ = RowInTurn();  // targets_ look at the message that the reader has
  parts_ = reader_.read(row);
  read_ = RowInTurn(row);
  return parts_;
}

void DispatcherOutlet::find_targets(const OutboxRow& row) {
  if (found_ == RowInTurn(row)) return;
  found_ = RowInTurn();
  const MessageParts& parts = parts_of(row);
  targets_.find(*table_, functions_,
                {.name = event_of(row),
                 .id = parts.rest->id,
                 .time = std::chrono::floor<std::chrono::milliseconds>(row.created_at),
                 .body = parts.body,
                 .message = parts.rest});
  found_ = RowInTurn(row);
}

// ------------------------------------------------------------------------------------------------------- where it goes

RowTargets DispatcherOutlet::targets_of(const OutboxRow& row) {
  try {
    if (is_event(row)) return targets_of_event(row);
    static_cast<void>(parts_of(row));
  } catch (const RowError& error) {
    return {.status = {StatusCode::invalid_argument, error.what()}, .destinations = {}};
  }
  const std::string names[] = {row.target};
  return {.status = {}, .destinations = {number_of(row.target, row.target)}, .fingerprint = fingerprint_of(names)};
}

RowTargets DispatcherOutlet::targets_of_event(const OutboxRow& row) {
  find_targets(row);
  const std::size_t count = targets_.targets().size();
  if (count > most_done_bits) return {.status = too_many_targets(event_of(row), count), .destinations = {}};
  RowTargets result;
  std::vector<std::string> names;
  for (const EventTargets::Target& target : targets_.targets()) {
    const Destination* const destination = target.destination;
    const std::string name(target.destination_name);
    const std::string identity =
        destination == nullptr ? name : identity_of(*destination->config, destination->findable);
    result.destinations.push_back(number_of(identity, name));
    names.push_back(target.counters->name() + "\n" + std::to_string(target.index) + "\n" + identity);
  }
  result.fingerprint = fingerprint_of(names);
  if (!names.empty()) return result;
  if (targets_.is_unmatched()) access_.emitter().count_unmatched(event_of(row));
  for (TriggerCounters* const counters : targets_.filtered()) counters->count_filtered();
  return result;
}

RelayDestination DispatcherOutlet::destination(std::uint32_t number) {
  const Entry& entry = entries_[number];
  const auto config = access_.config();
  RelayDestination result;
  result.name = entry.name;
  const bool is_findable = entry.identity == entry.name;
  if (is_findable) {
    result.row_targets.push_back(entry.name);
    if (const BrokerConfig* const broker = config->find(entry.name)) result.on_dead = broker->on_dead;
  }
  if (functions_ != nullptr) {  // they may send any event anywhere
    result.row_targets.clear();
    return result;
  }
  const auto* const triggers = config->section<TriggersConfig>();
  if (triggers == nullptr) return result;
  for (const TriggerConfig& trigger : triggers->triggers) {
    const auto goes_here = [&](const TargetConfig& target) { return identity_of(target) == entry.identity; };
    const auto target = std::find_if(trigger.targets.begin(), trigger.targets.end(), goes_here);
    if (!trigger.active || target == trigger.targets.end()) continue;
    if (!is_findable) result.on_dead = target->derived->on_dead;
    if (std::any_of(trigger.events.begin(), trigger.events.end(), has_wildcards)) {
      result.row_targets.clear();  // anything
      return result;
    }
    for (const std::string& event : trigger.events) result.row_targets.push_back(std::string(event_prefix) + event);
  }
  return result;
}

// ------------------------------------------------------------------------------------------------------------- sending

bool DispatcherOutlet::send(const OutboxRow& row, std::uint32_t bit, std::uint32_t number) {
  if (is_event(row)) return send_event(row, bit, number);
  Entry& entry = entries_[number];
  Destination* const destination = destinations_->find(entry.name);
  entry.is_unknown = destination == nullptr;
  if (destination == nullptr) return false;
  const Offer::Row where{.shard = row.shard, .id = row.id, .bit = bit, .destination = number};
  return offer(*destination, parts_of(row), Offer::make(box_, where, nullptr, most_rejections_));
}

bool DispatcherOutlet::send_event(const OutboxRow& row, std::uint32_t bit, std::uint32_t number) {
  find_targets(row);
  if (bit >= targets_.targets().size()) return false;
  const EventTargets::Target& target = targets_.targets()[bit];
  EventTargets::Made made = targets_.make(target);
  Destination* destination = target.destination;
  if (destination == nullptr) {
    destination = destinations_->find(target.destination_name);
    entries_[number].is_unknown = destination == nullptr && made.status.ok();
    if (entries_[number].is_unknown) return false;
  }
  const Offer::Row where{.shard = row.shard, .id = row.id, .bit = bit, .destination = number};
  Offer& one = Offer::make(box_, where, target.counters, most_rejections_);
  if (!made.status.ok()) {
    refuse(destination, parts_of(row), one, std::move(made.status));
  } else if (!offer(*destination, made.parts, one)) {
    return false;
  }
  count_event(bit);
  return true;
}

/// As emit() does, once an event: what is matched with the first message of a trigger, what is filtered with the first
/// message of all.
void DispatcherOutlet::count_event(std::uint32_t bit) {
  const auto& targets = targets_.targets();
  if (bit == 0 || targets[bit - 1].counters != targets[bit].counters) targets[bit].counters->count_matched();
  if (bit != 0) return;
  for (TriggerCounters* const counters : targets_.filtered()) counters->count_filtered();
}

/// False: there is no room, or the destination is about to go.
bool DispatcherOutlet::offer(Destination& destination, const MessageParts& parts, Offer& one) {
  Capacity::Answer answer = Capacity::Answer::full;
  try {
    answer = access_.dispatcher().offer(destination, parts, one);
  } catch (const std::bad_alloc&) {
    // Later, then.
  }
  if (answer == Capacity::Answer::too_large) {
    refuse(
        &destination, parts, one,
        {StatusCode::too_large, "a message of " + std::to_string(Payload::counted_bytes(parts)) +
                                    " bytes can never fit '" + destination.name + "'; raise params.max_queued_bytes"});
    return true;
  }
  if (answer != Capacity::Answer::reserved) {
    one.give_up();
    return false;
  }
  ++sent_;
  Entry& entry = entries_[one.row.destination];
  if (entry.in_flight++ == 0) entry.last_progress = Clock::now();
  return true;
}

/// Its outcome is known: it arrives in the box as any other does. `destination`: nullptr: there would be none.
void DispatcherOutlet::refuse(Destination* destination, const MessageParts& parts, Offer& one, Status status) {
  ++entries_[one.row.destination].in_flight;
  const FireOrigin origin{.observer = &one, .id = nullptr};
  Dispatcher& dispatcher = access_.dispatcher();
  static_cast<void>(destination != nullptr ? dispatcher.refuse(*destination, parts, {}, origin, std::move(status))
                                           : dispatcher.refuse(parts, {}, origin, std::move(status)));
  one.has_no_lane();
}

void DispatcherOutlet::heard_of(const Offer& offer, TimePoint now) {
  Entry& entry = entries_[offer.row.destination];
  --entry.in_flight;
  entry.last_progress = now;
}

std::string DispatcherOutlet::why_held(std::uint32_t number, TimePoint now) const {
  const Entry& entry = entries_[number];
  if (entry.is_unknown) return access_.dispatcher().why_unknown(entry.name);
  if (entry.in_flight == 0 || now - entry.last_progress < patience) return {};
  const Destination* const destination = destinations_->find(entry.name);
  if (destination == nullptr) return "the broker has confirmed nothing for a while";
  std::string why = destination->failures().text;
  if (why.empty()) why = destination->lane->connection_error();
  return why.empty() ? "the broker has confirmed nothing for a while" : why;
}

}  // namespace action_triggers::detail
