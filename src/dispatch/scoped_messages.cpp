// SPDX-License-Identifier: MIT
// What Dispatcher does for commit scopes when they end: what they held is sent, or has its outcome here.
//
// A record that a scope holds counts in its destination's capacity (Capacity::reserve_in_scope), and that is what keeps
// the destination and its lane from being freed: nothing else knows of the record but Deliveries, which look where it
// goes only inside a ReadSection (Delivery::wait). So it first goes elsewhere, and then its capacity is released.
#include <algorithm>
#include <chrono>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <utility>

#include "base/readers.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/lane.hpp"

namespace action_triggers::detail {
namespace {

/// Messages that follow one another at one destination.
struct Run {
  RecordList records;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

void move_oldest(RecordList& from, RecordList& to) noexcept {
  Record& record = *from.oldest();
  from.remove(record);
  to.push_newest(record);
}

Run take_run(RecordList& from) noexcept {
  Run run;
  const Destination* const destination = &from.oldest()->dest();
  do {
    ++run.messages;
    run.bytes += from.oldest()->capacity_bytes;
    move_oldest(from, run.records);
  } while (!from.empty() && &from.oldest()->dest() == destination);
  return run;
}

/// As one chain a lane.
void push_to_lanes(RecordList& records) noexcept {
  while (Record* const first = records.oldest()) {
    Lane* const lane = first->dest().lane;
    Record* last = nullptr;
    for (Record* record = first; record != nullptr;) {
      Record* const next = record->newer;
      if (record->dest().lane == lane) {
        records.remove(*record);
        if (last != nullptr) last->next_in_queue.store(record, std::memory_order_relaxed);
        last = record;
      }
      record = next;
    }
    lane->push(*first, *last);
  }
}

std::unique_ptr<DeliveryReport> make_report(const Record& record, StatusCode code, std::string_view why) {
  auto report = std::make_unique<DeliveryReport>();
  const Destination& destination = record.dest();
  std::string text(why);
  if (code == StatusCode::closed) {
    text = "'" + destination.name +
           (destination.is_replaced.load(std::memory_order_relaxed)
                ? "' was removed from the configuration before the commit"
                : "': the dispatcher was closed before the commit");
  }
  report->status = Status(code, std::move(text));
  report->broker = destination.name;
  report->message_id = record.id();
  if (record.observer != nullptr) report->trigger = record.observer->trigger();
  return report;
}

/// There is nobody to tell that there is no memory: waits for some, as a lane does.
void keep_report(Record& record, StatusCode code, std::string_view why) noexcept {
  while (record.report == nullptr) {
    try {
      record.report = make_report(record, code, why);
    } catch (const std::bad_alloc&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

/// In a child of fork(): their outcome is the parent's.
void forget(RecordList& records) noexcept {
  while (Record* const record = records.oldest()) {
    records.remove(*record);
    record->drop_reference();
  }
}

}  // namespace

void Dispatcher::commit(RecordList& messages) noexcept {
  RecordList all = std::exchange(messages, RecordList());
  if (is_in_child()) return forget(all);
  RecordList left;
  make_ready_to_read();
  {
    const ReadSection reading;  // a lane that has got all may be gone before push() returns
    RecordList accepted;
    while (!all.empty()) {
      Run run = take_run(all);
      Destination& destination = run.records.oldest()->dest();
      Destination* const now = take_from_scope(destination, run.messages, run.bytes);
      if (now != nullptr) {
        for (Record* record = run.records.oldest(); record != nullptr; record = record->newer) {
          if (now != &destination) record->send_to(*now);
          record->scope_thread.store(0, std::memory_order_relaxed);
        }
        destination.capacity.release_in_scope(run.messages, run.bytes);
      }
      while (!run.records.empty()) move_oldest(run.records, now != nullptr ? accepted : left);
    }
    push_to_lanes(accepted);
  }
  end_in_scope(left, StatusCode::closed, {});
}

/// Where messages of this destination go now; nullptr: nowhere.
Destination* Dispatcher::take_from_scope(Destination& destination, std::uint64_t messages,
                                         std::uint64_t bytes) noexcept {
  // Not to one that was replaced, though its lane may still take them: they would overtake what was fired at its
  // successor.
  if (!destination.is_replaced.load(std::memory_order_acquire) &&
      destination.capacity.take_beyond_limits(messages, bytes)) {
    return &destination;
  }
  const std::lock_guard lock(mutex_);  // nothing is replaced meanwhile
  Destination* const successor = closed_ ? nullptr : successor_of(destination);
  return successor != nullptr && successor->capacity.take_beyond_limits(messages, bytes) ? successor : nullptr;
}

Destination* Dispatcher::successor_of(const Destination& destination) const noexcept {
  const auto takes_its_place = [&](const std::shared_ptr<Destination>& one) {
    if (one->name != destination.name || one->findable != destination.findable) return false;
    const std::string& variation = destination.config->derived_by;
    return destination.findable || (!variation.empty() && one->config->derived_by == variation);
  };
  const auto found = std::find_if(destinations_.begin(), destinations_.end(), takes_its_place);
  return found == destinations_.end() ? nullptr : found->get();
}

void Dispatcher::roll_back(RecordList& messages, std::string_view why) noexcept {
  end_in_scope(messages, StatusCode::rolled_back, why);
}

/// Capacity is released before the first outcome is seen: whoever learns of one can fire the next message.
void Dispatcher::end_in_scope(RecordList& messages, StatusCode code, std::string_view why) noexcept {
  RecordList all = std::exchange(messages, RecordList());  // a callback may fire in the scope, or end it
  if (is_in_child()) return forget(all);
  if (all.empty()) return;
  const bool is_heard = is_failure(code) && callbacks_->hears_failures();
  for (Record* record = all.oldest(); record != nullptr; record = record->newer) {
    record->write_id();
    if (is_heard || record->is_awaited()) keep_report(*record, code, why);
    if (record->observer != nullptr) record->observer->resolved(*record, code, Persistence::not_persisted);
  }
  make_ready_to_read();
  {
    const ReadSection reading;
    for (Record* record = all.oldest(); record != nullptr; record = record->newer) {
      Destination& destination = record->dest();
      destination.refused[static_cast<std::size_t>(code)].fetch_add(1, std::memory_order_relaxed);
      record->send_to(*nowhere_);
      destination.capacity.release_in_scope(1, record->capacity_bytes);
    }
  }
  while (Record* const record = all.oldest()) {
    all.remove(*record);
    if (record->report != nullptr) {
      record->set_done();
      callbacks_->run(*record, *record->report);
    }
    record->drop_reference();
  }
}

}  // namespace action_triggers::detail
