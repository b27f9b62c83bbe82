// SPDX-License-Identifier: MIT
/// The state of a lane's connection, and when to connect again.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "action_triggers/stats.hpp"
#include "action_triggers/status.hpp"
#include "core/backoff.hpp"
#include "dispatch/due_heap.hpp"

namespace action_triggers::detail {

/// What stats() says of a connection.
struct ConnectionFacts {
  ConnectionState state = ConnectionState::connecting;
  TimePoint since;       // when it came to this state
  TimePoint down_since;  // since when there is none; max(): there is one
  TimePoint next_attempt = TimePoint::max();
  std::uint64_t reconnects = 0;
  std::uint64_t failed_attempts = 0;
  std::uint64_t failed_attempts_since = 0;  // there was a connection
  StatusCode error_code = StatusCode::ok;
  std::string error;
};

/// As a Due: the time of the next attempt to connect. State, error and facts may be read from any thread.
class ConnectionSupervisor final : public Due {
 public:
  ConnectionSupervisor(DueHeap& heap, Backoff& backoff, TimePoint now) : heap_(heap), backoff_(backoff) {
    heap_.make_place();
    facts_.since = now;
    facts_.down_since = now;
  }

  /// Pauses between attempts follow the shortest of the destinations' policies.
  void set_policy(const RetryPolicy& policy) { policy_ = policy; }
  /// One more destination's.
  void add_policy(const RetryPolicy& policy) {
    policy_.initial_backoff = std::min(policy_.initial_backoff, policy.initial_backoff);
    policy_.max_backoff = std::min(policy_.max_backoff, policy.max_backoff);
  }

  [[nodiscard]] bool should_connect(TimePoint now) const noexcept {
    return !is_connected() && !connecting_ && now >= connect_at_;
  }
  void connecting() noexcept;
  void connected(TimePoint now) noexcept;
  /// The connection is lost, or could not be made; an attempt will be due after a pause. True: it was connected.
  bool disconnected(const Status& why, TimePoint now) noexcept;
  void blocked(bool is_blocked, std::string_view why) noexcept;
  /// See BrokerEvents::reconnecting().
  void reconnecting(bool is_reconnecting, std::string_view why) noexcept;
  void closed() noexcept {
    reconnecting_ = false;
    set_state(ConnectionState::closed);
  }
  /// The broker was replaced: as if there had been no connection yet.
  void reset() noexcept {
    reconnecting_ = false;
    set_state(ConnectionState::connecting);
  }
  /// A message was confirmed: the next pause is a short one again.
  void delivered() noexcept { failures_ = 0; }

  [[nodiscard]] ConnectionState state() const noexcept { return state_.load(std::memory_order_relaxed); }
  /// There is a connection.
  [[nodiscard]] bool is_up() const noexcept { return is_up(state()); }
  /// Tells wait_until_up() and facts() of the state, once it holds: a broker may say connected() and reconnecting() at
  /// once.
  void publish(TimePoint now) noexcept {
    if (published_.load(std::memory_order_relaxed) != static_cast<std::uint32_t>(state())) publish_changed(now);
  }
  /// Waits until the published state is_up(). False: `deadline` came first, or the lane has ended. Any thread.
  [[nodiscard]] bool wait_until_up(TimePoint deadline) const noexcept;
  /// Messages may be offered.
  [[nodiscard]] bool is_connected() const noexcept { return reconnecting_ || is_up(); }
  [[nodiscard]] std::string error() const;
  /// As of the latest publish().
  [[nodiscard]] ConnectionFacts facts() const;
  /// Why a message that is not in flight waits, if it is because of the connection; otherwise empty.
  [[nodiscard]] std::string why_waiting() const;

 private:
  void publish_changed(TimePoint now) noexcept;
  void on_due(TimePoint) override {}  // the lane's turn looks at should_connect()
  void set_state(ConnectionState state) noexcept { state_.store(state, std::memory_order_relaxed); }
  static bool is_up(ConnectionState state) noexcept {
    return state == ConnectionState::connected || state == ConnectionState::blocked;
  }

  DueHeap& heap_;
  Backoff& backoff_;
  RetryPolicy policy_;
  std::atomic<ConnectionState> state_{ConnectionState::connecting};
  std::atomic<std::uint32_t> published_{static_cast<std::uint32_t>(ConnectionState::connecting)};
  bool connecting_ = false;
  bool reconnecting_ = false;
  TimePoint connect_at_ = TimePoint::min();
  TimePoint connected_since_;
  std::uint32_t failures_ = 0;
  mutable std::mutex facts_mutex_;  // of what follows
  ConnectionFacts facts_;           // without why it is blocked
  std::string blocked_why_;
  bool was_up_ = false;
};

}  // namespace action_triggers::detail
