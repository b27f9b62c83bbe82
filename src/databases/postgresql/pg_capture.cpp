// SPDX-License-Identifier: MIT
#include "databases/postgresql/pg_capture.hpp"

#include <string>
#include <string_view>

#include "capture/trigger_name.hpp"
#include "databases/postgresql/pg_session.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {
namespace {

// Whoever waits for a lock makes others wait behind him: not for long.
constexpr std::string_view patience = "SET LOCAL lock_timeout = '5s';\n";

constexpr std::string_view table_sql = R"(
SELECT c.oid::bigint, c.relkind::text,
       c.relkind = 'p' OR c.relispartition OR EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = c.oid)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind NOT IN ('i', 'I', 'S', 't', 'c'))";

constexpr std::string_view columns_sql = R"(
SELECT attname::text FROM pg_catalog.pg_attribute
WHERE attrelid = $1::bigint::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum)";

constexpr std::string_view key_sql = R"(
SELECT a.attname::text
FROM pg_catalog.pg_index AS i, unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, place), pg_catalog.pg_attribute AS a
WHERE i.indrelid = $1::bigint::oid AND i.indisprimary AND k.place <= i.indnkeyatts
  AND a.attrelid = i.indrelid AND a.attnum = k.attnum
ORDER BY k.place)";

constexpr std::string_view triggers_sql = R"(
SELECT t.tgname::text, t.tgrelid::regclass::text, t.tgenabled <> 'D', t.tgenabled IN ('A', 'R')
FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND starts_with(t.tgname::text, $1) AND n.nspname = $2
ORDER BY t.tgname)";

class PgCapture : public CaptureDatabase {
 public:
  explicit PgCapture(const OutboxConfig& config)
      : schema_(config.schema),
        session_(config.conninfo, "action_triggers capture", pg_command_timeouts, PgUse::anything) {
    session_.connect();
  }

  std::optional<DatabaseTable> table(const TableName& name) override {
    const PgResult found =
        session_.execute("looking at the table", std::string(table_sql), PgParams().add(name.schema).add(name.name));
    if (found.rows() == 0) return std::nullopt;
    const std::string kind = found.text(0, 1);
    if (kind != "r" && kind != "p") {
      throw StoreError("'" + name.schema + "." + name.name +
                       "' is no table of this database's own (a view, a foreign "
                       "table): only tables can be captured.");
    }
    DatabaseTable table;
    table.is_partitioned = found.boolean(0, 2);
    const std::int64_t oid = found.int64(0, 0);
    table.columns = names(columns_sql, oid);
    table.primary_key = names(key_sql, oid);
    return table;
  }

  std::vector<InstalledTrigger> triggers() override {
    const PgResult found = session_.execute("looking at the SQL triggers", std::string(triggers_sql),
                                            PgParams().add(trigger_prefix).add(schema_));
    std::vector<InstalledTrigger> triggers;
    triggers.reserve(static_cast<std::size_t>(found.rows()));
    for (int row = 0; row < found.rows(); ++row) {
      triggers.push_back({.name = found.text(row, 0),
                          .table = found.text(row, 1),
                          .is_enabled = found.boolean(row, 2),
                          .is_of_replica = found.boolean(row, 3)});
    }
    return triggers;
  }

  void run(const std::string& sql) override {
    session_.run_script("changing the SQL triggers", std::string(patience) + sql);
  }

 private:
  std::vector<std::string> names(std::string_view sql, std::int64_t table) {
    const PgResult found = session_.execute("looking at the table", std::string(sql), PgParams().add(table));
    std::vector<std::string> names;
    names.reserve(static_cast<std::size_t>(found.rows()));
    for (int row = 0; row < found.rows(); ++row) names.push_back(found.text(row, 0));
    return names;
  }

  // Other outboxes of the same database have functions in schemas of their own.
  const std::string schema_;
  PgSession session_;
};

}  // namespace

std::unique_ptr<CaptureDatabase> open_pg_capture(const OutboxConfig& config) {
  return std::make_unique<PgCapture>(config);
}

}  // namespace action_triggers::detail
