// SPDX-License-Identifier: MIT
/// A RelayCore with a table in memory and lanes that do what a test says, in virtual time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "outbox/relay_core.hpp"
#include "outbox/row_targets.hpp"

namespace action_triggers::detail {

struct RelayBench final : RelayOutlet {
  using Ms = std::chrono::milliseconds;

  explicit RelayBench(std::size_t batch = 10, std::size_t room = 20) : core(settings(batch, room), *this) {}

  static RelaySettings settings(std::size_t batch, std::size_t room) {
    RelaySettings one;
    one.owner = "me";
    one.batch = batch;
    one.room = {room, 10'000};
    return one;
  }

  // RelayOutlet
  RowTargets targets_of(const OutboxRow& row) override {
    RowTargets one;
    const auto known = targets.find(row.target);
    if (known == targets.end()) {
      one.status = Status(StatusCode::invalid_argument, "nobody has this name");
      return one;
    }
    one.destinations = known->second;
    one.fingerprint = fingerprint;
    return one;
  }
  RelayDestination destination(std::uint32_t number) override {
    return {"d" + std::to_string(number), on_dead[number], row_targets[number]};
  }
  bool send(const OutboxRow& row, std::uint32_t bit, std::uint32_t number) override {
    if (refusing.count(number) > 0) return false;
    sent.push_back(std::to_string(row.id) + "@" + std::to_string(number));
    in_flight.emplace_back(row.id, bit);
    return true;
  }

  void insert(std::int64_t id, const std::string& target = "d0", const char* key = nullptr, std::size_t bytes = 1) {
    OutboxRow row;
    row.id = id;
    row.created_at = created_at;
    row.target = target;
    if (key != nullptr) row.key = key;
    row.body.assign(bytes, 'b');
    table[id] = std::move(row);
  }

  /// Carries out what is asked for, until there is nothing to do; returns until when.
  TimePoint run() {
    for (int i = 0; i < 10'000; ++i) {
      const RelayAction action = core.next(now);
      if (const auto* wait = std::get_if<WaitUntil>(&action)) return wait->until;
      if (std::holds_alternative<RelayFinished>(action)) {
        finished = true;
        return TimePoint::max();
      }
      if (fails) {
        ++failures;
        core.store_failed(now);
      } else {
        answer(action);
      }
    }
    spins = true;
    return now;
  }
  void pass(Ms time) {
    for (const TimePoint end = now + time;;) {
      const TimePoint next = run();
      if (next >= end) {
        now = end;
        run();
        return;
      }
      now = next;
    }
  }
  void say(std::int64_t id, std::uint32_t bit, StatusCode code = StatusCode::ok) {
    core.outcome(now, id, bit, {code, "text", 3});
  }
  void say_all(StatusCode code = StatusCode::ok) {
    for (const auto& [id, bit] : std::exchange(in_flight, {})) say(id, bit, code);
  }
  std::vector<std::string> take_sent() { return std::exchange(sent, {}); }

  TimePoint now = TimePoint(std::chrono::hours(1));
  RelayCore core;

  std::map<std::string, std::vector<std::uint32_t>> targets{
      {"d0", {0}}, {"d1", {1}}, {"event:both", {0, 1}}, {"event:nobody", {}}};
  std::uint16_t fingerprint = 7;
  std::map<std::uint32_t, OnDead> on_dead;
  std::map<std::uint32_t, std::vector<std::string>> row_targets;
  std::set<std::uint32_t> refusing;
  std::vector<std::string> sent;
  std::vector<std::pair<std::int64_t, std::uint32_t>> in_flight;

  std::map<std::int64_t, OutboxRow> table;
  RowTime created_at{};  // of the next rows
  Horizon horizon;
  ShardNotes inherited;
  bool is_free = true;
  bool is_held = true;
  bool fails = false;
  int failures = 0;
  bool finished = false;
  bool spins = false;
  int renewals = 0;
  int releases = 0;
  ShardNotes notes;
  std::int64_t epoch = 0;
  std::vector<ReadRequest> reads;
  std::vector<std::vector<std::int64_t>> removals;
  std::vector<DeadRow> dead;
  std::vector<std::pair<std::int64_t, std::uint64_t>> done;

 private:
  void answer(const RelayAction& action) {
    if (std::holds_alternative<ReopenStore>(action)) {
      core.reopened(now);
    } else if (std::holds_alternative<AcquireLease>(action)) {
      if (!is_free) return core.acquired(now, std::nullopt);
      core.acquired(now, std::pair(Lease{0, "me", epoch += 2}, inherited));
    } else if (const auto* renewal = std::get_if<RenewLease>(&action)) {
      ++renewals;
      if (is_held) notes = renewal->notes;
      core.renewed(now, is_held);
    } else if (const auto* release = std::get_if<ReleaseLease>(&action)) {
      ++releases;
      notes = release->notes;
      core.released(now);
    } else if (const auto* read = std::get_if<ReadRows>(&action)) {
      reads.push_back(read->request);
      core.read_done(now, rows_of(read->request));
    } else {
      write(action);
    }
  }
  [[nodiscard]] bool is_meant(std::int64_t id, const CreatedBetween& created) const {
    const auto row = table.find(id);
    return row != table.end() && row->second.created_at >= created.first && row->second.created_at <= created.last;
  }
  void write(const RelayAction& action) {
    if (const auto* remove = std::get_if<RemoveRows>(&action)) {
      removals.push_back(remove->ids);
      for (const std::int64_t id : remove->ids) {
        if (is_meant(id, remove->created)) table.erase(id);
      }
      core.removed(now);
    } else if (const auto* words = std::get_if<SetDone>(&action)) {
      for (const auto& [id, word] : words->done) {
        done.emplace_back(id, word);
        if (is_meant(id, words->created)) table[id].done = word;
      }
      core.done_set(now);
    } else if (const auto* burial = std::get_if<BuryRows>(&action)) {
      for (const DeadRow& row : burial->rows) {
        dead.push_back(row);
        if (row.is_whole) {
          table.erase(row.id);
        } else {
          table[row.id].done = row.done;
        }
      }
      core.buried(now);
    }
  }
  ReadResult rows_of(const ReadRequest& request) const {
    ReadResult result;
    result.lease_is_held = is_held;
    result.horizon = horizon;
    if (!is_held) return result;
    for (const IdRange& ids : request.ids) {
      for (auto row = table.lower_bound(ids.first); row != table.end() && row->first <= ids.last; ++row) {
        const auto& names = request.targets;
        if (!names.empty() && std::find(names.begin(), names.end(), row->second.target) == names.end()) continue;
        if (result.rows.size() == request.limit) return result;
        result.rows.push_back(row->second);
      }
    }
    result.is_complete = true;
    return result;
  }
};

}  // namespace action_triggers::detail
