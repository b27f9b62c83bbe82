// SPDX-License-Identifier: MIT
/// What a lane says of messages that it gives up: the statuses of time-outs, of closing and of dropping, with their
/// texts.
#pragma once

#include <string_view>

#include "action_triggers/status.hpp"
#include "dispatch/connection_supervisor.hpp"
#include "dispatch/record.hpp"

namespace action_triggers::detail {

// None throws: without memory the text is short (dispatch/out_of_memory.hpp).

/// The deadline came; says what the message waited for. `unconfirmed`: see Broker::why_unconfirmed().
Status timed_out(const Record& record, const ConnectionSupervisor& connection, std::string_view unconfirmed) noexcept;
/// The lane or the destination ends: "`why`: …", with what the message waited for.
Status closed(const char* why, const Record& record, const ConnectionSupervisor& connection,
              std::string_view unconfirmed) noexcept;
/// Overflow::drop_oldest.
Status dropped(const Record& record) noexcept;

}  // namespace action_triggers::detail
