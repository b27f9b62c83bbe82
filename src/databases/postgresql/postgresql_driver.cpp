// SPDX-License-Identifier: MIT
#include "databases/postgresql/postgresql_driver.hpp"

#include "databases/postgresql/pg_capture.hpp"
#include "databases/postgresql/pg_outbox_admin.hpp"
#include "databases/postgresql/pg_outbox_store.hpp"
#include "databases/postgresql/pg_tables.hpp"

namespace action_triggers::detail {

const OutboxDriver& postgresql_driver() {
  static const OutboxDriver driver{
      .type = OutboxType::postgresql,
      .name = "postgresql",
      .schema = pg_schema,
      .store = [](const OutboxConfig& config) -> std::unique_ptr<OutboxStore> {
        return std::make_unique<PgOutboxStore>(config);
      },
      .admin = [](const OutboxConfig& config) -> std::unique_ptr<OutboxAdmin> {
        return std::make_unique<PgOutboxAdmin>(config);
      },
      .capture = open_pg_capture,
      .insert_statement = pg_insert_statement,
  };
  return driver;
}

}  // namespace action_triggers::detail
