// SPDX-License-Identifier: MIT
#include "action_triggers/delivery.hpp"

#include <stdexcept>
#include <utility>

#include "base/readers.hpp"
#include "dispatch/destination.hpp"
#include "dispatch/lane.hpp"
#include "dispatch/lane_thread.hpp"
#include "dispatch/record.hpp"

namespace action_triggers {

Delivery::Delivery(const Delivery& other) noexcept : record_(other.record_) {
  if (record_ != nullptr) record_->add_reference();
}

void Delivery::release() noexcept { record_->drop_reference(); }

bool Delivery::done() const { return record().done(); }

std::string Delivery::message_id() const { return record().shared_id(); }

detail::Record& Delivery::record() const {
  if (record_ == nullptr) throw std::logic_error("this Delivery belongs to no fire");
  return *record_;
}

/// In a callback on a lane's thread, and inside fire() or emit().
void Delivery::refuse_to_wait(const char* what) const {
  detail::refuse_inside_fire(what);
  const detail::ReadSection reading;  // as long as the outcome is not known, the destination is there
  if (done()) return;
  const detail::Lane* const lane = record_->shared_dest().lane;  // nullptr: a scope is about to say `rolled_back`
  if (lane != nullptr) detail::refuse_on_lane_thread_of(lane->callbacks(), what);
}

DeliveryReport Delivery::wait() && { return static_cast<const Delivery&>(*this).wait(); }

const DeliveryReport& Delivery::wait() const& {
  if (!done()) {
    refuse_to_wait("Delivery::wait");
    if (record_->scope_thread.load(std::memory_order_relaxed) == detail::this_thread()) {
      throw std::logic_error(
          "Delivery::wait for a message of this thread's own commit scope could never end: commit or roll back before");
    }
    record_->wait_until(TimePoint::max());
  }
  return *record_->report;
}

const DeliveryReport* Delivery::wait_at_most(std::chrono::nanoseconds timeout) const {
  if (!done()) {
    if (timeout <= std::chrono::nanoseconds::zero()) return nullptr;
    refuse_to_wait("Delivery::wait_for");
    const TimePoint now = Clock::now();
    const TimePoint deadline = timeout < TimePoint::max() - now ? now + timeout : TimePoint::max();
    if (!record_->wait_until(deadline)) return nullptr;
  }
  return record_->report.get();
}

}  // namespace action_triggers
