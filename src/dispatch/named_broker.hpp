/// One named broker as the hook, the lane and stats() see it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "action_triggers/broker_config.hpp"
#include "action_triggers/stats.hpp"
#include "dispatch/latency_histogram.hpp"
#include "dispatch/record.hpp"

namespace action_triggers::detail {

class Lane;

/// A counter with one writer and any readers.
class Counter {
 public:
  void add(std::uint64_t n) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void subtract(std::uint64_t n) noexcept { add(~n + 1); }
  [[nodiscard]] std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// The bounds of one name: a count and a sum of bytes in one atomic, so that a fire pays for one read-modify-write.
class Quota {
 public:
  enum class Answer : std::uint8_t { granted, full, too_large, closed };

  Quota(std::size_t max_messages, std::size_t max_bytes) : max_messages_(max_messages), max_bytes_(max_bytes) {}

  /// Takes room for one message. `slack` doubles the bounds: with Overflow::drop_oldest the lane makes the room.
  Answer take(std::size_t bytes, bool slack) noexcept {
    if (bytes > max_bytes_) return Answer::too_large;
    const std::uint64_t before = used_.fetch_add(one_message + bytes, std::memory_order_seq_cst);
    const unsigned factor = slack ? 2 : 1;
    Answer answer = Answer::granted;
    if ((before & closed_bit) != 0) {
      answer = Answer::closed;
    } else if (messages_in(before) >= factor * max_messages_ || bytes_in(before) + bytes > factor * max_bytes_) {
      answer = Answer::full;
    }
    if (answer != Answer::granted) give_back(1, bytes);
    return answer;
  }
  void give_back(std::uint64_t messages, std::uint64_t bytes) noexcept {
    used_.fetch_sub(messages * one_message + bytes, std::memory_order_seq_cst);
  }

  /// From here on take() says closed; what was granted before is still counted until it is given back. That is how a
  /// closing lane knows that a producer is still on its way to the queue.
  void close() noexcept { used_.fetch_or(closed_bit, std::memory_order_seq_cst); }

  [[nodiscard]] std::uint64_t messages() const noexcept { return messages_in(used_.load(std::memory_order_seq_cst)); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_in(used_.load(std::memory_order_relaxed)); }

 private:
  // closed: 1 bit | messages: 25 bits | bytes: 38 bits. The loader keeps the bounds far enough below for `slack`.
  static constexpr std::uint64_t closed_bit = 1ULL << 63U;
  static constexpr std::uint64_t one_message = 1ULL << 38U;
  static std::uint64_t messages_in(std::uint64_t used) noexcept { return (used & ~closed_bit) / one_message; }
  static std::uint64_t bytes_in(std::uint64_t used) noexcept { return used & (one_message - 1); }

  std::atomic<std::uint64_t> used_{0};
  const std::size_t max_messages_;
  const std::size_t max_bytes_;
};

struct NamedBroker {
  NamedBroker(std::shared_ptr<const BrokerConfig> broker_config, std::uint32_t index_in_lane)
      : config(std::move(broker_config)),
        name(config->name),
        index(index_in_lane),
        overflow(config->overflow),
        quota(config->max_queued_messages, config->max_queued_bytes) {}

  // What fire() reads, in one cache line (names of up to 15 characters lie in the string itself).
  const std::shared_ptr<const BrokerConfig> config;
  const std::string name;
  const std::uint32_t index;
  const Overflow overflow;
  Lane* lane = nullptr;

  // The hook's: taken in fire(), given back by the lane.
  alignas(64) Quota quota;
  std::atomic<std::uint64_t> wake_producers_at{0};                      // when no more messages than these are left
  std::array<std::atomic<std::uint64_t>, status_code_count> refused{};  // outcomes that were known in fire()

  // The lane's only. `live` is every message without an outcome, in the order of firing; those that the broker holds
  // are marked in_flight, `next_unsent` is the oldest that it does not hold.
  alignas(64) RecordList live;
  Record* next_unsent = nullptr;
  std::size_t live_count = 0;
  std::size_t live_bytes = 0;
  TimePoint resume_at = TimePoint::min();  // not before: a retry is waiting, and order forbids to overtake it
  std::uint32_t failures_in_a_row = 0;
  std::string last_refusal;  // of a message that is tried again
  // Is in the lane's list of names …
  bool ready = false;    // with something to send
  bool stalled = false;  // of which the broker took less than it was offered
  bool paused = false;   // that wait for resume_at

  // Written by the lane, read by stats().
  Counter picked_up;
  Counter held;  // picked up, and not yet let go of by lane and client
  Counter in_flight;
  Counter retried;
  Counter late_outcomes;
  std::array<Counter, status_code_count> outcomes;
  LatencyHistogram latency;
  mutable std::mutex last_error_mutex;
  std::string last_error;

  void set_last_error(const std::string& text) {
    const std::lock_guard lock(last_error_mutex);
    last_error = text;
  }
  [[nodiscard]] std::string get_last_error() const {
    const std::lock_guard lock(last_error_mutex);
    return last_error;
  }
};

}  // namespace action_triggers::detail
