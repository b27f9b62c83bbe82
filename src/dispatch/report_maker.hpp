// SPDX-License-Identifier: MIT
/// Makes the DeliveryReport of a resolved message, where somebody may read it.
#pragma once

#include "action_triggers/delivery.hpp"
#include "dispatch/record.hpp"

namespace action_triggers::detail {

class ReportMaker {
 public:
  /// `on_failure_is_set`: failures are reported even if nobody holds a Delivery. `reports_outlive_calls`: callbacks may
  /// read a report after they were called (an executor runs them).
  ReportMaker(bool on_failure_is_set, bool reports_outlive_calls)
      : on_failure_is_set_(on_failure_is_set), reports_outlive_calls_(reports_outlive_calls) {}

  /// Record::is_awaited(), or on_failure will look.
  [[nodiscard]] bool needs_report(const Record& record) const noexcept;

  /// Keeps the text of a failure for the report. Without memory there will be a report without it.
  void keep_text(Record& record, Status&& status) const noexcept;

  /// Valid until the next call, or as long as the record if somebody may look later. nullptr: there is no memory for
  /// it now.
  const DeliveryReport* report_of(Record& record) noexcept;

 private:
  const bool on_failure_is_set_;
  const bool reports_outlive_calls_;
  DeliveryReport shared_;  // by messages that only callbacks look at, one after the other
};

}  // namespace action_triggers::detail
