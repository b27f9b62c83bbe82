// SPDX-License-Identifier: MIT
/// One destination (an entry of the brokers map) as the threads that fire, its lane and stats() see it.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "action_triggers/broker_config.hpp"
#include "action_triggers/status.hpp"
#include "core/destination_ref.hpp"
#include "dispatch/capacity.hpp"
#include "dispatch/counter.hpp"
#include "dispatch/destination_queue.hpp"
#include "dispatch/due_heap.hpp"
#include "dispatch/latency_histogram.hpp"
#include "dispatch/ready_list.hpp"

namespace action_triggers::detail {

class DeadlineList;
class Handover;
class Lane;
class LaneCore;

/// Written by the lane and by fire(), read by stats() on any thread.
struct DestinationCounters {
  Counter admitted;  // by the lane
  Counter reported;
  Counter held;  // admitted, and not yet released by lane and client library
  Counter in_flight;
  Counter retried;
  Counter late_outcomes;
  Counter abandoned_at_close;  // reported `closed`
  std::array<Counter, status_code_count> outcomes;
  LatencyHistogram latency;
};

/// Messages that have capacity reserved and are not admitted. The two numbers are read one after the other, so either
/// may be the newer one, and a message that was released in between is only in `held`.
[[nodiscard]] constexpr std::uint64_t waiting_for_lane(std::uint64_t reserved, std::uint64_t held) noexcept {
  return reserved > held ? reserved - held : 0;
}

class Destination final : public DestinationRef, public ReadyNode, public Due {
 public:
  /// Far below the clock's end: a deadline can be added to any time.
  static constexpr std::chrono::hours longest_timeout{24 * 365 * 100};

  /// One that is not `findable` has the name of another one, whose configuration it varies: fires reach it by its
  /// address only.
  explicit Destination(std::shared_ptr<const BrokerConfig> given, bool is_findable = true)
      : DestinationRef{given.get(), 0},
        config(std::move(given)),
        name(config->name),
        overflow(config->overflow),
        durability(config->durability),
        findable(is_findable),
        capacity(config->max_queued_messages, config->max_queued_bytes),
        queue(config->max_in_flight) {}

  [[nodiscard]] std::chrono::nanoseconds timeout() const noexcept {
    return std::clamp<std::chrono::nanoseconds>(std::min<std::chrono::milliseconds>(config->timeout, longest_timeout),
                                                std::chrono::nanoseconds::zero(), longest_timeout);
  }

  /// Messages that were fired and not reported yet. Any thread.
  [[nodiscard]] std::uint64_t unreported() const noexcept {
    const std::uint64_t reported = counters.reported.get();
    const std::uint64_t reserved = capacity.messages();
    const std::uint64_t held = counters.held.get();
    const std::uint64_t admitted = counters.admitted.get();
    return admitted - reported + waiting_for_lane(reserved, held);
  }

  /// Nothing of it is anywhere: what a thread that fires has reserved and not pushed yet, what the broker holds beyond
  /// its deadline and what is not reported yet count as well. Any thread.
  [[nodiscard]] bool is_empty() const noexcept {
    return capacity.messages() == 0 && counters.held.get() == 0 && unreported() == 0;
  }

  /// The fires that were accepted, at least: never fewer than have an outcome, and never fewer than it said before.
  /// Any thread.
  [[nodiscard]] std::uint64_t accepted() const noexcept {
    // In this order, nothing is in the sum twice.
    const std::uint64_t admitted = counters.admitted.get();
    const std::uint64_t held = counters.held.get();
    const std::uint64_t count = admitted + waiting_for_lane(capacity.messages(), held);
    std::uint64_t most = most_accepted_.load(std::memory_order_relaxed);
    while (most < count && !most_accepted_.compare_exchange_weak(most, count, std::memory_order_relaxed)) {
    }
    return std::max(most, count);
  }

  /// What a message has failed with, or was refused with and is sent again. By the lane; without memory it is
  /// forgotten.
  void failed(const Status& why, TimePoint now) noexcept;
  /// What has failed, and since when nothing was delivered; `latest` is min(): nothing has failed.
  struct Failures {
    std::string text;  // the latest, with its code
    TimePoint latest = TimePoint::min();
    /// Not ok: the latest one that was the destination's fault, and nothing was delivered after it.
    Status trouble;
    TimePoint trouble_since;
    TimePoint trouble_latest;
  };
  [[nodiscard]] Failures failures() const;  // any thread

  // What fire() reads, in a cache line that nobody writes. Names of up to 15 characters lie in the string itself.
  alignas(64) const std::shared_ptr<const BrokerConfig> config;
  const std::string name;
  const Overflow overflow;
  const Durability durability;
  const bool findable;
  std::atomic<bool> is_replaced{false};  // it was removed, or another one has its name: set before that one is found
  std::atomic<bool> is_settling{false};  // as long as the reload that brings it waits for fires
  Lane* lane = nullptr;

  // What fire() writes.
  alignas(64) Capacity capacity;
  std::array<std::atomic<std::uint64_t>, status_code_count> refused{};  // outcomes that were known in fire()

  // The lane's only.
  alignas(64) DestinationQueue queue;
  LaneCore* core = nullptr;
  DeadlineList* deadlines = nullptr;
  TimePoint pause_until = TimePoint::min();  // a refused message waits, and order forbids to overtake it
  bool paused = false;
  // What comes to it waits until those that it replaces are gone. Not only the lane's: a change that fails ends it.
  std::atomic<bool> waits_for_others{false};
  TimePoint none_taken_since = TimePoint::max();  // began the oldest pause that no confirmed message has followed
  TimePoint leave_by = TimePoint::max();          // it is being removed: what is left then is reported closed
  std::string last_refusal;                       // of a message that is sent again

  /// For those that will take its place: its lane takes it when every message has its outcome. False: it has done so
  /// already, or others have taken its place. Any thread.
  bool set_handover(const std::shared_ptr<Handover>& handover) noexcept {
    const std::lock_guard lock(rarely_mutex_);
    if (has_handed_over_ || handover_ != nullptr) return false;
    handover_ = handover;
    return true;
  }
  void drop_handover() noexcept {
    const std::lock_guard lock(rarely_mutex_);
    handover_ = nullptr;
  }
  [[nodiscard]] std::shared_ptr<Handover> take_handover() noexcept {
    const std::lock_guard lock(rarely_mutex_);
    has_handed_over_ = true;
    return std::move(handover_);
  }

  /// Whether its messages may be sent, as far as it is up to itself.
  [[nodiscard]] bool may_send() const noexcept {
    return !paused && !waits_for_others.load(std::memory_order_relaxed) && queue.has_unsent();
  }

  std::atomic<bool> is_gone{false};                       // its lane has nothing to do with it any more
  std::atomic<TimePoint> oldest_since{TimePoint::max()};  // as note_oldest() of its lane saw it; max(): there was none

  DestinationCounters counters;

 private:
  friend class DueHeap;
  void on_due(TimePoint now) override;

  mutable std::atomic<std::uint64_t> most_accepted_{0};
  mutable std::mutex rarely_mutex_;
  Failures failures_;
  std::uint64_t delivered_before_trouble_ = 0;
  std::shared_ptr<Handover> handover_;
  bool has_handed_over_ = false;
};

}  // namespace action_triggers::detail
