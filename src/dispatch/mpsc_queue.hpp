// SPDX-License-Identifier: MIT
/// An intrusive queue for many producers and one consumer, after Dmitry Vyukov's intrusive MPSC node-based queue.
///
/// It keeps causal order between threads: if one push() returned before another began, they come out in that order.
/// Queues with a sub-queue per producer do not (docs/decisions/0001).
#pragma once

#include <atomic>

namespace action_triggers::detail {

struct QueueNode {
  std::atomic<QueueNode*> next_in_queue{nullptr};
  bool is_command = false;  // a LaneCommand; otherwise a Record
};

class MpscQueue {
 public:
  MpscQueue() = default;
  MpscQueue(const MpscQueue&) = delete;
  MpscQueue& operator=(const MpscQueue&) = delete;

  /// Any thread. Wait-free. The exchange is sequentially consistent: a producer that afterwards reads (seq_cst) that
  /// the consumer is awake can rely on the consumer's next empty() to see this push.
  void push(QueueNode* node) noexcept { push(node, node); }

  /// Several at once, with nothing of other producers in between: `first` to `last` are linked already.
  void push(QueueNode* first, QueueNode* last) noexcept {
    last->next_in_queue.store(nullptr, std::memory_order_relaxed);
    QueueNode* previous = newest_.exchange(last, std::memory_order_seq_cst);
    previous->next_in_queue.store(first, std::memory_order_release);
  }

  /// Consumer only. nullptr: empty, or the next producer is between its exchange and its link (then empty() is false).
  QueueNode* pop() noexcept {
    QueueNode* oldest = oldest_;
    QueueNode* next = oldest->next_in_queue.load(std::memory_order_acquire);
    if (oldest == &stub_) {
      if (next == nullptr) return nullptr;
      oldest_ = oldest = next;
      next = oldest->next_in_queue.load(std::memory_order_acquire);
    }
    if (next == nullptr) {
      if (oldest != newest_.load(std::memory_order_acquire)) return nullptr;
      push(&stub_);  // so that the last node can be taken out
      next = oldest->next_in_queue.load(std::memory_order_acquire);
      if (next == nullptr) return nullptr;
    }
    oldest_ = next;
    return oldest;
  }

  /// Consumer only. What pop() will probably return next; its address only, it may not be complete yet.
  [[nodiscard]] const QueueNode* upcoming() const noexcept { return oldest_; }

  /// Consumer only.
  [[nodiscard]] bool empty() const noexcept {
    return oldest_ == &stub_ && newest_.load(std::memory_order_seq_cst) == &stub_;
  }

 private:
  QueueNode stub_;
  alignas(64) std::atomic<QueueNode*> newest_{&stub_};
  alignas(64) QueueNode* oldest_ = &stub_;
};

}  // namespace action_triggers::detail
