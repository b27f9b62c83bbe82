// SPDX-License-Identifier: MIT
/// Messages whose outcome is decided and not yet reported, in the order of their outcomes.
#pragma once

#include <cstddef>

#include "dispatch/record.hpp"

namespace action_triggers::detail {

/// Linked through the records themselves: an outcome needs no memory.
class OutcomeQueue {
 public:
  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  [[nodiscard]] Record* first() const noexcept { return first_; }
  void push(Record& record) noexcept;
  void pop() noexcept;

  /// Releases the capacity of the first messages, if that has not been done: before they are reported, so that whoever
  /// learns of the outcome can fire the next message.
  void release_capacity_of_first() noexcept;

 private:
  Record* first_ = nullptr;
  Record* last_ = nullptr;
  std::size_t released_ = 0;  // of the first so many
};

/// Releases what was reserved for `messages` of one destination.
void release_capacity(Destination& destination, std::uint64_t messages, std::uint64_t bytes) noexcept;

}  // namespace action_triggers::detail
