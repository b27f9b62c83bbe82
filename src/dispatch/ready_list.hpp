// SPDX-License-Identifier: MIT
/// The destinations of a lane that have something to send, in the order in which it is their turn.
#pragma once

namespace action_triggers::detail {

/// What is linked into a ReadyList.
struct ReadyNode {
  ReadyNode* ready_before = nullptr;
  ReadyNode* ready_after = nullptr;
  [[nodiscard]] bool is_ready() const noexcept { return ready_after != nullptr; }
};

/// Round robin: who had its turn goes to the end. A circle through the list's own node; needs no memory.
class ReadyList {
 public:
  ReadyList() noexcept { circle_.ready_before = circle_.ready_after = &circle_; }
  ReadyList(const ReadyList&) = delete;
  ReadyList& operator=(const ReadyList&) = delete;

  [[nodiscard]] bool empty() const noexcept { return circle_.ready_after == &circle_; }
  [[nodiscard]] ReadyNode& front() noexcept { return *circle_.ready_after; }

  /// Does nothing if it is in the list.
  void push(ReadyNode& node) noexcept {
    if (node.is_ready()) return;
    node.ready_before = circle_.ready_before;
    node.ready_after = &circle_;
    circle_.ready_before->ready_after = &node;
    circle_.ready_before = &node;
  }
  /// Does nothing if it is not in the list.
  void remove(ReadyNode& node) noexcept {
    if (!node.is_ready()) return;
    node.ready_before->ready_after = node.ready_after;
    node.ready_after->ready_before = node.ready_before;
    node.ready_before = node.ready_after = nullptr;
  }
  /// Moves all of `others` to the end.
  void append(ReadyList& others) noexcept {
    if (others.empty()) return;
    ReadyNode& first = *others.circle_.ready_after;
    ReadyNode& last = *others.circle_.ready_before;
    first.ready_before = circle_.ready_before;
    circle_.ready_before->ready_after = &first;
    last.ready_after = &circle_;
    circle_.ready_before = &last;
    others.circle_.ready_before = others.circle_.ready_after = &others.circle_;
  }

 private:
  ReadyNode circle_;
};

}  // namespace action_triggers::detail
