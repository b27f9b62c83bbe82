// SPDX-License-Identifier: MIT
/// What capture asks of SQLite.
#pragma once

#include <memory>

#include "action_triggers/export.hpp"
#include "capture/capture_database.hpp"
#include "outbox/outbox_config.hpp"

namespace action_triggers::detail {

/// Opens the application's database file. Throws StoreError.
ACTION_TRIGGERS_EXPORT std::unique_ptr<CaptureDatabase> open_sqlite_capture(const OutboxConfig& config);

}  // namespace action_triggers::detail
