// SPDX-License-Identifier: MIT
/// What becomes of a message that the broker did not take, but may take later: when it is sent again, and who waits for
/// it meanwhile (docs/decisions/0004). Whether it is sent again at all, LaneCore::complete() asks of its RetryPolicy.
///
/// - First refusal: the whole destination pauses for Backoff::after(1), so that nothing newer overtakes the message.
/// - Refused again while others are taken: it waits apart for Backoff::after(n), and the others go on (never with a
///   window of one).
/// - Refused again, and nothing else was taken either: the destination pauses again, for Backoff::after(n); after 10 s
///   of that the message waits apart here, too, unless it is durable.
/// - `unavailable`: the destination pauses, until the connection is back at the latest.
/// - Refused while its destination pauses already: it joins that pause.
#pragma once

#include "action_triggers/status.hpp"
#include "core/backoff.hpp"
#include "dispatch/destination.hpp"
#include "dispatch/record.hpp"

namespace action_triggers::detail {

/// The message keeps its place, and its destination pauses before it is sent again, so that newer ones do not overtake
/// it; but what the broker refuses again while it takes others waits apart from them. The destination's due time may
/// have changed.
void send_again_later(Record& record, const Status& why, TimePoint now, Backoff& backoff) noexcept;

}  // namespace action_triggers::detail
