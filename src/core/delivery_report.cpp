// SPDX-License-Identifier: MIT
#include <ostream>

#include "action_triggers/delivery.hpp"

namespace action_triggers {

std::ostream& operator<<(std::ostream& out, const DeliveryReport& report) {
  out << report.broker << ' ' << report.message_id << ": " << report.status << " (" << report.persistence << ", "
      << report.attempts << (report.attempts == 1 ? " attempt, " : " attempts, ")
      << std::chrono::duration_cast<std::chrono::microseconds>(report.latency).count() << " us";
  if (!report.trigger.empty()) out << ", trigger " << report.trigger;
  if (report.partition >= 0) out << ", partition " << report.partition;
  if (report.offset >= 0) out << ", offset " << report.offset;
  return out << ')';
}

}  // namespace action_triggers
