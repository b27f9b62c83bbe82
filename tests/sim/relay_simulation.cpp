// SPDX-License-Identifier: MIT
#include "sim/relay_simulation.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "sim/relay_process.hpp"
#include "sim/relay_world.hpp"

namespace action_triggers::tests {
namespace {

using detail::OutboxRow;
using detail::RelaySettings;
using namespace std::chrono_literals;

constexpr std::uint64_t most_events = 400'000;
constexpr std::chrono::seconds time_to_settle{600};  // after the last fault

class RelaySimulation {
 public:
  RelaySimulation(std::uint64_t seed, std::vector<std::string>* text) : world_(seed, text) {}
  RelaySimulationResult run();

 private:
  struct Writing {
    SimulatedDatabase::Transaction transaction;
    std::vector<OutboxRow> rows;
  };

  // What the schedule is like
  void choose_brokers();
  void choose_configuration();
  void choose_settings();
  void choose_temper();

  // Applications
  void begin_transaction();
  void write_row(const std::shared_ptr<Writing>& writing);
  void end_transaction(const std::shared_ptr<Writing>& writing);

  // Processes
  void start_process(std::size_t place);
  void fault();
  void hurt_process();
  void break_broker();
  void crash_database();
  void mend_some();
  void calm_down();
  void check_settled();

  RelayWorld world_;
  RelaySettings settings_;
  std::vector<std::shared_ptr<RelayProcess>> processes_;  // by place; dead ones are replaced
  std::uint64_t next_name_ = 1;
  std::uint64_t owners_ = 0;
  std::uint64_t keys_ = 1;
  std::size_t rows_left_ = 0;  // to write
  TimePoint end_;              // of the faults
  bool has_faults_ = true;
  unsigned writes_slowly_ = 0;
  unsigned rolls_back_ = 0;
  unsigned is_bad_ = 0;
  unsigned is_poison_ = 0;
};

// ------------------------------------------------------------------------------------------- what the schedule is like

void RelaySimulation::choose_brokers() {
  for (std::uint64_t i = 1 + world_.below(4); i > 0; --i) {
    SimulatedBroker broker;
    broker.name = "d" + std::to_string(world_.brokers.size());
    broker.pace = has_faults_ && world_.chance(30) ? std::chrono::microseconds(1 + world_.below(100'000))
                                                   : std::chrono::microseconds(1 + world_.below(1'000));
    broker.round_trip = std::chrono::microseconds(100 + world_.below(5'000));
    broker.on_dead = static_cast<OnDead>(world_.below(3));
    world_.destinations[broker.name] = static_cast<std::uint32_t>(world_.brokers.size());
    world_.brokers.push_back(broker);
  }
}

void RelaySimulation::choose_configuration() {
  world_.has_reloads = has_faults_ && world_.chance(25);
  for (std::size_t version = 0; version < (world_.has_reloads ? 3U : 1U); ++version) {
    std::map<std::string, Targets> names;
    for (std::uint32_t i = 0; i < world_.brokers.size(); ++i) names[world_.brokers[i].name] = {i};
    for (std::size_t event = 0; event < 3; ++event) {
      Targets targets;
      for (std::uint64_t n = world_.below(world_.brokers.size() + 2); n > 0; --n) {
        const auto one = static_cast<std::uint32_t>(world_.below(world_.brokers.size()));
        if (std::count(targets.begin(), targets.end(), one) == 0) targets.push_back(one);
      }
      names["event:e" + std::to_string(event)] = std::move(targets);
    }
    world_.ledger.versions.push_back(std::move(names));
  }
}

void RelaySimulation::choose_settings() {
  settings_.lease = std::chrono::milliseconds(2'000 + world_.below(8'000));
  settings_.batch = 1 + world_.below(world_.chance(50) ? 8 : 40);
  settings_.room.rows = std::max<std::size_t>(1, world_.chance(70) ? 2 * settings_.batch : world_.below(20));
  settings_.room.bytes = world_.chance(70) ? 16U << 20 : 200 + world_.below(3'000);
  settings_.poll_max = std::chrono::milliseconds(100 + world_.below(900));
  world_.database.one_writer = world_.chance(25);
  world_.database.wrong_by = std::chrono::hours(static_cast<std::int64_t>(world_.below(100)) - 50);
  keys_ = 1 + world_.below(world_.chance(50) ? 3 : 30);
  rows_left_ = 20 + world_.below(150);
}

void RelaySimulation::choose_temper() {
  writes_slowly_ = world_.chance(50) ? static_cast<unsigned>(world_.below(60)) : 0;
  rolls_back_ = world_.chance(50) ? static_cast<unsigned>(world_.below(50)) : 0;
  if (!has_faults_) return;
  is_bad_ = world_.chance(40) ? static_cast<unsigned>(world_.below(15)) : 0;
  is_poison_ = world_.chance(15) ? 2 : 0;
  world_.calls_fail = world_.chance(40) ? static_cast<unsigned>(world_.below(10)) : 0;
  world_.refuses = world_.chance(30) ? static_cast<unsigned>(world_.below(50)) : 0;
  world_.reconnects = world_.chance(40) ? static_cast<unsigned>(world_.below(5)) : 0;
}

// -------------------------------------------------------------------------------------------------------- applications

void RelaySimulation::begin_transaction() {
  if (rows_left_ == 0) return;
  auto writing = std::make_shared<Writing>();
  writing->transaction = world_.database.begin();
  const std::uint64_t rows = std::min<std::uint64_t>(rows_left_, world_.chance(80) ? 1 : 1 + world_.below(10));
  rows_left_ -= rows;
  auto most = world_.chance(writes_slowly_) ? world_.up_to(world_.chance(20) ? 8s : 1s) : 2ms;
  if (world_.database.one_writer) most = 0us;
  std::chrono::microseconds at{0};
  for (std::uint64_t i = 0; i < rows; ++i) {
    world_.after(at, [this, writing] { write_row(writing); });
    if (i == 0) {
      const auto window = world_.chance(10) ? world_.up_to(std::min<std::chrono::microseconds>(most, 100ms)) : 0us;
      world_.after(window, [this, writing] { world_.database.get_number(writing->transaction); });
      at += window;
    }
    at += world_.up_to(most);
  }
  world_.after(at, [this, writing] { end_transaction(writing); });
  const auto next = world_.chance(10) ? world_.up_to(2s) : world_.up_to(world_.chance(50) ? 2ms : 50ms);
  world_.after(next, [this] { begin_transaction(); });
}

void RelaySimulation::write_row(const std::shared_ptr<Writing>& writing) {
  if (!world_.database.is_open(writing->transaction)) return;
  OutboxRow row;
  row.id = world_.database.take_id();
  LedgerRow& known = world_.ledger.rows[row.id];
  const std::uint64_t kind = world_.below(100);
  if (kind < 60) {
    row.target = world_.brokers[world_.below(world_.brokers.size())].name;
  } else {
    row.target = kind < 98 ? "event:e" + std::to_string(world_.below(3)) : "unknown";
  }
  known.key = row.target.rfind("event:", 0) == 0 ? "event" : "";
  known.key += "k" + std::to_string(world_.below(keys_));
  if (world_.chance(95)) {
    row.key = known.key;
  } else {
    known.key = "none";
  }
  row.body.assign(world_.below(300), 'b');
  known.target = row.target;
  known.taken = world_.now;
  for (std::uint32_t i = 0; i < world_.brokers.size(); ++i) {
    if (world_.chance(is_bad_)) known.bad_for.insert(i);
  }
  known.is_poison = row.target[0] == 'd' && world_.chance(is_poison_);
  if (known.is_poison) known.bad_for.clear();
  world_.note("written " + std::to_string(row.id) + " for " + row.target);
  writing->rows.push_back(std::move(row));
}

void RelaySimulation::end_transaction(const std::shared_ptr<Writing>& writing) {
  if (!world_.database.is_open(writing->transaction)) return;  // the database has rolled it back
  const bool rolls_back = world_.chance(rolls_back_) || world_.database.is_down;
  for (const OutboxRow& row : writing->rows) {
    world_.note((rolls_back ? "rolled back " : "committed ") + std::to_string(row.id));
  }
  world_.database.end(writing->transaction, rolls_back ? std::vector<OutboxRow>() : std::move(writing->rows));
  if (rolls_back || !world_.chance(30)) return;
  const auto& process = processes_[world_.below(processes_.size())];
  if (process->is_alive()) process->committed();
}

// ----------------------------------------------------------------------------------------------------------- processes

void RelaySimulation::start_process(std::size_t place) {
  processes_[place] = std::make_shared<RelayProcess>(world_, "p" + std::to_string(next_name_++), settings_);
  processes_[place]->start();
}

void RelaySimulation::fault() {
  if (world_.now >= end_) return;
  switch (world_.below(5)) {
    case 0:
    case 1:
      hurt_process();
      break;
    case 2:
      break_broker();
      break;
    case 3:
      if (world_.chance(40)) crash_database();
      break;
    case 4:
      mend_some();
      break;
  }
  world_.after(world_.up_to(world_.chance(30) ? 100ms : 8s), [this] { fault(); });
}

void RelaySimulation::hurt_process() {
  const std::size_t place = world_.below(processes_.size());
  RelayProcess& process = *processes_[place];
  if (!process.is_alive()) return start_process(place);
  switch (world_.below(4)) {
    case 0:
      return process.kill("it is time");
    case 1:
      return process.pause(world_.now + world_.up_to(world_.chance(50) ? 100ms : 3 * settings_.lease));
    case 2:
      return process.stop(world_.up_to(world_.chance(50) ? 100ms : 3s));
    case 3:
      if (!world_.has_reloads) return process.close_lanes();
      world_.version = world_.below(world_.ledger.versions.size());
      return process.reload(world_.version);
  }
}

void RelaySimulation::break_broker() {
  SimulatedBroker& broker = world_.brokers[world_.below(world_.brokers.size())];
  broker.down_until = std::max(broker.down_until, world_.now + world_.up_to(world_.chance(50) ? 1s : 40s));
  world_.note(broker.name + " is down");
}

void RelaySimulation::crash_database() {
  world_.note("the database is killed");
  world_.crashed_at = world_.now;
  world_.database.is_down = true;
  for (const std::int64_t id : world_.database.crash(world_.random)) world_.ledger.excuse_all(id);
  world_.after(world_.up_to(world_.chance(70) ? 500ms : 15s), [this] { world_.database.is_down = false; });
}

/// Somebody takes care of messages that are dead: mends one, or removes its row.
void RelaySimulation::mend_some() {
  for (auto& [id, row] : world_.ledger.rows) {
    if (row.bad_for.empty() || !world_.chance(30)) continue;
    if (world_.chance(70)) {
      row.bad_for.clear();
    } else if (world_.database.table.erase(id) > 0) {
      world_.note("removed by hand " + std::to_string(id));
      row.is_removed = true;
    }
  }
}

/// From now on nothing fails.
void RelaySimulation::calm_down() {
  world_.note("calm");
  world_.is_quiet = true;
  world_.database.is_down = false;
  for (SimulatedBroker& broker : world_.brokers) {
    broker.down_until = std::min(broker.down_until, world_.now);
    broker.pace = std::min<std::chrono::microseconds>(broker.pace, 10ms);
  }
  is_bad_ = is_poison_ = 0;
  for (auto& [id, row] : world_.ledger.rows) row.bad_for.clear();
  check_settled();
}

/// A process is there, in case that messages kill it: again and again.
void RelaySimulation::check_settled() {
  for (std::size_t place = 0; place < processes_.size(); ++place) {
    if (!processes_[place]->is_alive()) start_process(place);
  }
  world_.after(1s, [this] { check_settled(); });
}

RelaySimulationResult RelaySimulation::run() {
  has_faults_ = world_.chance(80);
  choose_brokers();
  choose_configuration();
  choose_settings();
  choose_temper();
  if (!has_faults_) world_.ledger.most_delay = 4s;
  world_.is_quiet = !has_faults_;
  processes_.resize(1 + world_.below(has_faults_ ? 5 : 2));
  world_.acquired = [this](const std::string& owner) {
    ++owners_;
    for (const auto& process : processes_) {
      if (process->is_alive()) process->lost_its_lease(process->name() != owner);
    }
  };
  for (std::size_t place = 0; place < processes_.size(); ++place) start_process(place);
  end_ = world_.now + 1s + world_.up_to(60s);
  world_.after(200ms, [this] { begin_transaction(); });
  if (has_faults_) world_.after(world_.up_to(2s), [this] { fault(); });
  world_.at(end_, [this] { calm_down(); });
  const TimePoint last = end_ + time_to_settle;
  const auto is_settled = [this] {
    return world_.now > end_ + 12s && rows_left_ == 0 && world_.database.table.empty();  // 12 s: all have committed
  };
  while (world_.violations.empty() && world_.events < most_events && !is_settled() && world_.step(last)) {
  }
  if (world_.events >= most_events) world_.violation("it does not come to an end");
  if (world_.violations.empty() && !is_settled()) {
    world_.violation("rows are left in the table: " + std::to_string(world_.database.table.size()));
  }
  if (world_.violations.empty()) world_.ledger.check_end();
  RelaySimulationResult result;
  result.violations = world_.violations;
  result.trace = world_.trace;
  result.copies = world_.ledger.copies;
  result.owners = owners_;
  result.events = world_.events;
  for (const auto& [id, row] : world_.ledger.rows) result.committed += row.committed ? 1U : 0U;
  return result;
}

}  // namespace

RelaySimulationResult simulate_relays(std::uint64_t seed, std::vector<std::string>* trace_text) {
  return RelaySimulation(seed, trace_text).run();
}

}  // namespace action_triggers::tests
