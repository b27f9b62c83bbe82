// SPDX-License-Identifier: MIT
/// Durable messages: those of an outbox, which stay in its table until their fate is known
/// (docs/decisions/0029-the-lane-keeps-the-order-of-the-outbox.md).
///
/// They have no deadline, and Overflow::drop_oldest passes them over. They are tried again whatever the RetryPolicy
/// says of when to stop, with its pauses: after `internal` too, since a bug may be mended, and after what somebody has
/// to mend (a missing queue, a right). Only the message's own fault ends them, and `closed`; and `rejected` and
/// `internal`, if the observer has a limit for these. In order: none waits apart only because its destination takes
/// nothing at all.
#pragma once

#include "action_triggers/status.hpp"
#include "dispatch/destination.hpp"
#include "dispatch/outcome_observer.hpp"
#include "dispatch/record.hpp"

namespace action_triggers::detail {

/// Whether the broker, having refused this message for `why`, may be asked again, as far as the reason goes.
inline bool may_try_again(const Record& record, const Status& why) noexcept {
  if (!record.durable) return record.dest().config->retry.retries(why);
  return !why.ok() && !why.permanent() && why.code() != StatusCode::closed;
}

/// Whether it has been tried often enough. Counts this refusal.
inline bool has_used_up_attempts(Record& record, const Status& why) noexcept {
  if (!record.durable) return record.dest().config->retry.is_used_up(record.attempt());
  if (why.code() != StatusCode::rejected && why.code() != StatusCode::internal) return false;
  const std::uint32_t most = record.observer->most_rejections();
  return ++record.rejections >= most && most != 0;
}

/// The same of one that there was no connection for.
inline bool survives_lost_connection(const Record& record, const Status& why, bool was_connected) noexcept {
  const RetryPolicy& retry = record.dest().config->retry;
  return record.durable || (retry.retries(why) && (was_connected || !retry.is_used_up(record.attempt())));
}

}  // namespace action_triggers::detail
