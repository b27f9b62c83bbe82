// SPDX-License-Identifier: MIT
/// What the command line and applications know of PostgreSQL.
#pragma once

#include "action_triggers/export.hpp"
#include "outbox/outbox_driver.hpp"

namespace action_triggers::detail {

ACTION_TRIGGERS_EXPORT const OutboxDriver& postgresql_driver();

}  // namespace action_triggers::detail
