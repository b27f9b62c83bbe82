// SPDX-License-Identifier: MIT
/// What the programs that measure the outbox share: its configuration, a broker that notes when a message has come, and
/// how a commit is timed.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "action_triggers/action_triggers.hpp"
#include "measure.hpp"

namespace action_triggers::bench {

/// When messages have come to NotingBroker.
class Arrivals {
 public:
  void note(std::size_t messages);
  [[nodiscard]] std::size_t count() const;
  /// Waits until `count` have come in all; when the last of them did.
  Clock::time_point await(std::size_t count);

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t count_ = 0;
  Clock::time_point last_;
};

/// The built-in types of brokers, and as "none" one that confirms at once and notes when.
BrokerRegistry registry_with(std::shared_ptr<Arrivals> arrivals);

/// A destination "bench", of the options' broker or of that one, and an outbox with these settings.
Config outbox_config(const Options& options, const nlohmann::json& outbox, const BrokerRegistry& registry);

/// Nanoseconds of each call of ours and of theirs, in turn: p50 of both, as ours_us and by_hand_us.
nlohmann::json in_turn(std::size_t count, const std::function<void(std::size_t)>& ours,
                       const std::function<void(std::size_t)>& by_hand);

/// Commits one message at a time, options.count of them, with pauses: from each commit's return to the message's
/// arrival. The outbox was empty, and its relay runs. Quantiles in nanoseconds.
nlohmann::json time_commits(const Options& options, Arrivals& arrivals, const std::function<void()>& commit);

}  // namespace action_triggers::bench
