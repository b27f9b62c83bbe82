// SPDX-License-Identifier: MIT
#include "dispatch/report_maker.hpp"

#include <memory>
#include <new>
#include <utility>

#include "dispatch/destination.hpp"
#include "dispatch/out_of_memory.hpp"

namespace action_triggers::detail {
namespace {

void fill(DeliveryReport& report, const Record& record) {
  // A report that is used again mostly has the same names as before.
  const auto name = [](std::string& place, std::string_view text) {
    if (place != text) place = text;
  };
  report.message_id = record.id();
  name(report.broker, record.dest().name);
  name(report.trigger, record.observer != nullptr ? record.observer->trigger() : std::string_view());
  if (record.result.code != StatusCode::ok) {
    report.status = Status(record.result.code, no_memory);
  } else if (!report.status.ok()) {
    report.status = Status();
  }
  report.persistence = record.result.persistence;
  report.attempts = record.attempt();
  report.latency = record.result.latency;
  report.partition = record.result.partition;
  report.offset = record.result.offset;
}

/// A report that lasts as long as the record. Throws std::bad_alloc, and then there is none.
DeliveryReport& keep_report(Record& record) {
  auto report = std::make_unique<DeliveryReport>();
  fill(*report, record);
  record.report = std::move(report);
  return *record.report;
}

}  // namespace

bool ReportMaker::needs_report(const Record& record) const noexcept {
  if (record.durable && record.result.code == StatusCode::closed) return false;  // it is still in its outbox
  return record.is_awaited() || (on_failure_is_set_ && record.result.code != StatusCode::ok);
}

void ReportMaker::keep_text(Record& record, Status&& status) const noexcept {
  if_memory_allows([&] { keep_report(record).status = std::move(status); });
}

const DeliveryReport* ReportMaker::report_of(Record& record) noexcept {
  if (record.report != nullptr) return record.report.get();
  try {
    if (reports_outlive_calls_ || record.references.load(std::memory_order_acquire) > 1) return &keep_report(record);
    fill(shared_, record);
    return &shared_;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace action_triggers::detail
