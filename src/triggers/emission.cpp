// SPDX-License-Identifier: MIT
#include "action_triggers/emission.hpp"

namespace action_triggers {

bool Emission::done() const {
  for (std::size_t i = 0; i < size_; ++i) {
    if (!(*this)[i].done()) return false;
  }
  return true;
}

const Emission& Emission::wait() const& {
  for (std::size_t i = 0; i < size_; ++i) (*this)[i].wait();
  return *this;
}

Emission Emission::wait() && {
  static_cast<const Emission&>(*this).wait();
  return std::move(*this);
}

bool Emission::wait_at_most(std::chrono::nanoseconds timeout) const {
  const TimePoint now = Clock::now();
  const TimePoint until = timeout < TimePoint::max() - now ? now + timeout : TimePoint::max();
  for (std::size_t i = 0; i < size_; ++i) {
    if ((*this)[i].wait_until(until) == nullptr) return false;
  }
  return true;
}

bool Emission::all_ok() const {
  for (const DeliveryReport& report : *this) {
    if (!report.status.ok()) return false;
  }
  return true;
}

}  // namespace action_triggers
