// SPDX-License-Identifier: MIT
/// The third ledger: what transactions have committed, held against what other clients read back from the brokers, and
/// against what the outbox and its dead letters still have. No database, no broker, no clock.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "live/servers.hpp"

namespace action_triggers::tests {

/// A message of a transaction, as a table of the application's has it that was written in the same transaction. An
/// event is one for each of its destinations.
struct Committed {
  std::string destination;
  std::string body;     ///< Unique among those of its destination: it says which message this is.
  std::string id;       ///< Of the message. Empty: its row brought none, and any will do, but the same on every copy.
  std::string key;      ///< Messages of one key are in order. Empty: this one may arrive at any time.
  bool guilty = false;  ///< No broker takes it: it may be a dead letter.
};

/// What transactions have done.
struct History {
  std::vector<Committed> committed;   ///< In the order of the commits, as far as anybody can tell.
  std::set<std::string> rolled_back;  ///< Bodies of messages whose transactions did not commit.
};

/// A row of the outbox, or a dead letter: it stands in the way of its message's arrival at one destination.
struct Left {
  std::string destination;
  std::string body;
};

/// What became of it, in the end.
struct Outcome {
  std::map<std::string, std::vector<Received>> arrived;  ///< By destination, in the order of arrival.
  std::vector<Left> waiting;                             ///< Rows that are still in the outbox.
  std::vector<Left> dead;
};

struct CommittedRules {
  /// At most so many: what relays have in flight, for each fault.
  std::size_t most_duplicates = 0;
  /// Destinations whose rows may still be in the outbox.
  std::set<std::string> held{};
  /// Order is promised for all messages of a destination, as one shard and one queue keep it, not just per key.
  bool order_of_all = false;
};

struct CommittedVerdict {
  std::vector<std::string> complaints;  ///< Each is a promise that was broken. Empty: all is true.
  std::size_t arrived = 0;              ///< Committed messages of which there is a copy.
  std::size_t duplicates = 0;           ///< Copies beyond the first.
  std::size_t lost = 0;                 ///< Committed, and nowhere.
};

CommittedVerdict judge_commits(const History& history, const Outcome& outcome, const CommittedRules& rules);

/// Every complaint is a failure of the test. Prints a row of the reliability table, and adds it to the file that the
/// environment variable ACTION_TRIGGERS_RELIABILITY names. `database` and `fault`: its first columns. `recovery`: from
/// the healing of the fault to the first arrival; nothing if there was nothing to heal.
CommittedVerdict check_commits(const std::string& database, const std::string& fault, const History& history,
                               const Outcome& outcome, const CommittedRules& rules,
                               std::optional<std::chrono::milliseconds> recovery);

}  // namespace action_triggers::tests
