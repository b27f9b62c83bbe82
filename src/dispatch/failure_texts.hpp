// SPDX-License-Identifier: MIT
/// What a lane says of messages that it gives up: the statuses of time-outs, of closing and of dropping, with their
/// texts.
#pragma once

#include "action_triggers/status.hpp"
#include "dispatch/broker_slot.hpp"
#include "dispatch/connection_supervisor.hpp"
#include "dispatch/record.hpp"

namespace action_triggers::detail {

// None throws: without memory the text is short (dispatch/out_of_memory.hpp).

/// The deadline came; says what the message waited for, and what the broker that holds it knows of that.
Status timed_out(const Record& record, const ConnectionSupervisor& connection, const BrokerSlot& broker) noexcept;
/// The lane or the destination ends: "`why`: …", with the same.
Status closed(const char* why, const Record& record, const ConnectionSupervisor& connection,
              const BrokerSlot& broker) noexcept;
/// Overflow::drop_oldest.
Status dropped(const Record& record) noexcept;

}  // namespace action_triggers::detail
