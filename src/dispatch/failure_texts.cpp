// SPDX-License-Identifier: MIT
#include "dispatch/failure_texts.hpp"

#include <chrono>
#include <string>

#include "base/text.hpp"
#include "dispatch/destination.hpp"
#include "dispatch/out_of_memory.hpp"

namespace action_triggers::detail {
namespace {

std::string what_it_waits_for(const Record& record, const ConnectionSupervisor& connection, const BrokerSlot& broker) {
  if (std::string why = connection.why_waiting(); !why.empty()) return why;
  if (record.in_flight) {
    const bool was_refused = record.attempt() > 1 && !record.dest().last_refusal.empty();
    const std::string unconfirmed = broker.why_unconfirmed(record);
    return "handed to the client library, and waiting for the broker's confirmation" +
           (was_refused ? "; the last try failed: " + record.dest().last_refusal : std::string()) +
           (unconfirmed.empty() ? std::string() : "; " + unconfirmed);
  }
  if (record.attempt() > 0) return "waiting to be tried again; the last try failed: " + record.dest().last_refusal;
  return "waiting behind earlier messages of '" + record.dest().name + "'";
}

}  // namespace

Status timed_out(const Record& record, const ConnectionSupervisor& connection, const BrokerSlot& broker) noexcept {
  return status_of(StatusCode::timed_out, [&] {
    const auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(record.dest().timeout());
    return "no outcome within " + seconds_text(timeout) + ": " + what_it_waits_for(record, connection, broker);
  });
}

Status closed(const char* why, const Record& record, const ConnectionSupervisor& connection,
              const BrokerSlot& broker) noexcept {
  return status_of(StatusCode::closed, [&] { return why + (": " + what_it_waits_for(record, connection, broker)); });
}

Status dropped(const Record& record) noexcept {
  return status_of(StatusCode::queue_full, [&] {
    return "dropped for a newer message: '" + record.dest().name +
           "' is full (params.max_queued_messages, max_queued_bytes) and its overflow is drop_oldest";
  });
}

}  // namespace action_triggers::detail
