// SPDX-License-Identifier: MIT
#include "sim/relay_process.hpp"

#include <algorithm>
#include <optional>
#include <variant>

#include "outbox/row_targets.hpp"

namespace action_triggers::tests {

using namespace detail;
using namespace std::chrono_literals;

RelayProcess::RelayProcess(RelayWorld& world, std::string name, RelaySettings settings)
    : world_(world),
      settings_([&] {
        settings.owner = std::move(name);
        settings.seed = world.random();
        return std::move(settings);
      }()),
      core_(settings_, *this),
      version_(world.version),
      lists_targets_(world.chance(50)) {}

void RelayProcess::start() {
  world_.note(name() + " starts");
  wake();
}

void RelayProcess::kill(const char* why) {
  if (!is_alive_) return;
  world_.note(name() + " is killed: " + why);
  is_alive_ = false;
  lost_its_lease(true);
}

void RelayProcess::pause(TimePoint until) {
  world_.note(name() + " is paused");
  paused_until_ = std::max(paused_until_, until);
}

void RelayProcess::stop(std::chrono::microseconds patience) {
  world_.note(name() + " is stopped");
  core_.stop();
  wake();
  later(world_.now + patience, [this] {
    for (auto& [destination, lane] : lanes_) close_lane(destination);
  });
  later(world_.now + patience + 5s, [this] { kill("it does not end"); });
}

void RelayProcess::reload(std::size_t version) {
  world_.note(name() + " has configuration " + std::to_string(version));
  version_ = version;
  for (const auto& [id, row] : world_.database.table) {
    if (row.target.rfind(event_prefix, 0) == 0) world_.ledger.excuse_all(id);
  }
  close_lanes();
  core_.configuration_changed(world_.now);
  wake();
}

void RelayProcess::close_lanes() {
  for (auto& [destination, lane] : lanes_) {
    if (world_.chance(50)) close_lane(destination);
  }
}

void RelayProcess::committed() {
  core_.committed();
  wake();
}

void RelayProcess::count_death() {
  for (const std::int64_t id : ever_sent_) ++world_.ledger.rows[id].deaths;
}

void RelayProcess::lost_its_lease(bool to_another) {
  if (to_another) count_death();
  for (const auto& [id, destination] : sent_) {
    if (world_.database.table.count(id) > 0) world_.ledger.excuse(id, destination);
  }
}

// -------------------------------------------------------------------------------------------------------------- outlet

RowTargets RelayProcess::targets_of(const OutboxRow& row) {
  RowTargets targets;
  const auto& names = world_.ledger.versions[version_];
  const auto known = names.find(row.target);
  if (known == names.end()) {
    targets.status = Status(StatusCode::invalid_argument, "no such destination");
    return targets;
  }
  targets.destinations = known->second;
  std::vector<std::string> destinations;
  for (const std::uint32_t one : known->second) destinations.push_back(world_.brokers[one].name);
  targets.fingerprint = fingerprint_of(destinations);
  return targets;
}

RelayDestination RelayProcess::destination(std::uint32_t number) {
  RelayDestination destination{world_.brokers[number].name, world_.brokers[number].on_dead, {}};
  if (!lists_targets_) return destination;
  for (const auto& [name, targets] : world_.ledger.versions[version_]) {
    if (std::count(targets.begin(), targets.end(), number) > 0) destination.row_targets.push_back(name);
  }
  return destination;
}

bool RelayProcess::send(const OutboxRow& row, std::uint32_t bit, std::uint32_t destination) {
  if (world_.chance(world_.refuses) && !world_.is_quiet) return false;
  const auto known = world_.ledger.rows.find(row.id);
  if (known == world_.ledger.rows.end() || !known->second.committed) {
    world_.violation("sent, and not committed: " + Ledger::name(row.id, destination));
    return true;
  }
  if (!world_.database.holds(name())) {
    const bool was_taken_back = world_.now < world_.crashed_at + settings_.lease;  // read with it before the crash
    if (!was_late_ && !was_taken_back) world_.violation("sent without the lease: " + Ledger::name(row.id, destination));
    world_.ledger.excuse(row.id, destination);
    ++known->second.deaths;
  }
  world_.note(name() + " sends " + Ledger::name(row.id, destination));
  Lane& lane = lanes_[destination];
  if (lane.queue.size() >= settings_.room.rows) world_.violation("more in flight than there is room for");
  lane.queue.push_back({row.id, bit});
  sent_.insert({row.id, destination});
  ever_sent_.insert(row.id);
  if (known->second.is_poison) dies_ = true;
  take_turn(destination);
  return true;
}

// -------------------------------------------------------------------------------------------------------------- driver

/// As long as it lives; what is due while it is paused is due then.
void RelayProcess::later(TimePoint time, std::function<void()> run) {
  world_.at(time, [self = shared_from_this(), run = std::move(run)] {
    if (!self->is_alive_) return;
    if (self->world_.now < self->paused_until_) return self->later(self->paused_until_, run);
    run();
  });
}

void RelayProcess::wake() {
  if (is_busy_) return;
  later(world_.now, [this, number = ++wake_number_] {
    if (number == wake_number_ && !is_busy_) turn();
  });
}

void RelayProcess::turn() {
  hand_over_outcomes();
  const RelayAction action = core_.next(world_.now);
  check_bounds();
  if (std::holds_alternative<RelayFinished>(action)) {
    world_.note(name() + " ends");
    if (!core_.held().empty()) world_.violation("ended with rows in its hands");
    lost_its_lease(false);
    is_alive_ = false;
    return;
  }
  if (const auto* wait = std::get_if<WaitUntil>(&action)) {
    if (wait->until <= world_.now) world_.violation("it spins");
    if (wait->until == TimePoint::max()) return;
    later(wait->until, [this, number = ++wake_number_] {
      if (number == wake_number_ && !is_busy_) turn();
    });
    return;
  }
  // Nobody can tell a lease that its owner does not know of from one that it died of.
  const bool may_lose_answer = !std::holds_alternative<AcquireLease>(action);
  call([this, action] { return effect_of(action); }, may_lose_answer);
}

void RelayProcess::hand_over_outcomes() {
  for (; !told_.empty(); told_.pop_front()) {
    const Told& told = told_.front();
    core_.outcome(world_.now, told.row, told.bit, told.outcome);
  }
}

/// The effect comes some time after it was asked for, and the answer some time after that. Both may fail to come.
void RelayProcess::call(std::function<std::function<void()>()> effect, bool may_lose_answer) {
  is_busy_ = true;
  const bool fails_before = !world_.is_quiet && world_.chance(world_.calls_fail);
  const bool fails_after = may_lose_answer && !world_.is_quiet && world_.chance(world_.calls_fail);
  const auto way = world_.chance(90) ? world_.up_to(300us) : world_.up_to(50ms);
  // A request that is on its way arrives, whether or not its process lives.
  world_.after(way, [self = shared_from_this(), effect = std::move(effect), fails_before, fails_after] {
    std::function<void()> answer;
    if (!fails_before && !self->world_.database.is_down) answer = effect();
    if (fails_after) answer = nullptr;
    const TimePoint at = self->world_.now + self->world_.up_to(500us);
    self->later(at, [self, answer] {
      self->is_busy_ = false;
      if (self->world_.chance(50)) self->hand_over_outcomes();
      self->was_late_ = false;
      if (answer) {
        answer();
      } else {
        self->core_.store_failed(self->world_.now);
      }
      if (self->dies_) return self->kill("of a poisoned message");
      self->wake();
    });
  });
}

std::function<void()> RelayProcess::acquire(const AcquireLease& action) {
  const auto lease = world_.database.acquire(action.owner, action.duration);
  if (lease) {
    world_.note(name() + " owns the shard, deaths " + std::to_string(lease->second.deaths));
    world_.acquired(action.owner);
  }
  return [this, lease] { core_.acquired(world_.now, lease); };
}

std::function<void()> RelayProcess::effect_of(const RelayAction& action) {
  SimulatedDatabase& database = world_.database;
  if (const auto* one = std::get_if<AcquireLease>(&action)) return acquire(*one);
  if (const auto* one = std::get_if<RenewLease>(&action)) {
    const bool is_held = database.renew(one->lease, one->duration, one->notes);
    return [this, is_held] { core_.renewed(world_.now, is_held); };
  }
  if (const auto* one = std::get_if<ReleaseLease>(&action)) {
    database.release(one->lease, one->notes);
    return [this] { core_.released(world_.now); };
  }
  if (const auto* one = std::get_if<ReadRows>(&action)) {
    // Somebody may stop it before it has the answer, or between the look at its clock and what it sends then.
    return [this, result = database.read(one->request)] {
      const TimePoint looked = world_.now;
      if (!world_.is_quiet && world_.calls_fail > 0 && world_.chance(2)) {
        is_busy_ = true;
        was_late_ = world_.chance(50);
        paused_until_ = std::max(paused_until_, world_.now + world_.up_to(2 * settings_.lease));
        return later(paused_until_, [this, result, looked] {
          is_busy_ = false;
          core_.read_done(was_late_ ? looked : world_.now, result);
          if (dies_) return kill("of a poisoned message");
          wake();
        });
      }
      core_.read_done(looked, result);
    };
  }
  if (const auto* one = std::get_if<RemoveRows>(&action)) {
    database.remove(one->ids);
    return [this] { core_.removed(world_.now); };
  }
  if (const auto* one = std::get_if<SetDone>(&action)) {
    database.set_done(one->done);
    return [this] { core_.done_set(world_.now); };
  }
  if (const auto* one = std::get_if<BuryRows>(&action)) {
    database.bury(one->rows, world_.destinations);
    return [this] { core_.buried(world_.now); };
  }
  return [this] { core_.reopened(world_.now); };
}

void RelayProcess::check_bounds() {
  const std::size_t most = world_.brokers.size() * settings_.room.rows + 4 * settings_.batch;
  if (core_.held().size() > most) world_.violation("it holds more rows than it may");
  if (core_.gaps() > GapList::most_ranges) world_.violation("it remembers more gaps than it may");
}

// --------------------------------------------------------------------------------------------------------------- lanes

void RelayProcess::take_turn(std::uint32_t destination) {
  if (std::exchange(lanes_[destination].has_turn, true)) return;
  const SimulatedBroker& broker = world_.brokers[destination];
  later(std::max(world_.now + world_.up_to(broker.pace), broker.down_until),
        [this, destination] { lane_turn(destination); });
}

void RelayProcess::lane_turn(std::uint32_t destination) {
  Lane& lane = lanes_[destination];
  lane.has_turn = false;
  if (lane.queue.empty()) return;
  if (world_.brokers[destination].down_until > world_.now) return take_turn(destination);
  if (!world_.is_quiet && world_.chance(world_.reconnects)) reconnect(destination);
  if (lane.queue.front().has_arrived && lane.queue.front().confirmed_at <= world_.now) {
    tell_of_first(lane.queue, destination, StatusCode::ok);
  } else {
    deliver(destination);
  }
  if (!lane.queue.empty()) take_turn(destination);
}

/// The next one that the broker does not have; one that it refuses for good when all before it are confirmed.
bool RelayProcess::deliver(std::uint32_t destination) {
  Lane& lane = lanes_[destination];
  const auto next =
      std::find_if(lane.queue.begin(), lane.queue.end(), [](const Sent& one) { return !one.has_arrived; });
  if (next == lane.queue.end()) return false;
  const LedgerRow& row = world_.ledger.rows[next->row];
  if (row.bad_for.count(destination) > 0) {
    if (next != lane.queue.begin()) return false;
    world_.ledger.rows[next->row].at[destination].was_dead = true;
    tell_of_first(lane.queue, destination, StatusCode::too_large);
    return true;
  }
  next->has_arrived = true;
  next->confirmed_at = world_.now + world_.up_to(world_.brokers[destination].round_trip);
  world_.note(name() + " delivers " + Ledger::name(next->row, destination));
  world_.ledger.arrived(next->row, destination, world_.now);
  return true;
}

void RelayProcess::tell_of_first(std::deque<Sent>& queue, std::uint32_t destination, StatusCode code) {
  const Sent sent = queue.front();
  queue.pop_front();
  world_.note(name() + " hears " + std::string(to_string(code)) + " of " + Ledger::name(sent.row, destination));
  LedgerRow& row = world_.ledger.rows[sent.row];
  if (code == StatusCode::ok) row.at[destination].is_told = true;
  if (code == StatusCode::closed && sent.has_arrived) world_.ledger.excuse(sent.row, destination);
  if (code != StatusCode::ok) sent_.erase({sent.row, destination});
  told_.push_back({sent.row, sent.bit, {code, "", 1}});
  wake();
}

/// The relay hears of it row by row, and there may be a new lane already.
void RelayProcess::close_lane(std::uint32_t destination) {
  Lane& lane = lanes_[destination];
  lane.closing.insert(lane.closing.end(), lane.queue.begin(), lane.queue.end());
  lane.queue.clear();
  closing_turn(destination);
}

void RelayProcess::closing_turn(std::uint32_t destination) {
  Lane& lane = lanes_[destination];
  if (lane.closing.empty()) return;
  tell_of_first(lane.closing, destination, StatusCode::closed);
  later(world_.now + world_.up_to(world_.chance(80) ? 1ms : 100ms), [this, destination] { closing_turn(destination); });
}

/// What was not confirmed is sent again, from the oldest on.
void RelayProcess::reconnect(std::uint32_t destination) {
  for (Sent& sent : lanes_[destination].queue) {
    if (std::exchange(sent.has_arrived, false)) world_.ledger.excuse(sent.row, destination);
  }
}

}  // namespace action_triggers::tests
