// SPDX-License-Identifier: MIT
#include "outbox/offer.hpp"

#include <exception>
#include <utility>

#include "dispatch/record.hpp"
#include "triggers/trigger_counters.hpp"

namespace action_triggers::detail {

void OfferBox::close() noexcept {
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
  }
  take_all([](const Offer&) {});
}

void OfferBox::put(Offer& offer) noexcept {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    if (!is_closed_) {
      was_empty = first_ == nullptr;
      (was_empty ? first_ : last_->next_) = &offer;
      last_ = &offer;
    } else {
      offer.drop();  // the lane's reference keeps it
    }
  }
  if (was_empty) wake_up.wake();
}

void Offer::resolved(const Record& record, StatusCode code, Persistence persistence) noexcept {
  // What is not sent is sent again, and counts then.
  if (trigger_ != nullptr && code != StatusCode::closed) trigger_->resolved(record, code, persistence);
  outcome.code = code;
  outcome.attempts = record.attempt();
  if (code != StatusCode::ok && record.report != nullptr) {
    try {
      outcome.text = record.report->status.message();
    } catch (const std::exception&) {
      // Without memory the code has to do.
    }
  }
  const std::shared_ptr<OfferBox> box = box_;  // which may free this
  box->put(*this);
}

std::string_view Offer::trigger() const noexcept { return trigger_ == nullptr ? std::string_view() : trigger_->name(); }

}  // namespace action_triggers::detail
