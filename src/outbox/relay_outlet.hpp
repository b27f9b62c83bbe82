// SPDX-License-Identifier: MIT
/// Where a relay's rows go: what RelayCore asks of whoever knows the configuration and the lanes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "action_triggers/broker_config.hpp"
#include "action_triggers/status.hpp"
#include "outbox/outbox_row.hpp"

namespace action_triggers::detail {

/// To whom a row goes.
struct RowTargets {
  /// Not ok: nobody can send this row as it is, now or later (an unknown name, an event that is no JSON). It is buried.
  Status status;
  /// The number of each target's destination; its place in this list is its bit. Empty: an event that nobody wants, its
  /// row is removed. One destination may stand here more than once.
  std::vector<std::uint32_t> destinations;
  /// Another one when the list means something else: see fingerprint_of().
  std::uint16_t fingerprint = 0;
};

struct RelayDestination {
  std::string name;
  OnDead on_dead = OnDead::skip;
  /// What the column `target` may hold of rows that go to this destination. Empty: anything (an event pattern with
  /// wildcards), and all rows are read when it catches up.
  std::vector<std::string> row_targets;
};

class RelayOutlet {
 public:
  virtual ~RelayOutlet() = default;

  /// The same answer for the same row until RelayCore::configuration_changed() has been called.
  virtual RowTargets targets_of(const OutboxRow& row) = 0;

  /// A number means the same destination as long as the core lives. Asked once, and again after a change of the
  /// configuration.
  virtual RelayDestination destination(std::uint32_t number) = 0;

  /// Sends the row to the destination of this bit, behind all that was sent to it before. True: RelayCore::outcome() is
  /// called for it, once, later (never from within this call). False: it has no room now; the core asks again.
  virtual bool send(const OutboxRow& row, std::uint32_t bit, std::uint32_t destination) = 0;
};

/// How a lane has done with a row for one target.
struct RowOutcome {
  /// `ok`: confirmed. `closed`: it was not sent, and nobody is to blame: the row stays in the table, and is sent again
  /// when its destination takes messages. Anything else: dead.
  StatusCode code = StatusCode::ok;
  std::string text;
  std::uint32_t attempts = 1;
};

}  // namespace action_triggers::detail
