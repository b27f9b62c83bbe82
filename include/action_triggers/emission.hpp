// SPDX-License-Identifier: MIT
/// What became of one event: emit() gives an Emission, with one Delivery for each target that it went to.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

#include "action_triggers/clock.hpp"
#include "action_triggers/delivery.hpp"
#include "action_triggers/export.hpp"

namespace action_triggers {

namespace detail {
class Emitter;
}

/// The deliveries of one event, in the order of the triggers and their targets in the configuration. Dropping it
/// cancels nothing.
///
///     for (const at::DeliveryReport& report : dispatcher.emit("order.paid", json).wait()) …
///
/// Ownership: shares the outcomes with the lanes; may outlive the dispatcher.
/// Threads: one thread per object; copies may be used from different threads.
class ACTION_TRIGGERS_EXPORT Emission {
 public:
  class Iterator;

  /// Of no event, or of one that no trigger sends anywhere: no deliveries, and done.
  Emission() = default;
  Emission(const Emission&) = default;
  Emission(Emission&& other) noexcept
      : size_(std::exchange(other.size_, 0)), first_(std::move(other.first_)), more_(std::move(other.more_)) {}
  Emission& operator=(Emission other) noexcept {
    size_ = other.size_;
    first_ = std::move(other.first_);
    more_ = std::move(other.more_);
    return *this;
  }
  ~Emission() = default;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  /// `index` < size().
  [[nodiscard]] const Delivery& operator[](std::size_t index) const noexcept {
    return index < few ? first_[index] : more_[index - few];
  }

  /// Whether every outcome is known. Never blocks.
  [[nodiscard]] bool done() const;

  /// Blocks until every outcome is known, as Delivery::wait() does for each. Then iterate over the reports.
  const Emission& wait() const&;
  Emission wait() &&;
  /// False: `timeout` came first.
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(std::chrono::duration<Rep, Period> timeout) const {
    return wait_at_most(saturated(timeout));
  }

  /// wait(), and whether every report is ok. True if there is none: empty() says so.
  [[nodiscard]] bool all_ok() const;

  /// Over the reports; an outcome that is not known yet is waited for.
  [[nodiscard]] Iterator begin() const noexcept;
  [[nodiscard]] Iterator end() const noexcept;

 private:
  friend class detail::Emitter;
  void add(Delivery&& delivery) {
    if (size_ < few) {
      first_[size_] = std::move(delivery);
    } else {
      more_.push_back(std::move(delivery));
    }
    ++size_;
  }
  [[nodiscard]] bool wait_at_most(std::chrono::nanoseconds timeout) const;

  static constexpr std::size_t few = 4;  // so many need no allocation
  std::size_t size_ = 0;
  std::array<Delivery, few> first_;
  std::vector<Delivery> more_;
};

/// Valid as long as its Emission, and so are the reports.
class Emission::Iterator {
 public:
  using value_type = DeliveryReport;
  using reference = const DeliveryReport&;
  using pointer = const DeliveryReport*;
  using difference_type = std::ptrdiff_t;
  using iterator_category = std::forward_iterator_tag;

  Iterator() = default;

  reference operator*() const { return (*emission_)[index_].wait(); }
  pointer operator->() const { return &**this; }
  Iterator& operator++() noexcept {
    ++index_;
    return *this;
  }
  Iterator operator++(int) noexcept {
    const Iterator before = *this;
    ++index_;
    return before;
  }
  friend bool operator==(const Iterator&, const Iterator&) = default;

 private:
  friend class Emission;
  Iterator(const Emission& emission, std::size_t index) noexcept : emission_(&emission), index_(index) {}

  const Emission* emission_ = nullptr;
  std::size_t index_ = 0;
};

inline Emission::Iterator Emission::begin() const noexcept { return {*this, 0}; }
inline Emission::Iterator Emission::end() const noexcept { return {*this, size_}; }

}  // namespace action_triggers
