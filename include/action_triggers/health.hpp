// SPDX-License-Identifier: MIT
/// Whether messages get through, and what to do if they do not.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/export.hpp"
#include "action_triggers/stats.hpp"

namespace action_triggers {

enum class HealthState : std::uint8_t {
  ok,
  degraded,  ///< Something does not get through, or not in time; the rest does.
  down,      ///< Nothing gets through: no destination has a connection, or the outbox's database does not answer.
};

ACTION_TRIGGERS_EXPORT std::string_view to_string(HealthState state) noexcept;
ACTION_TRIGGERS_EXPORT std::ostream& operator<<(std::ostream& out, HealthState state);

/// One thing that is wrong, for a person who has to act. Texts contain no secret.
struct HealthReason {
  HealthState state = HealthState::degraded;  ///< Of this destination.
  std::string destination;                    ///< Empty: it is about the outbox or the whole dispatcher.
  std::string what;                           ///< "no connection: unavailable: connection refused"
  WallTime since;                             ///< Never: it is not known.
  std::string tried;                          ///< "7 attempts to connect; the next in 3 s". May be empty.
  std::string to_do;
};

/// All that is wrong at once.
struct Health {
  HealthState state = HealthState::ok;
  std::vector<HealthReason> reasons;  ///< Empty: ok. The dispatcher's own first.

  [[nodiscard]] bool ok() const noexcept { return state == HealthState::ok; }
};

/// What the numbers say. A destination is `down` without a connection, which it also is before the first one. It is
/// `degraded` if the broker holds messages up (`blocked`), if one of its cluster cannot be reached, if targets with an
/// envelope of their own have no connection, if nothing was delivered since something failed that was not the message's
/// own fault, if it is full, if its oldest message has waited for half of its timeout, or if the outbox holds its rows
/// back.
[[nodiscard]] ACTION_TRIGGERS_EXPORT Health health_of(const Stats& stats);

/// For people: "ok", or "down" and a few lines for each reason, with their ages as of now. It does not end its last
/// line.
ACTION_TRIGGERS_EXPORT std::ostream& operator<<(std::ostream& out, const Health& health);

}  // namespace action_triggers
