// SPDX-License-Identifier: MIT
// RelayCore: what it sends, and what becomes of it.
#include <algorithm>

#include "outbox/relay_core.hpp"
#include "outbox/row_targets.hpp"

namespace action_triggers::detail {

DestinationFlow& RelayCore::flow_of(std::uint32_t destination) {
  const auto known = flows_.find(destination);
  if (known != flows_.end()) return known->second;
  return flows_.try_emplace(destination, outlet_.destination(destination), settings_.room).first->second;
}

/// A row that has been read is sent to those of its targets that have not had it, and that are ready for it.
RelayCore::Offer RelayCore::offer(TimePoint now, const OutboxRow& row) {
  HeldRow* held = rows_.find(row.id);
  if (held != nullptr && (held->is_leaving || !(held->has_unsent() || held->is_stale))) return Offer::taken;
  const RowTargets targets = outlet_.targets_of(row);
  if (held != nullptr) {
    // Sent under another configuration: when that is over, the sweep finds it.
    if (held->fingerprint != targets.fingerprint || held->destinations != targets.destinations) return Offer::taken;
    rows_.learn(*held, row, targets.fingerprint, now);
    held = rows_.find(row.id);
    if (held != nullptr && held->is_leaving) return Offer::taken;
  }
  if (held == nullptr && goes_nowhere(now, row, targets)) return Offer::taken;
  for (std::uint32_t bit = 0; bit < targets.destinations.size(); ++bit) {
    if (is_for_one() && targets.destinations[bit] != reading_for_) continue;
    if (is_unsent(row, targets, bit) && offer_to(now, row, targets, bit) == Offer::full) return Offer::full;
  }
  return Offer::taken;
}

bool RelayCore::is_unsent(const OutboxRow& row, const RowTargets& targets, std::uint32_t bit) {
  if (const HeldRow* const held = rows_.find(row.id)) return held->states[bit] == TargetState::unsent;
  return bit >= most_done_bits || (done_bits(row.done, targets.fingerprint) >> bit & 1) == 0;
}

/// Whether the destination has yet to confirm it.
bool RelayCore::is_needed(const OutboxRow& row, std::uint32_t destination) {
  const HeldRow* const held = rows_.find(row.id);
  if (held != nullptr && held->is_leaving) return false;
  const RowTargets targets = outlet_.targets_of(row);
  for (std::uint32_t bit = 0; bit < targets.destinations.size(); ++bit) {
    if (targets.destinations[bit] != destination) continue;
    if (held != nullptr && bit < held->states.size() && held->states[bit] != TargetState::settled) return true;
    if (held == nullptr && is_unsent(row, targets, bit)) return true;
  }
  return false;
}

/// True: it leaves the table without being sent.
bool RelayCore::goes_nowhere(TimePoint now, const OutboxRow& row, const RowTargets& targets) {
  DeadRow dead;
  dead.id = row.id;
  dead.created_at = row.created_at;
  dead.destination = row.target;
  if (guard_.is_poisoned(row.id)) {
    dead.status = "poisoned";
    dead.text = "the relay's process ended " + std::to_string(HeadGuard::most_deaths) +
                " times in a row just after this message was sent";
    rows_.bury_whole(std::move(dead));
    return true;
  }
  if (!targets.status.ok()) {
    dead.status = to_string(targets.status.code());
    dead.text = targets.status.message();
    rows_.bury_whole(std::move(dead));
    return true;
  }
  for (std::uint32_t bit = 0; bit < targets.destinations.size(); ++bit) {
    if (is_unsent(row, targets, bit)) return false;
  }
  rows_.leave(row, now);
  return true;
}

RelayCore::Offer RelayCore::offer_to(TimePoint now, const OutboxRow& row, const RowTargets& targets,
                                     std::uint32_t bit) {
  const std::uint32_t destination = targets.destinations[bit];
  DestinationFlow& flow = flow_of(destination);
  if (reading_ == Reading::stopped) {
    send(now, row, targets, bit, flow);
    return Offer::taken;
  }
  if (!flow.stops.holds_all() && flow.stops.holds(row)) return Offer::taken;  // found again when its key goes on
  if (flow.is_behind() && reading_ != Reading::behind) {
    if (row.id <= flow.cursor()) flow.fall_behind(id_before(row.id));  // a late one
    return Offer::taken;
  }
  if (send(now, row, targets, bit, flow)) return Offer::taken;
  if (reading_ == Reading::behind) return Offer::full;
  if (reading_ == Reading::common && row.id > position_ && flow.is_worth_waiting_for(now)) {
    waits_for_ = destination;
    waits_until_ = now + DestinationFlow::patience;
    return Offer::full;
  }
  flow.fall_behind(id_before(row.id));
  return Offer::taken;
}

bool RelayCore::send(TimePoint now, const OutboxRow& row, const RowTargets& targets, std::uint32_t bit,
                     DestinationFlow& flow) {
  const std::size_t bytes = room_of(row);
  if (flow.stops.holds_all() && reading_ != Reading::stopped) return false;
  if (!flow.has_room(bytes, now)) {
    flow.is_full_for(bytes);
    return false;
  }
  HeldRow* held = rows_.find(row.id);
  if (held == nullptr) held = &rows_.hold(row, targets);
  if (!outlet_.send(row, bit, targets.destinations[bit])) {
    flow.refused(now);
    rows_.not_sent(*held, now);
    return false;
  }
  if (flow.destination().on_dead == OnDead::stop_key) held->key = row.key;
  rows_.sent(*held, bit);
  flow.took(held->bytes);
  if (reading_ != Reading::stopped && row.id <= last_inherited_) put_on_trial(now, row, flow);
  return true;
}

/// For all that is known, another owner has found it dead.
void RelayCore::put_on_trial(TimePoint now, const OutboxRow& row, DestinationFlow& flow) {
  const OnDead on_dead = flow.destination().on_dead;
  if (on_dead == OnDead::stop && flow.stops.try_all(row.id, now)) flow.fall_behind(row.id);
  if (on_dead == OnDead::stop_key && row.key) flow.stops.try_key(*row.key, row.id, now);
}

// ------------------------------------------------------------------------------------------------------------ outcomes

void RelayCore::outcome(TimePoint now, std::int64_t row, std::uint32_t bit, const RowOutcome& outcome) {
  HeldRow* const held = rows_.find(row);
  if (held == nullptr || bit >= held->states.size() || held->states[bit] != TargetState::in_flight) return;
  DestinationFlow& flow = flows_.at(held->destinations[bit]);
  flow.gave_back(held->bytes);
  if (outcome.code == StatusCode::ok) {
    flow.confirmed();
    resume(flow, row);
    rows_.confirmed(*held, bit, now);
  } else if (outcome.code == StatusCode::closed) {
    flow.closed(row, now);
    flow.stops.end_trial(row);
    rows_.unsent(*held, bit, now);
  } else {
    died(now, *held, bit, outcome);
  }
}

void RelayCore::died(TimePoint now, HeldRow& row, std::uint32_t bit, const RowOutcome& outcome) {
  DestinationFlow& flow = flows_.at(row.destinations[bit]);
  if (!lease_) return rows_.unsent(row, bit, now);  // the next owner finds it out as well
  const OnDead on_dead = flow.destination().on_dead;
  if (on_dead == OnDead::skip || (on_dead == OnDead::stop_key && !row.key)) {
    resume(flow, row.id);
    DeadRow dead;
    dead.id = row.id;
    dead.created_at = row.created_at;
    dead.status = to_string(outcome.code);
    dead.text = outcome.text;
    dead.attempts = outcome.attempts;
    dead.destination = flow.destination().name;
    return rows_.died(row, bit, std::move(dead), now);
  }
  if (on_dead == OnDead::stop || !flow.stops.stop_key(*row.key, row.id, now)) {
    flow.stops.stop_all(row.id, now);
    flow.fall_behind(row.id);
  }
  rows_.unsent(row, bit, now);
}

void RelayCore::resume(DestinationFlow& flow, std::int64_t row) {
  if (flow.stops.resume(row)) flow.fall_behind(id_before(row));  // it may go there twice
}

}  // namespace action_triggers::detail
