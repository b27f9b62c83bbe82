// SPDX-License-Identifier: MIT
/// What the oracle of the fault tests decides: whether all that was said of some messages is true. No broker, no clock.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "action_triggers/status.hpp"
#include "live/servers.hpp"

namespace action_triggers::tests {

/// One fire, and what was reported of it.
struct Fired {
  std::string name;         ///< The destination.
  std::size_t bytes = 256;  ///< Of its body.
  std::string key;          ///< Messages of one key are in order on Kafka; without one they are not.
  bool guilty = false;      ///< The broker takes no such message: a permanent failure is explained.
  int reports = 0;
  StatusCode code = StatusCode::internal;
  Persistence persistence = Persistence::not_persisted;
  std::string text;
  std::int32_t partition = -1;  ///< Kafka
  std::int64_t offset = -1;
  std::chrono::steady_clock::time_point fired_at;
  std::chrono::steady_clock::time_point reported_at;
};

/// The body of the message with this index: says which it is, and nobody else has it.
std::string body_of(std::size_t index, std::size_t bytes);

struct Rules {
  /// At most so many duplicates: the in-flight window, for each fault.
  std::size_t most_duplicates = 0;
  /// Statuses other than ok that the fault explains.
  std::vector<StatusCode> explained{};
  /// At most so many messages of which nobody knows whether they arrived: none where none can have been sent.
  std::size_t most_unsure = std::numeric_limits<std::size_t>::max();
  /// Order is promised per key (Kafka's partitions) rather than per name.
  bool order_per_key = false;
  /// The order of arrival can be told from what was read back. Not where the broker itself put messages back.
  bool check_order = true;
};

struct Verdict {
  std::vector<std::string> complaints;  ///< Each is a promise that was broken. Empty: all is true.
  std::map<StatusCode, std::size_t> by_status;
  std::size_t duplicates = 0;
  std::size_t lost = 0;          ///< Said to be in the broker, and not there.
  std::size_t unsure = 0;        ///< Failed, `possibly_persisted`.
  std::size_t unsure_there = 0;  ///< … and there.
};

/// Holds what was reported against all that the broker has, in the order of arrival. `run` begins each message's id.
Verdict judge(const std::string& run, const std::vector<Fired>& fired, const std::vector<Received>& received,
              const Rules& rules);

}  // namespace action_triggers::tests
