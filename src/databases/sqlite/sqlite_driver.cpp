// SPDX-License-Identifier: MIT
#include "databases/sqlite/sqlite_driver.hpp"

#include "databases/sqlite/sqlite_admin.hpp"
#include "databases/sqlite/sqlite_capture.hpp"
#include "databases/sqlite/sqlite_schema.hpp"
#include "databases/sqlite/sqlite_store.hpp"

namespace action_triggers::detail {

const OutboxDriver& sqlite_driver() noexcept {
  static const OutboxDriver driver{.type = OutboxType::sqlite,
                                   .name = "sqlite",
                                   .schema = sqlite_schema,
                                   .store = [](const OutboxConfig& config) -> std::unique_ptr<OutboxStore> {
                                     return std::make_unique<SqliteOutboxStore>(config);
                                   },
                                   .admin = [](const OutboxConfig& config) -> std::unique_ptr<OutboxAdmin> {
                                     return std::make_unique<SqliteOutboxAdmin>(config);
                                   },
                                   .capture = open_sqlite_capture,
                                   .insert_statement = sqlite_insert};
  return driver;
}

}  // namespace action_triggers::detail
