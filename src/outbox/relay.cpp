// SPDX-License-Identifier: MIT
#include "outbox/relay.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "base/message_id.hpp"
#include "base/random_seed.hpp"
#include "dispatch/callbacks.hpp"
#include "outbox/storable_text.hpp"
#include "triggers/emitter.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::chrono::milliseconds longest_sleep{60'000};
constexpr std::size_t longest_text = 2'000;  // bytes, of a dead letter's reason
constexpr std::chrono::milliseconds publishing_pause{100};
constexpr std::size_t most_ages_beyond = 10'000;      // known of rows that are not in hand any more
constexpr std::chrono::seconds grace_after_close{2};  // for the table to be told, and the shards to be given back

std::string new_owner() {
  std::string text(MessageId::text_size, '\0');
  next_message_id(coarse_unix_ms()).write_text(text.data());
  return text;
}

RelaySettings settings_of(const OutboxConfig& config, std::int32_t shard, const std::string& owner) {
  return {.shard = shard,
          .owner = owner,
          .lease = config.lease,
          .batch = config.batch,
          .poll_min = config.poll_min,
          .poll_max = config.poll_max,
          .room = {.rows = 2 * config.batch},
          .seed = random_seed()};
}

std::string name_of(std::int32_t shard) { return "shard " + std::to_string(shard) + " of the outbox"; }

}  // namespace

Relay::Relay(DispatcherAccess access, const OutboxConfig& config, std::unique_ptr<OutboxStore> store,
             const OutboxInfo& info)
    : access_(access),
      outbox_id_(info.outbox_id),
      store_(std::move(store)),
      outlet_(access, box_, info.outbox_id, config.max_attempts) {
  const std::string owner = new_owner();
  const std::uint64_t generation = DispatcherOutlet::Turn(outlet_).generation();
  for (std::int32_t shard = 0; shard < info.shards; ++shard) {
    shards_.push_back(std::make_unique<Shard>(settings_of(config, shard, owner), outlet_, generation));
  }
  thread_ = Thread("at-outbox", [this] { run(); });
}

Relay::~Relay() {
  close(Clock::now());
  box_->close();
}

void Relay::committed() noexcept {
  if (!has_committed_.exchange(true, std::memory_order_acq_rel)) box_->wake_up.wake();
}

bool Relay::wait_until_empty(TimePoint deadline) {
  const TimePoint from = Clock::now();
  std::unique_lock lock(mutex_);
  ++waiting_;
  committed();
  const auto is_over = [&] { return has_ended_ || empty_at_ >= from; };
  while (!is_over() && changed_.wait_until(lock, deadline) != std::cv_status::timeout) {
  }
  --waiting_;
  return !has_ended_ && empty_at_ >= from;
}

void Relay::close(TimePoint deadline) {
  {
    const std::lock_guard lock(mutex_);
    close_by_ = std::min(close_by_, deadline);
  }
  is_closing_.store(true, std::memory_order_release);
  box_->wake_up.wake();
  const std::lock_guard lock(join_mutex_);
  if (thread_.joinable()) thread_.join();
}

OutboxStats Relay::stats() const {
  OutboxStats stats;
  {
    const std::lock_guard lock(mutex_);
    stats = known_;
  }
  delays_.add_to(stats.delay);
  return stats;
}

// --------------------------------------------------------------------------------------------------------- the thread

void Relay::run() {
  const auto all_finished = [this] {
    return std::all_of(shards_.begin(), shards_.end(), [](const auto& shard) { return shard->is_finished; });
  };
  while (!all_finished()) {
    begin_round();
    TimePoint until = TimePoint::max();
    for (const auto& shard : shards_) until = std::min(until, step(*shard));
    const TimePoint now = Clock::now();
    publish(until > now);
    TimePoint close_by;
    {
      const std::lock_guard lock(mutex_);
      close_by = close_by_;
    }
    if (is_stopped_ && now >= close_by && !std::exchange(is_abandoned_, true)) abandon();
    if (is_stopped_ && now - close_by >= grace_after_close) break;
    if (is_stopped_) until = std::min(until, is_abandoned_ ? close_by + grace_after_close : close_by);
    if (until > now) sleep_until(until);
  }
  publish(true);
  const std::lock_guard lock(mutex_);
  has_ended_ = true;
  changed_.notify_all();
}

/// Passes on what other threads have said.
void Relay::begin_round() {
  box_->wake_up.clear();  // first: what is said from here on wakes it again
  if (is_closing_.load(std::memory_order_acquire) && !std::exchange(is_stopped_, true)) {
    for (const auto& shard : shards_) shard->core.stop();
  }
  if (has_committed_.exchange(false, std::memory_order_acq_rel)) {
    for (const auto& shard : shards_) shard->core.committed();
  }
  hear_outcomes();
}

/// Calls `call(core, now)` with one configuration, which the core knows.
template <class Call>
auto Relay::in_turn(Shard& shard, const Call& call) {
  const DispatcherOutlet::Turn turn(outlet_);
  const TimePoint now = Clock::now();
  if (std::exchange(shard.generation, turn.generation()) != turn.generation()) shard.core.configuration_changed(now);
  return call(shard.core, now);
}

void Relay::hear_outcomes() {
  const TimePoint now = Clock::now();
  box_->take_all([&](const Offer& offer) {
    outlet_.heard_of(offer, now);
    Shard& shard = *shards_[static_cast<std::size_t>(offer.row.shard)];
    in_turn(shard,
            [&](RelayCore& core, TimePoint at) { core.outcome(at, offer.row.id, offer.row.bit, offer.outcome); });
  });
}

/// One action of a shard. Returns when it has the next one.
TimePoint Relay::step(Shard& shard) {
  if (shard.is_finished) return TimePoint::max();
  try {
    RelayAction action = in_turn(shard, [](RelayCore& core, TimePoint now) { return core.next(now); });
    if (const auto* const wait = std::get_if<WaitUntil>(&action)) return wait->until;
    shard.is_finished = std::holds_alternative<RelayFinished>(action);
    std::visit([&](auto& what) { carry_out(shard, std::move(what)); }, action);
    // That it can be opened does not mean that it can be used: a full disk can be opened.
    const bool is_asked =
        !std::holds_alternative<RelayFinished>(action) && !std::holds_alternative<ReopenStore>(action);
    if (is_asked) store_works();
  } catch (const std::exception& error) {
    store_failed(shard, error.what());
  }
  log_ownership(shard);
  return TimePoint::min();
}

void Relay::sleep_until(TimePoint until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
  const auto timeout = std::clamp<std::chrono::milliseconds>(left, std::chrono::milliseconds::zero(), longest_sleep);
  if (now_.last_error.empty()) {
    try {
      if (store_->wait(box_->wake_up.fd(), timeout)) has_committed_.store(true, std::memory_order_release);
      return;
    } catch (const StoreError& error) {
      now_.last_error = error.what();
      now_.last_error_since = WallTime::clock::now();
      log(LogLevel::error, "the outbox's database: " + now_.last_error);
    }
  }
  pollfd descriptor{.fd = box_->wake_up.fd(), .events = POLLIN, .revents = 0};
  ::poll(&descriptor, 1, static_cast<int>(timeout.count()));
}

/// Nobody waits any longer for what is in flight: it stays in the table.
void Relay::abandon() {
  for (const auto& shard : shards_) {
    std::vector<std::pair<std::int64_t, std::uint32_t>> in_flight;
    shard->core.held().for_each([&](const HeldRow& row) {
      for (std::uint32_t bit = 0; bit < row.states.size(); ++bit) {
        if (row.states[bit] == TargetState::in_flight) in_flight.emplace_back(row.id, bit);
      }
    });
    for (const auto& [id, bit] : in_flight) {
      in_turn(*shard, [id = id, bit = bit](RelayCore& core, TimePoint now) {
        core.outcome(now, id, bit, {.code = StatusCode::closed, .text = {}});
      });
    }
  }
}

// -------------------------------------------------------------------------------------------- what the cores ask for

void Relay::carry_out(Shard& shard, const ReopenStore& /*what*/) {
  // The shards share the session: what another one has opened since is a new one for this one, too.
  if (shard.session == session_) {
    const OutboxInfo info = store_->reopen();
    if (info.outbox_id != outbox_id_ || static_cast<std::size_t>(info.shards) != shards_.size()) {
      throw StoreError(
          "the outbox is another one than before, or has another number of shards; start the program anew");
    }
    ++session_;
  }
  shard.session = session_;
  in_turn(shard, [](RelayCore& core, TimePoint now) { core.reopened(now); });
}

void Relay::carry_out(Shard& shard, const AcquireLease& what) {
  const auto lease = store_->acquire(what.shard, what.owner, what.duration);
  if (!lease && !shard.is_refused)
    log(LogLevel::info, "another process sends " + name_of(shard.number) + "; this one waits");
  shard.is_refused = !lease;
  in_turn(shard, [&](RelayCore& core, TimePoint now) { core.acquired(now, lease); });
}

void Relay::carry_out(Shard& shard, const RenewLease& what) {
  const bool is_held = store_->renew(what.lease, what.duration, what.notes);
  in_turn(shard, [&](RelayCore& core, TimePoint now) { core.renewed(now, is_held); });
}

void Relay::carry_out(Shard& shard, const ReleaseLease& what) {
  store_->release(what.lease, what.notes);
  in_turn(shard, [](RelayCore& core, TimePoint now) { core.released(now); });
}

void Relay::carry_out(Shard& shard, const ReadRows& what) {
  const TimePoint asked = Clock::now();
  const ReadResult result = store_->read(what.request);
  in_turn(shard, [&](RelayCore& core, TimePoint now) { core.read_done(now, result); });
  note_ages(shard, result);
  const auto& ids = what.request.ids;
  const bool was_up_to_end =
      what.request.targets.empty() && !ids.empty() && ids.back().last == std::numeric_limits<std::int64_t>::max();
  const auto& flows = shard.core.flows();
  if (was_up_to_end && result.lease_is_held && result.is_complete && result.rows.empty() && shard.core.held().empty() &&
      std::none_of(flows.begin(), flows.end(), [](const auto& flow) { return flow.second.is_behind(); })) {
    shard.empty_at = asked;
  }
}

void Relay::carry_out(Shard& shard, const RemoveRows& what) {
  store_->remove(shard.number, what.ids, what.created);
  now_.removed += what.ids.size();
  note_delays(shard, what.ids);
  in_turn(shard, [](RelayCore& core, TimePoint now) { core.removed(now); });
}

void Relay::carry_out(Shard& shard, const SetDone& what) {
  store_->set_done(shard.number, what.done, what.created);
  in_turn(shard, [](RelayCore& core, TimePoint now) { core.done_set(now); });
}

void Relay::carry_out(Shard& shard, BuryRows what) {
  for (DeadRow& row : what.rows) {
    row.message_id = derived_message_id(outbox_id_, row.id, row.created_at);
    row.text = storable_text(row.text, longest_text);
  }
  store_->bury(shard.number, what.rows);
  now_.dead += what.rows.size();
  const DeadRow& first = what.rows.front();
  log(LogLevel::warning, std::to_string(what.rows.size()) + " of the outbox's messages are dead letters now; row " +
                             std::to_string(first.id) + " for '" + first.destination + "': " + first.status +
                             (first.text.empty() ? "" : ": " + first.text));
  in_turn(shard, [](RelayCore& core, TimePoint now) { core.buried(now); });
}

void Relay::store_failed(Shard& shard, const std::string& why) {
  if (now_.last_error.empty()) {
    log(LogLevel::error, "the outbox's database: " + why + (why.ends_with('.') ? " It" : "; it") + " is tried again");
    now_.last_error_since = WallTime::clock::now();
  }
  now_.last_error = why;
  in_turn(shard, [](RelayCore& core, TimePoint now) { core.store_failed(now); });
}

void Relay::store_works() {
  if (now_.last_error.empty()) return;
  now_.last_error.clear();
  now_.last_error_since = WallTime();
  log(LogLevel::info, "the outbox's database answers again");
}

// --------------------------------------------------------------------------------------------------- what others see

void Relay::log(LogLevel level, const std::string& text) const {
  access_.dispatcher().callbacks().log(level, "outbox", text);
}

void Relay::log_ownership(Shard& shard) {
  const bool is_owned = shard.core.lease().has_value();
  if (std::exchange(shard.is_owned, is_owned) == is_owned) return;
  published_at_ = TimePoint();
  log(LogLevel::info, is_owned ? "this process sends " + name_of(shard.number) + " from now on"
                               : "this process does not send " + name_of(shard.number) + " any more");
}

std::map<std::string, std::string, std::less<>> Relay::held_now(TimePoint now) {
  std::map<std::string, std::string, std::less<>> held;
  const DispatcherOutlet::Turn turn(outlet_);
  for (const auto& shard : shards_) {
    for (const auto& [number, flow] : shard->core.flows()) {
      std::string why = flow.stops.has_dead() ? "a message that was given up holds up those behind it (on_dead)"
                                              : outlet_.why_held(number, now);
      if (!why.empty()) held.emplace(outlet_.name_of(number), std::move(why));
    }
  }
  return held;
}

void Relay::log_held(const std::map<std::string, std::string, std::less<>>& held) {
  for (const auto& [name, why] : held) {
    if (!now_.held.contains(name)) log(LogLevel::warning, "the outbox's messages for '" + name + "' wait: " + why);
  }
  for (const auto& [name, why] : now_.held) {
    if (!held.contains(name)) log(LogLevel::info, "the outbox's messages for '" + name + "' go on");
  }
}

/// Of the rows that it has in its hands now; those that it had before are forgotten when they are too many.
void Relay::note_ages(Shard& shard, const ReadResult& result) {
  auto& known = shard.created_at;
  const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  for (const OutboxRow& row : result.rows) {
    if (row.created_at > no_time) known.emplace_hint(known.end(), row.id, std::min(row.created_at, now));
  }
  const HeldRows& held = shard.core.held();
  if (known.size() <= 2 * held.size() + most_ages_beyond) return;
  std::map<std::int64_t, decltype(OutboxRow::created_at)> still;
  held.for_each([&](const HeldRow& row) {
    const auto found = known.find(row.id);
    if (found != known.end()) still.insert(*found);
  });
  known = std::move(still);
}

void Relay::note_delays(const Shard& shard, const std::vector<std::int64_t>& removed) {
  const auto now = std::chrono::system_clock::now();
  for (const std::int64_t id : removed) {
    const auto known = shard.created_at.find(id);
    if (known != shard.created_at.end()) delays_.record(now - known->second);
  }
}

std::chrono::milliseconds Relay::oldest_age() {
  const auto now = std::chrono::system_clock::now();
  auto oldest = std::chrono::time_point_cast<std::chrono::microseconds>(now);
  for (const auto& shard : shards_) {
    const auto lowest = shard->core.held().lowest();
    if (!lowest) {
      shard->created_at.clear();
      continue;
    }
    shard->created_at.erase(shard->created_at.begin(), shard->created_at.lower_bound(*lowest));
    if (!shard->created_at.empty()) oldest = std::min(oldest, shard->created_at.begin()->second);
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(now - oldest);
}

void Relay::publish(bool is_idle) {
  const TimePoint now = Clock::now();
  if (now - published_at_ < publishing_pause && !is_idle) return;
  const bool is_due = now - published_at_ >= publishing_pause;
  TimePoint empty_at = TimePoint::max();
  now_.shards.clear();
  now_.in_hand = 0;
  now_.sent = outlet_.sent();
  for (const auto& shard : shards_) {
    now_.in_hand += shard->core.held().size();
    if (!shard->core.lease()) continue;
    now_.shards.push_back(shard->number);
    empty_at = std::min(empty_at, shard->empty_at);
  }
  if (is_due) {
    auto held = held_now(now);
    log_held(held);
    std::erase_if(now_.held_since, [&](const auto& one) { return !held.contains(one.first); });
    for (const auto& [name, why] : held) now_.held_since.emplace(name, WallTime::clock::now());
    now_.held = std::move(held);
    now_.oldest_age = oldest_age();
    published_at_ = now;
  }
  const std::lock_guard lock(mutex_);
  known_ = now_;
  if (now_.shards.empty()) return;
  empty_at_ = empty_at;
  if (waiting_ > 0) changed_.notify_all();
}

}  // namespace action_triggers::detail
