// SPDX-License-Identifier: MIT
/// One thread and one connection: drives a LaneCore in real time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "action_triggers/broker.hpp"
#include "base/message_id.hpp"
#include "base/thread.hpp"
#include "base/wake_fd.hpp"
#include "dispatch/callbacks.hpp"
#include "dispatch/lane_core.hpp"
#include "dispatch/mpsc_queue.hpp"

namespace action_triggers::detail {

class Lane : public std::enable_shared_from_this<Lane> {
 public:
  using MakeBroker = std::function<std::unique_ptr<Broker>(const BrokerConfig& config)>;
  using Destinations = std::vector<std::shared_ptr<Destination>>;

  /// Throws what `make` throws, std::bad_alloc, or std::system_error without a descriptor.
  Lane(Destinations destinations, MakeBroker make, std::shared_ptr<Callbacks> callbacks,
       const std::string& thread_name);
  ~Lane();

  /// Throws std::system_error. Once.
  void start();

  /// Any thread.
  void push(Record& record) noexcept { push(record, record); }
  /// Several at once, linked as MpscQueue wants it.
  void push(Record& first, Record& last) noexcept;
  /// False: the lane has ended, everything has its outcome; the command is still the caller's.
  bool push(LaneCommand& command);
  /// The wall clock as of the lane's last turn; of now if the lane sleeps. For ids.
  [[nodiscard]] std::uint64_t unix_ms() const noexcept {
    return asleep_.load(std::memory_order_relaxed) ? coarse_unix_ms() : unix_ms_.load(std::memory_order_relaxed);
  }

  /// One more destination, which fires may reach once this returns. Any thread but a lane's. Throws std::bad_alloc.
  void add(const std::shared_ptr<Destination>& destination);
  /// What remove() needs. Throws std::bad_alloc.
  [[nodiscard]] static std::unique_ptr<LaneCommand> removal_of(Destination& destination, TimePoint deadline);
  /// No further fire is taken; what is left at the removal's deadline is reported `closed`. Any thread.
  void remove(Destination& destination, std::unique_ptr<LaneCommand> removal) noexcept;

  /// Of its dispatcher.
  [[nodiscard]] const Callbacks& callbacks() const noexcept { return *callbacks_; }

  /// As LaneCore::begin_close(). May be called again; the earlier deadline counts.
  void begin_close(TimePoint deadline, bool all);
  /// False: `deadline` came first.
  bool wait_until_ended(TimePoint deadline);
  /// Waits for the thread; on the lane's own thread, releases it instead.
  void join();

  [[nodiscard]] ConnectionFacts connection_facts() const { return core_.connection_facts(); }
  [[nodiscard]] std::string connection_error() const { return core_.connection_error(); }
  /// False: `deadline` came first, or the lane has ended. Any thread but the lane's.
  [[nodiscard]] bool wait_until_connected(TimePoint deadline) const { return core_.wait_until_connected(deadline); }
  /// Has the lane write down soon since when its oldest messages wait. Gives what wait_for_ages() wants. Any thread.
  std::uint32_t ask_for_ages() noexcept;
  /// False: `deadline` came first. Any thread but the lane's.
  bool wait_for_ages(std::uint32_t asked, TimePoint deadline) const noexcept;
  /// So far.
  [[nodiscard]] const LaneClosing::Counts& close_counts() const { return core_.close_counts(); }

 private:
  class AddDestination;
  class RemoveDestination;

  void run();
  [[nodiscard]] int admit_queued();
  void sleep(bool messages_may_follow);
  bool wait(const WaitRequest& request, TimePoint latest);
  void forget(Destination& destination);
  void answer_for_ages() noexcept;

  const std::shared_ptr<Callbacks> callbacks_;
  const std::string thread_name_;
  const std::shared_ptr<WakeFd> wake_up_;  // shared with Wakers, which may outlive the lane
  LaneCore core_;
  MpscQueue queue_;
  alignas(64) std::atomic<bool> asleep_{false};
  std::atomic<std::uint64_t> unix_ms_;

  // Asked for when the coarse clock ticks, and when somebody has woken the lane: not in every turn.
  std::atomic<std::uint32_t> ages_asked_{0};
  std::atomic<std::uint32_t> ages_answered_{0};

  static constexpr TimePoint::rep open = TimePoint::max().time_since_epoch().count();
  alignas(64) std::atomic<TimePoint::rep> close_deadline_{open};
  std::atomic<bool> all_close_{false};

  std::mutex mutex_;
  std::condition_variable state_changed_;
  bool ended_ = false;  // under mutex_, as is what follows
  Destinations destinations_;
  Thread thread_;
};

}  // namespace action_triggers::detail
