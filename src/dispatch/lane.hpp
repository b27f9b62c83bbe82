/// One thread and one connection: drives a LaneCore in real time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/dispatcher_options.hpp"
#include "dispatch/lane_core.hpp"
#include "dispatch/mpsc_queue.hpp"
#include "base/thread.hpp"

namespace action_triggers::detail {

/// What all lanes of a dispatcher share: the application's hooks. Lives as long as the last lane.
struct Hooks {
  DispatcherOptions options;
  std::atomic<std::uint64_t> callback_exceptions{0};
  std::atomic<std::uint64_t> slow_callbacks{0};

  void log(LogLevel level, std::string_view component, std::string_view text) noexcept;
  /// Runs the message's callback and on_failure, here or on the executor. Drops nothing, throws nothing.
  void run_callbacks(Record& record, const DeliveryReport& report) noexcept;

 private:
  void call_all(const DeliveryCallback& callback, const DeliveryReport& report, const char* where) noexcept;
  void call(const DeliveryCallback& callback, const DeliveryReport& report) noexcept;
};

class Lane : public std::enable_shared_from_this<Lane> {
 public:
  Lane(std::vector<std::shared_ptr<const BrokerConfig>> configs, BrokerRegistry::Make make,
       std::shared_ptr<Hooks> hooks, const std::string& thread_name);
  ~Lane();

  [[nodiscard]] const std::vector<std::unique_ptr<NamedBroker>>& names() const { return names_; }

  /// Throws std::system_error. Once.
  void start();

  /// Any thread.
  void push(Record& record) noexcept;
  /// False: the lane has ended, everything has its outcome.
  bool push(FlushMark& mark);

  /// Waits until there may be room again, or `deadline`. There may still be none; ask again.
  void wait_for_room(NamedBroker& named, TimePoint deadline);

  void begin_close(TimePoint deadline);
  /// False: `deadline` came first.
  bool wait_until_ended(TimePoint deadline);
  /// Waits for the thread; on the lane's own thread, lets it go instead.
  void join();

  [[nodiscard]] ConnectionState state() const { return core_.state(); }
  [[nodiscard]] std::string connection_error() const { return core_.connection_error(); }
  /// After the lane has ended.
  [[nodiscard]] const LaneCore::CloseCounts& close_counts() const { return core_.close_counts(); }

 private:
  /// Shared with Wakers, which may outlive the lane.
  class WakeUp;

  void run();
  void sleep(bool messages_may_follow);
  void report_resolved();
  void wake_producers();

  const std::shared_ptr<Hooks> hooks_;
  const std::string thread_name_;
  std::vector<std::unique_ptr<NamedBroker>> names_;
  const std::shared_ptr<WakeUp> wake_up_;
  LaneCore core_;
  MpscQueue queue_;
  alignas(64) std::atomic<bool> asleep_{false};

  static constexpr TimePoint::rep open = TimePoint::max().time_since_epoch().count();
  std::atomic<TimePoint::rep> close_deadline_{open};

  std::atomic<std::uint32_t> producers_waiting_{0};
  std::mutex mutex_;
  std::condition_variable changed_;  // room was made, or the lane has ended
  bool ended_ = false;
  Thread thread_;
};

}  // namespace action_triggers::detail
