// SPDX-License-Identifier: MIT
/// The one object that stands for SQLite. The library's own: applications use sqlite.hpp.
#pragma once

#include "action_triggers/export.hpp"
#include "outbox/outbox_driver.hpp"

namespace action_triggers::detail {

ACTION_TRIGGERS_EXPORT const OutboxDriver& sqlite_driver() noexcept;

}  // namespace action_triggers::detail
