// SPDX-License-Identifier: MIT
#include "dispatch/destination.hpp"

#include "dispatch/out_of_memory.hpp"

namespace action_triggers::detail {

void Destination::failed(const Status& why, TimePoint now) noexcept {
  if_memory_allows([&] {
    const std::uint64_t delivered = counters.outcomes[static_cast<std::size_t>(StatusCode::ok)].get();
    const std::lock_guard lock(rarely_mutex_);
    failures_.text = why.to_string();
    failures_.latest = now;
    if (why.permanent() || why.code() == StatusCode::closed) return;  // another message may be delivered
    if (failures_.trouble.ok() || delivered_before_trouble_ != delivered) failures_.trouble_since = now;
    failures_.trouble = why;
    failures_.trouble_latest = now;
    delivered_before_trouble_ = delivered;
  });
}

Destination::Failures Destination::failures() const {
  const std::uint64_t delivered = counters.outcomes[static_cast<std::size_t>(StatusCode::ok)].get();
  const std::lock_guard lock(rarely_mutex_);
  Failures failures = failures_;
  if (delivered_before_trouble_ != delivered) failures.trouble = {};
  return failures;
}

}  // namespace action_triggers::detail
