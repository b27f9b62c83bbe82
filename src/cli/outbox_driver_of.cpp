// SPDX-License-Identifier: MIT
#include "cli/outbox_driver_of.hpp"

#include <iostream>
#include <utility>

#include "cli/load.hpp"
#ifdef ACTION_TRIGGERS_WITH_POSTGRESQL
#include "databases/postgresql/postgresql_driver.hpp"
#endif
#ifdef ACTION_TRIGGERS_WITH_SQLITE
#include "databases/sqlite/sqlite_driver.hpp"
#endif

namespace action_triggers::cli {
namespace {

/// The loader has refused what was not built.
const detail::OutboxDriver* driver_of(detail::OutboxType type) {
#ifdef ACTION_TRIGGERS_WITH_POSTGRESQL
  if (type == detail::OutboxType::postgresql) return &detail::postgresql_driver();
#endif
#ifdef ACTION_TRIGGERS_WITH_SQLITE
  if (type == detail::OutboxType::sqlite) return &detail::sqlite_driver();
#endif
  static_cast<void>(type);
  return nullptr;
}

}  // namespace

const detail::OutboxDriver* outbox_driver_of(const Config& config) {
  const auto* const settings = config.section<detail::OutboxConfig>();
  return settings == nullptr ? nullptr : driver_of(settings->type);
}

OutboxOfFile load_outbox(const std::string& file, bool json) {
  OutboxOfFile result;
  LoadedConfig loaded = load(file, json);
  if (!loaded.config) {
    result.exit_code = loaded.exit_code;
    return result;
  }
  result.config = std::move(*loaded.config);
  result.settings = result.config.shared_section<detail::OutboxConfig>();
  result.driver = outbox_driver_of(result.config);
  if (result.driver == nullptr) {
    result.settings = nullptr;
    result.exit_code = ExitCode::wrong_usage;
    std::cerr << name_of(file) << ": there is no section 'outbox'; add it, or name another file\n";
  }
  return result;
}

}  // namespace action_triggers::cli
