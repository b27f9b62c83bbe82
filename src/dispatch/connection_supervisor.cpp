// SPDX-License-Identifier: MIT
#include "dispatch/connection_supervisor.hpp"

#include <algorithm>
#include <utility>

#include "base/futex.hpp"
#include "dispatch/out_of_memory.hpp"

namespace action_triggers::detail {
namespace {

// Wrong credentials do not mend themselves, and servers lock accounts out.
constexpr std::chrono::milliseconds least_permanent_backoff{1'000};

}  // namespace

void ConnectionSupervisor::publish_changed(TimePoint now) noexcept {
  {
    const std::lock_guard lock(facts_mutex_);
    const bool was_up = is_up(facts_.state);
    facts_.state = state();
    facts_.since = now;
    if (is_up() && !was_up) {
      if (std::exchange(was_up_, true)) ++facts_.reconnects;
      facts_.failed_attempts_since = 0;
      facts_.down_since = TimePoint::max();
      facts_.next_attempt = TimePoint::max();
    } else if (was_up && !is_up()) {
      facts_.down_since = now;
    }
    published_.store(static_cast<std::uint32_t>(facts_.state), std::memory_order_release);
  }
  futex_wake_all(published_);
}

bool ConnectionSupervisor::wait_until_up(TimePoint deadline) const noexcept {
  for (;;) {
    const std::uint32_t seen = published_.load(std::memory_order_acquire);
    const auto state = static_cast<ConnectionState>(seen);
    if (is_up(state)) return true;
    if (state == ConnectionState::closed || Clock::now() >= deadline) return false;
    futex_wait(published_, seen, deadline);
  }
}

void ConnectionSupervisor::connecting() noexcept {
  connecting_ = true;
  heap_.clear(*this);
  set_state(ConnectionState::connecting);
}

void ConnectionSupervisor::connected(TimePoint now) noexcept {
  connecting_ = false;
  reconnecting_ = false;
  connected_since_ = now;
  heap_.clear(*this);
  set_state(ConnectionState::connected);
  const std::lock_guard lock(facts_mutex_);
  facts_.error.clear();
  facts_.error_code = StatusCode::ok;
}

bool ConnectionSupervisor::disconnected(const Status& why, TimePoint now) noexcept {
  const bool was_connected = is_connected();
  connecting_ = false;
  reconnecting_ = false;
  set_state(ConnectionState::disconnected);
  if (was_connected && now - connected_since_ >= policy_.max_backoff) failures_ = 0;
  std::chrono::nanoseconds pause = backoff_.after(policy_, ++failures_);
  if (!why.retryable()) pause = std::max<std::chrono::nanoseconds>(pause, least_permanent_backoff);
  connect_at_ = now + pause;
  heap_.set(*this, connect_at_);
  if_memory_allows([&] {
    const std::lock_guard lock(facts_mutex_);
    facts_.next_attempt = connect_at_;
    facts_.error_code = why.code();
    if (!was_connected) {
      ++facts_.failed_attempts;
      ++facts_.failed_attempts_since;
    }
    facts_.error = why.to_string();
  });
  return was_connected;
}

void ConnectionSupervisor::blocked(bool is_blocked, std::string_view why) noexcept {
  if (!is_up()) return;
  set_state(is_blocked ? ConnectionState::blocked : ConnectionState::connected);
  if_memory_allows([&] {
    const std::lock_guard lock(facts_mutex_);
    blocked_why_ = why;
  });
}

void ConnectionSupervisor::reconnecting(bool is_reconnecting, std::string_view why) noexcept {
  if (!is_connected()) return;
  reconnecting_ = is_reconnecting;
  if (!is_reconnecting) {
    set_state(ConnectionState::connected);
  } else {
    set_state(why.empty() ? ConnectionState::connecting : ConnectionState::disconnected);
  }
  if_memory_allows([&] {
    const std::lock_guard lock(facts_mutex_);
    if (is_reconnecting && why.empty()) return;
    facts_.error_code = why.empty() ? StatusCode::ok : StatusCode::unavailable;
    facts_.error = why;
  });
}

std::string ConnectionSupervisor::error() const {
  const std::lock_guard lock(facts_mutex_);
  return facts_.error;
}

ConnectionFacts ConnectionSupervisor::facts() const {
  const std::lock_guard lock(facts_mutex_);
  ConnectionFacts facts = facts_;
  if (facts.state == ConnectionState::blocked) facts.error = blocked_why_;
  return facts;
}

std::string ConnectionSupervisor::why_waiting() const {
  switch (state()) {
    case ConnectionState::disconnected:
    case ConnectionState::connecting: {
      const std::string last = error();
      return "waiting for a connection" + (last.empty() ? std::string() : "; the last try failed: " + last);
    }
    case ConnectionState::blocked: {
      const std::lock_guard lock(facts_mutex_);
      return "the broker accepts nothing for now: " + blocked_why_;
    }
    default:
      return {};
  }
}

}  // namespace action_triggers::detail
