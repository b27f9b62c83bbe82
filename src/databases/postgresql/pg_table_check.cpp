// SPDX-License-Identifier: MIT
#include "databases/postgresql/pg_table_check.hpp"

#include <array>
#include <map>
#include <string_view>
#include <tuple>

#include "databases/postgresql/pg_tables.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {
namespace {

enum class Table { outbox, shards, dead_letters };

struct Column {
  Table table;
  std::string_view name;
  std::string_view type;  // as format_type() writes it
  bool is_required = false;
  std::string_view default_value = {};  // what ALTER TABLE needs to add it
};

constexpr std::array expected{
    Column{Table::outbox, "id", "bigint", true, "GENERATED ALWAYS AS IDENTITY (CACHE 1)"},
    Column{Table::outbox, "shard", "integer", true, "DEFAULT 0"},
    Column{Table::outbox, "target", "text", true},
    Column{Table::outbox, "body", "bytea", true},
    Column{Table::outbox, "key", "bytea"},
    Column{Table::outbox, "message_id", "text"},
    Column{Table::outbox, "content_type", "text"},
    Column{Table::outbox, "headers", "json"},
    Column{Table::outbox, "properties", "json"},
    Column{Table::outbox, "created_at", "timestamp with time zone", true, "DEFAULT clock_timestamp()"},
    Column{Table::outbox, "done", "bigint", true, "DEFAULT 0"},
    Column{Table::outbox, "replayed", "integer", true, "DEFAULT 0"},
    Column{Table::shards, "shard", "integer", true},
    Column{Table::shards, "owner", "text"},
    Column{Table::shards, "place", "text"},
    Column{Table::shards, "epoch", "bigint", true, "DEFAULT 0"},
    Column{Table::shards, "expires", "timestamp with time zone"},
    Column{Table::shards, "low", "bigint", true, "DEFAULT 0"},
    Column{Table::shards, "head", "bigint"},
    Column{Table::shards, "deaths", "integer", true, "DEFAULT 0"},
    Column{Table::shards, "version", "integer", true},
    Column{Table::shards, "outbox_id", "uuid", true},
    Column{Table::dead_letters, "id", "bigint", true, "GENERATED ALWAYS AS IDENTITY"},
    Column{Table::dead_letters, "shard", "integer", true, "DEFAULT 0"},
    Column{Table::dead_letters, "target", "text", true},
    Column{Table::dead_letters, "body", "bytea", true},
    Column{Table::dead_letters, "key", "bytea"},
    Column{Table::dead_letters, "message_id", "text"},
    Column{Table::dead_letters, "content_type", "text"},
    Column{Table::dead_letters, "headers", "json"},
    Column{Table::dead_letters, "properties", "json"},
    Column{Table::dead_letters, "created_at", "timestamp with time zone", true},
    Column{Table::dead_letters, "done", "bigint", true, "DEFAULT 0"},
    Column{Table::dead_letters, "destination", "text", true},
    Column{Table::dead_letters, "status", "text", true},
    Column{Table::dead_letters, "text", "text", true},
    Column{Table::dead_letters, "attempts", "integer", true},
    Column{Table::dead_letters, "died_at", "timestamp with time zone", true, "DEFAULT clock_timestamp()"},
    Column{Table::dead_letters, "replayed", "integer", true, "DEFAULT 0"},
};

constexpr std::array all_tables{Table::outbox, Table::shards, Table::dead_letters};

const std::string& name_of(Table table, const PgTables& tables) {
  switch (table) {
    case Table::outbox:
      return tables.outbox;
    case Table::shards:
      return tables.shards;
    case Table::dead_letters:
      break;
  }
  return tables.dead_letters;
}

/// What a relay does with a table, and what a process does that only writes.
std::string_view rights_on(Table table, const OutboxConfig& config) {
  switch (table) {
    case Table::outbox:
      return config.relay ? "SELECT, INSERT, UPDATE, DELETE" : "INSERT";
    case Table::shards:
      return config.relay ? "SELECT, UPDATE" : "SELECT";
    case Table::dead_letters:
      break;
  }
  return config.relay ? "SELECT, INSERT, DELETE" : "";
}

struct FoundColumn {
  std::string type;
  bool is_required = false;
  bool is_generated = false;  // stored, or an identity
};

struct FoundTable {
  bool exists = false;
  bool is_logged = false;
  bool has_rights = false;
  bool is_ordered = false;   // ids are given in their order
  bool is_hidden = false;    // by row level security, without a policy that shows a row
  bool has_key = false;      // a primary key of (shard, id)
  bool has_trigger = false;  // that chooses the shard, in all sessions
  std::map<std::string, FoundColumn> columns;
};

FoundTable look_at(PgSession& session, Table table, const OutboxConfig& config, const PgTables& tables) {
  PgParams params;
  params.add(std::string_view(name_of(table, tables)));
  params.add(rights_on(table, config));
  const PgResult result = session.execute("looking at the tables",
                                          R"(SELECT class.relpersistence = 'p',
       NOT EXISTS (SELECT FROM regexp_split_to_table($2, ', ') AS needed
                   WHERE needed <> '' AND NOT has_table_privilege(class.oid, needed)),
       EXISTS (SELECT FROM pg_index WHERE indrelid = class.oid AND indisprimary AND indnkeyatts = 2
                 AND pg_get_indexdef(indexrelid, 1, true) = 'shard' AND pg_get_indexdef(indexrelid, 2, true) = 'id'),
       EXISTS (SELECT FROM pg_trigger WHERE tgrelid = class.oid AND tgname = 'action_triggers_shard' AND tgenabled = 'A'),
       NOT EXISTS (SELECT FROM pg_depend JOIN pg_sequence ON seqrelid = objid
                   WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND refobjid = class.oid
                     AND (seqcache <> 1 OR seqincrement < 1 OR seqcycle)),
       row_security_active(class.oid) AND NOT EXISTS (
         SELECT FROM pg_policy, unnest(polroles) AS role
         WHERE polrelid = class.oid AND polpermissive AND polcmd IN ('r', '*')
           AND (role = 0 OR pg_has_role(role, 'USAGE'))),
       attname::text, format_type(atttypid, atttypmod), attnotnull, attidentity <> '' OR attgenerated <> ''
FROM pg_class AS class LEFT JOIN pg_attribute ON attrelid = class.oid AND attnum > 0 AND NOT attisdropped
WHERE class.oid = to_regclass($1) AND class.relkind IN ('r', 'p'))",
                                          params);
  FoundTable found;
  found.exists = result.rows() > 0;
  for (int row = 0; row < result.rows(); ++row) {
    found.is_logged = result.boolean(row, 0);
    found.has_rights = result.boolean(row, 1);
    found.has_key = result.boolean(row, 2);
    found.has_trigger = result.boolean(row, 3);
    found.is_ordered = result.boolean(row, 4);
    found.is_hidden = result.boolean(row, 5);
    if (result.is_null(row, 6)) continue;
    found.columns[result.text(row, 6)] = {result.text(row, 7), result.boolean(row, 8), result.boolean(row, 9)};
  }
  return found;
}

/// Problems, and whether a relay could not work with them.
class Problems {
 public:
  void add(std::string text) { lines_.push_back(std::move(text)); }
  [[nodiscard]] std::vector<std::string> take() { return std::move(lines_); }

 private:
  std::vector<std::string> lines_;
};

constexpr std::string_view install = "run action-triggers outbox install FILE";
constexpr std::string_view another_version =
    "let the library that has installed them send what is in them (action-triggers relay --once FILE), drop them, and"
    " run action-triggers outbox install FILE";

void check_column(const Column& column, const FoundTable& found, const PgTables& tables, Problems& problems) {
  const std::string& table = name_of(column.table, tables);
  const std::string name(column.name);
  const std::string type(column.type);
  const auto known = found.columns.find(name);
  if (known == found.columns.end()) {
    std::string definition = "\"" + name + "\" " + type + (column.is_required ? " NOT NULL" : "");
    if (!column.default_value.empty()) definition += " " + std::string(column.default_value);
    problems.add(table + " has no column " + name + ": ALTER TABLE " + table + " ADD COLUMN " + definition);
    return;
  }
  if (known->second.type != type) {
    problems.add(table + "." + name + " is " + known->second.type + ", not " + type + ": ALTER TABLE " + table +
                 " ALTER COLUMN \"" + name + "\" TYPE " + type + " USING \"" + name + "\"::" + type);
  }
  if (column.is_required && !known->second.is_required) {
    problems.add(table + "." + name + " may be NULL: ALTER TABLE " + table + " ALTER COLUMN \"" + name +
                 "\" SET NOT NULL");
  }
  if (column.default_value.starts_with("GENERATED") && !known->second.is_generated) {
    problems.add(table + "." + name + " does not count by itself: ALTER TABLE " + table + " ALTER COLUMN \"" + name +
                 "\" ADD " + std::string(column.default_value));
  }
}

void check_table(Table table, PgSession& session, const OutboxConfig& config, const PgTables& tables,
                 Problems& problems) {
  const FoundTable found = look_at(session, table, config, tables);
  const std::string& name = name_of(table, tables);
  if (!found.exists) {
    problems.add("there is no table " + name + ": " + std::string(install) +
                 ", or the SQL that action-triggers outbox schema FILE prints");
    return;
  }
  if (!found.is_logged) {
    problems.add(name + " is unlogged, and empty after a crash: ALTER TABLE " + name + " SET LOGGED");
  }
  if (!found.has_rights) {
    const PgResult user = session.execute("asking who we are", "SELECT quote_ident(current_user)");
    problems.add(user.text(0, 0) + " may not do all that is needed with " + name + ": GRANT " +
                 std::string(rights_on(table, config)) + " ON " + name + " TO " + user.text(0, 0));
  }
  if (found.is_hidden && rights_on(table, config).starts_with("SELECT")) {
    problems.add(name + " has row level security, and no policy that shows a row: ALTER TABLE " + name +
                 " DISABLE ROW LEVEL SECURITY, or give the user of outbox.conninfo a policy or BYPASSRLS");
  }
  for (const Column& column : expected) {
    if (column.table == table) check_column(column, found, tables, problems);
  }
  if (table != Table::outbox) return;
  if (!found.has_key) {
    problems.add(name + " has no primary key (shard, id), without which reading is slow: ALTER TABLE " + name +
                 " ADD PRIMARY KEY (shard, id)");
  }
  if (!found.is_ordered) {
    problems.add(name + ".id is not given in order: ALTER TABLE " + name +
                 " ALTER COLUMN \"id\" SET CACHE 1 SET INCREMENT BY 1 SET NO CYCLE");
  }
  if (config.shards > 1 && !found.has_trigger) {
    problems.add(name + " has no trigger action_triggers_shard, enabled always, which chooses one of " +
                 std::to_string(config.shards) + " shards: " + std::string(install));
  }
}

void check_contents(PgSession& session, const OutboxConfig& config, const PgTables& tables, Problems& problems) {
  const PgResult result = session.execute(
      "reading the table of shards",
      "SELECT count(*)::integer, coalesce(min(version), 0), coalesce(max(version), 0) FROM " + tables.shards);
  const std::int32_t shards = result.int32(0, 0);
  if (shards == 0) {
    problems.add(tables.shards + " is empty: " + std::string(install));
    return;
  }
  for (const std::int32_t version : {result.int32(0, 1), result.int32(0, 2)}) {
    if (version == pg_schema_version) continue;
    problems.add("the tables have version " + std::to_string(version) + ", and this library works with version " +
                 std::to_string(pg_schema_version) +
                 (version > pg_schema_version ? ": use the library that has installed them, or a later one"
                                              : ": " + std::string(another_version)));
    break;
  }
  if (shards != config.shards) {
    problems.add("outbox.shards is " + std::to_string(config.shards) + ", but " + tables.shards + " has " +
                 std::to_string(shards) + ": set outbox.shards to that, or, when the outbox is empty, drop the tables" +
                 " and " + std::string(install));
  }
}

}  // namespace

std::vector<std::string> pg_table_problems(PgSession& session, const OutboxConfig& config) {
  const PgTables tables(config);
  Problems problems;
  for (const Table table : all_tables) check_table(table, session, config, tables, problems);
  std::vector<std::string> lines = problems.take();
  if (!lines.empty()) return lines;
  check_contents(session, config, tables, problems);
  return problems.take();
}

void require_pg_tables(PgSession& session, const OutboxConfig& config) {
  const std::vector<std::string> problems = pg_table_problems(session, config);
  if (problems.empty()) return;
  std::string text = "the outbox in PostgreSQL cannot be used:";
  for (const std::string& problem : problems) text += "\n  " + problem;
  throw StoreError(text);
}

}  // namespace action_triggers::detail
