// SPDX-License-Identifier: MIT
/// The database of the outbox that a command's configuration has.
#pragma once

#include <memory>
#include <string>

#include "action_triggers/config.hpp"
#include "cli/exit_code.hpp"
#include "outbox/outbox_config.hpp"
#include "outbox/outbox_driver.hpp"

namespace action_triggers::cli {

struct OutboxOfFile {
  Config config;
  std::shared_ptr<const detail::OutboxConfig> settings;  // nullptr: there is no outbox, which is said
  const detail::OutboxDriver* driver = nullptr;          // not nullptr, if there are settings
  ExitCode exit_code = ExitCode::success;                // another one if there are no settings
};

/// nullptr: the configuration has no outbox.
const detail::OutboxDriver* outbox_driver_of(const Config& config);

/// Loads the file, and says what is wrong with it.
OutboxOfFile load_outbox(const std::string& file, bool json);

}  // namespace action_triggers::cli
