// SPDX-License-Identifier: MIT
#include "outbox/offer.hpp"

#include <exception>
#include <utility>

#include "config/json_text.hpp"
#include "dispatch/record.hpp"
#include "triggers/trigger_counters.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::size_t longest_text = 2'000;  // bytes

}  // namespace

std::string text_for_table(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const std::size_t length = text.front() == '\0' ? 0 : utf8_length(text);
    if (clean.size() + length > longest_text) return clean + "…";
    if (length == 0) {
      clean += '?';
    } else {
      clean += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return clean;
}

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
      outcome.text = text_for_table(record.report->status.message());
    } catch (const std::exception&) {
      // Without memory the code has to do.
    }
  }
  const std::shared_ptr<OfferBox> box = box_;  // which may free this
  box->put(*this);
}

std::string_view Offer::trigger() const noexcept { return trigger_ == nullptr ? std::string_view() : trigger_->name(); }

}  // namespace action_triggers::detail
