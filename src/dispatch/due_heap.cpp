// SPDX-License-Identifier: MIT
#include "dispatch/due_heap.hpp"

#include <utility>

namespace action_triggers::detail {

void DueHeap::set(Due& due, TimePoint at) noexcept {
  if (at == due.at_) return;
  if (at == TimePoint::max()) return remove(due);
  const bool earlier = at < due.at_;
  if (!due.is_set()) {
    due.place_ = heap_.size();
    heap_.push_back(&due);  // make_place() has reserved it
  }
  due.at_ = at;
  if (earlier) {
    sift_up(due.place_);
  } else {
    sift_down(due.place_);
  }
}

void DueHeap::remove(Due& due) noexcept {
  const std::size_t place = due.place_;
  due.at_ = TimePoint::max();
  Due* const last = heap_.back();
  heap_.pop_back();
  if (last == &due) return;
  put(place, last);
  sift_up(place);
  sift_down(last->place_);
}

void DueHeap::run(TimePoint now) {
  // What is set again to a time that has come runs in the next turn: nothing here can go on for ever.
  for (std::size_t most = heap_.size(); most > 0 && next() <= now; --most) {
    Due& due = *heap_.front();
    remove(due);
    due.on_due(now);
  }
}

void DueHeap::put(std::size_t place, Due* due) noexcept {
  heap_[place] = due;
  due->place_ = place;
}

void DueHeap::sift_up(std::size_t place) noexcept {
  Due* const due = heap_[place];
  for (; place > 0 && due->at_ < heap_[(place - 1) / 2]->at_; place = (place - 1) / 2) {
    put(place, heap_[(place - 1) / 2]);
  }
  put(place, due);
}

void DueHeap::sift_down(std::size_t place) noexcept {
  Due* const due = heap_[place];
  for (std::size_t child = 2 * place + 1; child < heap_.size(); child = 2 * place + 1) {
    if (child + 1 < heap_.size() && heap_[child + 1]->at_ < heap_[child]->at_) ++child;
    if (!(heap_[child]->at_ < due->at_)) break;
    put(place, heap_[child]);
    place = child;
  }
  put(place, due);
}

}  // namespace action_triggers::detail
