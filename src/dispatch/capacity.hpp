// SPDX-License-Identifier: MIT
/// How many messages and bytes a destination may hold without an outcome.
///
/// fire() reserves. The lane releases: OutcomeQueue when a message has its outcome, for several at once and before its
/// report, so that a callback may fire; but what the broker still holds beyond its outcome (a deadline came first) when
/// it is reported and the broker has completed it, whichever comes last: LaneCore::reported() or released_by_broker().
/// A fire() that finds no memory for its record gives back its own (Dispatcher::fire()).
///
/// What open commit scopes hold is counted apart: it takes room from others, and a lane that closes or a destination
/// that goes does not wait for it. At commit it moves over, unless the capacity is closed.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/futex.hpp"

namespace action_triggers::detail {

/// A count and a sum of bytes in one atomic, so that a fire pays for one read-modify-write.
class Capacity {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class Answer : std::uint8_t { reserved, full, too_large, closed };

  Capacity(std::size_t max_messages, std::size_t max_bytes) : max_messages_(max_messages), max_bytes_(max_bytes) {}

  /// Any thread. For one message. `slack` doubles the capacity: with Overflow::drop_oldest the lane drops messages for
  /// the newer ones.
  Answer reserve(std::size_t bytes, bool slack) noexcept {
    if (bytes > max_bytes_) return Answer::too_large;
    // Not added first and taken back: what is refused would count for a moment.
    std::uint64_t before = used_.load(std::memory_order_relaxed);
    do {
      if ((before & closed_bit) != 0) return Answer::closed;
      if (!has_room(before + scoped_.load(std::memory_order_relaxed), bytes, slack)) return Answer::full;
    } while (!used_.compare_exchange_weak(before, before + one_message + bytes, std::memory_order_seq_cst));
    return Answer::reserved;
  }

  /// Any thread. The same for a message that an open commit scope holds. Where threads reserve inside and outside of
  /// scopes at the same moment, the limits may be exceeded by a message for each of these threads.
  Answer reserve_in_scope(std::size_t bytes, bool slack) noexcept {
    if (bytes > max_bytes_) return Answer::too_large;
    std::uint64_t before = scoped_.load(std::memory_order_relaxed);
    do {
      const std::uint64_t used = used_.load(std::memory_order_relaxed);
      if ((used & closed_bit) != 0) return Answer::closed;
      if (!has_room(used + before, bytes, slack)) return Answer::full;
    } while (!scoped_.compare_exchange_weak(before, before + one_message + bytes, std::memory_order_seq_cst));
    return Answer::reserved;
  }

  /// Any thread. Whatever the limits: for messages that were reserved in a scope, here or at a destination that this
  /// one succeeds, since a commit does not fail (release them there), and for a fire that a reload waits for. False:
  /// closed.
  bool take_beyond_limits(std::uint64_t messages, std::uint64_t bytes) noexcept {
    std::uint64_t before = used_.load(std::memory_order_relaxed);
    do {
      if ((before & closed_bit) != 0) return false;
    } while (!used_.compare_exchange_weak(before, before + messages * one_message + bytes, std::memory_order_seq_cst));
    return true;
  }

  /// Any thread.
  void release_in_scope(std::uint64_t messages, std::uint64_t bytes) noexcept {
    scoped_.fetch_sub(messages * one_message + bytes, std::memory_order_seq_cst);
    if (waiting_.load(std::memory_order_seq_cst) != 0) wake_if_enough();
  }

  /// Any thread.
  void release(std::uint64_t messages, std::uint64_t bytes) noexcept {
    used_.fetch_sub(messages * one_message + bytes, std::memory_order_seq_cst);
    if (waiting_.load(std::memory_order_seq_cst) != 0) wake_if_enough();
  }

  /// Waits until an eighth of what is reserved has been released, 10 ms have passed, the capacity was closed, or
  /// `deadline` has come: not for each message released. There may still be none; reserve() again.
  void wait(TimePoint deadline) noexcept {
    waiting_.fetch_add(1, std::memory_order_seq_cst);
    const std::uint32_t seen = released_.load(std::memory_order_seq_cst);
    const std::uint64_t before = used_.load(std::memory_order_seq_cst);
    const std::uint64_t messages = messages_in(before) + messages_in_scopes();
    wake_at_.store(messages - std::min(messages, std::max<std::uint64_t>(messages / 8, 1)), std::memory_order_seq_cst);
    const TimePoint latest = std::min(deadline, std::chrono::steady_clock::now() + longest_wait);
    if (messages != 0 && (before & closed_bit) == 0) futex_wait(released_, seen, latest);
    waiting_.fetch_sub(1, std::memory_order_seq_cst);
  }

  /// From here on reserve() says closed; what was reserved before still counts until it is released. That is how a
  /// closing lane knows that a thread that fires is still on its way to the queue.
  void close() noexcept {
    used_.fetch_or(closed_bit, std::memory_order_seq_cst);
    wake();
  }

  [[nodiscard]] std::uint64_t messages() const noexcept { return messages_in(used_.load(std::memory_order_seq_cst)); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_in(used_.load(std::memory_order_relaxed)); }
  /// What is not in the two above.
  [[nodiscard]] std::uint64_t messages_in_scopes() const noexcept {
    return messages_in(scoped_.load(std::memory_order_seq_cst));
  }
  [[nodiscard]] std::uint64_t bytes_in_scopes() const noexcept {
    return bytes_in(scoped_.load(std::memory_order_relaxed));
  }

  /// Whether a message like those that it holds would get no room.
  [[nodiscard]] bool is_full() const noexcept {
    const std::uint64_t used =
        (used_.load(std::memory_order_relaxed) & ~closed_bit) + scoped_.load(std::memory_order_relaxed);
    const std::uint64_t messages = messages_in(used);
    return messages > 0 && !has_room(used, bytes_in(used) / messages, /*slack=*/false);
  }

 private:
  // closed: 1 bit | messages: 25 bits | bytes: 38 bits. The loader keeps the limits far enough below for `slack`.
  static constexpr std::uint64_t closed_bit = 1ULL << 63U;
  static constexpr std::uint64_t one_message = 1ULL << 38U;
  static constexpr std::chrono::milliseconds longest_wait{10};
  static std::uint64_t messages_in(std::uint64_t used) noexcept { return (used & ~closed_bit) / one_message; }
  static std::uint64_t bytes_in(std::uint64_t used) noexcept { return used & (one_message - 1); }

  [[nodiscard]] bool has_room(std::uint64_t used, std::size_t bytes, bool slack) const noexcept {
    const unsigned factor = slack ? 2 : 1;
    return messages_in(used) < factor * max_messages_ && bytes_in(used) + bytes <= factor * max_bytes_;
  }
  void wake_if_enough() noexcept {
    if (messages() + messages_in_scopes() <= wake_at_.load(std::memory_order_seq_cst)) wake();
  }
  void wake() noexcept {
    released_.fetch_add(1, std::memory_order_seq_cst);
    if (waiting_.load(std::memory_order_seq_cst) != 0) futex_wake_all(released_);
  }

  std::atomic<std::uint64_t> used_{0};
  std::atomic<std::uint64_t> scoped_{0};  // the same for open commit scopes
  const std::size_t max_messages_;
  const std::size_t max_bytes_;
  std::atomic<std::uint32_t> waiting_{0};   // threads in wait()
  std::atomic<std::uint32_t> released_{0};  // changes when they should look again
  std::atomic<std::uint64_t> wake_at_{0};   // they are woken when no more messages than these are left
};

}  // namespace action_triggers::detail
