// SPDX-License-Identifier: MIT
/// Latencies in buckets that are 12.5 % wide; one writer, any readers.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "action_triggers/histogram.hpp"

namespace action_triggers::detail {

/// OpenTelemetry's for messaging, and finer and coarser ones, since a broker nearby answers in less than a millisecond,
/// and a message may wait for a minute.
inline constexpr auto histogram_bounds = std::to_array<std::chrono::microseconds>(
    {std::chrono::microseconds(500), std::chrono::milliseconds(1), std::chrono::microseconds(2'500),
     std::chrono::milliseconds(5), std::chrono::milliseconds(10), std::chrono::milliseconds(25),
     std::chrono::milliseconds(50), std::chrono::milliseconds(75), std::chrono::milliseconds(100),
     std::chrono::milliseconds(250), std::chrono::milliseconds(500), std::chrono::milliseconds(750),
     std::chrono::seconds(1), std::chrono::milliseconds(2'500), std::chrono::seconds(5),
     std::chrono::milliseconds(7'500), std::chrono::seconds(10), std::chrono::seconds(30), std::chrono::seconds(60)});

class LatencyHistogram {
 public:
  void record(std::chrono::nanoseconds latency) noexcept {
    const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0));
    add(counts_[bucket_of(ns)], 1U);
    if (ns > max_.load(std::memory_order_relaxed)) max_.store(ns, std::memory_order_relaxed);
  }

  /// Adds what another one has recorded.
  void add(const LatencyHistogram& other) noexcept {
    for (std::size_t i = 0; i < bucket_count; ++i) add(counts_[i], other.counts_[i].load(std::memory_order_relaxed));
    max_.store(std::max(max_.load(std::memory_order_relaxed), other.max_.load(std::memory_order_relaxed)),
               std::memory_order_relaxed);
  }

  /// The upper bound of the bucket in which this share (0 to 1) of the latencies ends; 0 if there are none.
  [[nodiscard]] std::chrono::nanoseconds quantile(double share) const noexcept {
    std::array<std::uint64_t, bucket_count> counts{};
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < bucket_count; ++i) total += counts[i] = counts_[i].load(std::memory_order_relaxed);
    if (total == 0) return {};
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total - 1)) + 1;
    std::uint64_t seen = 0;
    std::size_t bucket = 0;
    while (bucket + 1 < bucket_count && (seen += counts[bucket]) < wanted) ++bucket;
    return std::min(std::chrono::nanoseconds(upper_bound_of(bucket)), max());
  }

  /// Adds the same to a Histogram, in its buckets.
  void add_to(Histogram& histogram) const {
    if (histogram.buckets.empty()) {
      for (const std::chrono::microseconds bound : histogram_bounds)
        histogram.buckets.push_back({.upper_bound = bound});
    }
    std::uint64_t seen = 0;
    std::size_t next = 0;  // of the histogram's buckets
    const auto close_buckets_below = [&](std::int64_t bound) {
      for (; next < histogram.buckets.size() && histogram.buckets[next].upper_bound.count() < bound; ++next) {
        histogram.buckets[next].count += seen;
      }
    };
    for (std::size_t i = 0; i < bucket_count; ++i) {
      const std::uint64_t count = counts_[i].load(std::memory_order_relaxed);
      if (count == 0) continue;
      close_buckets_below(upper_bound_of(i));
      seen += count;
      const std::int64_t lower = i == 0 ? 0 : upper_bound_of(i - 1);
      histogram.sum += std::chrono::nanoseconds((lower + upper_bound_of(i)) / 2) * static_cast<double>(count);
    }
    close_buckets_below(std::numeric_limits<std::int64_t>::max());
    histogram.count += seen;
  }

  [[nodiscard]] std::chrono::nanoseconds max() const noexcept {
    return std::chrono::nanoseconds(max_.load(std::memory_order_relaxed));
  }

 private:
  static constexpr unsigned bits = 3;                                // 8 buckets per doubling
  static constexpr std::size_t bucket_count = (52U - bits) << bits;  // up to 26 days: rows of an outbox may wait long

  static std::size_t bucket_of(std::uint64_t ns) noexcept {
    if (ns < (1U << bits)) return ns;
    const auto shift = static_cast<unsigned>(std::bit_width(ns)) - 1U - bits;
    return std::min<std::size_t>(((shift + 1U) << bits) + ((ns >> shift) & ((1U << bits) - 1U)), bucket_count - 1);
  }
  static std::int64_t upper_bound_of(std::size_t bucket) noexcept {
    if (bucket < (1U << bits)) return static_cast<std::int64_t>(bucket);
    const std::size_t shift = (bucket >> bits) - 1U;
    return static_cast<std::int64_t>((((1U << bits) | (bucket & ((1U << bits) - 1U))) + 1U) << shift);
  }
  static void add(std::atomic<std::uint64_t>& counter, std::uint64_t n) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  std::array<std::atomic<std::uint64_t>, bucket_count> counts_{};
  std::atomic<std::uint64_t> max_{0};
};

}  // namespace action_triggers::detail
