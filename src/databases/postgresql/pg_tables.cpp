// SPDX-License-Identifier: MIT
#include "databases/postgresql/pg_tables.hpp"

#include "base/sql_quotes.hpp"
#include "databases/postgresql/sql_text.hpp"
#include "outbox/outbox_row.hpp"

namespace action_triggers::detail {
namespace {

/// Runs statements unless a query finds something: for what has no IF NOT EXISTS.
std::string create_unless(const std::string& query, const std::string& statements) {
  return "DO " + pg_text("BEGIN IF NOT EXISTS (" + query + ") THEN " + statements + "; END IF; END") + ";\n\n";
}

/// Where the order of one key has to hold, all that have it belong to one shard. A trigger, since a generated column
/// takes three times as long (its expression is planned for each statement). hashtextextended() gives the same on all
/// machines. An outbox that has another number of shards stays as it is: the rows of one key would be in two.
std::string create_shard_trigger(const PgTables& tables, std::int32_t shards) {
  const std::string number = std::to_string(shards);
  // Whatever the writer's search_path is.
  const std::string body =
      "BEGIN NEW.shard := (pg_catalog.hashtextextended(NEW.target, 0)"
      " OPERATOR(pg_catalog.#) pg_catalog.hashtextextended(pg_catalog.encode(coalesce(NEW.key, ''), 'hex'), 1)"
      " OPERATOR(pg_catalog.&) 9223372036854775807) OPERATOR(pg_catalog.%) " +
      number + "; RETURN NEW; END";
  return create_unless("SELECT FROM pg_catalog.pg_trigger WHERE tgname = 'action_triggers_shard' AND tgrelid = " +
                           pg_text(tables.outbox) + "::regclass UNION ALL SELECT WHERE (SELECT count(*) FROM " +
                           tables.shards + ") <> " + number,
                       "CREATE OR REPLACE FUNCTION " + tables.shard_function +
                           "() RETURNS trigger LANGUAGE plpgsql AS " + pg_text(body) +
                           "; CREATE TRIGGER action_triggers_shard BEFORE INSERT ON " + tables.outbox +
                           " FOR EACH ROW EXECUTE FUNCTION " + tables.shard_function + "(); ALTER TABLE " +
                           tables.outbox + " ENABLE ALWAYS TRIGGER action_triggers_shard");
}

std::string create_schema(const PgTables& tables, const std::string& name) {
  if (name == "public") return {};
  // CREATE SCHEMA IF NOT EXISTS asks for a right that nobody needs if it exists.
  return create_unless("SELECT FROM pg_catalog.pg_namespace WHERE nspname = " + pg_text(name),
                       "CREATE SCHEMA " + tables.schema);
}

std::string create_outbox(const PgTables& tables) {
  return "CREATE TABLE IF NOT EXISTS " + tables.outbox + R"( (
  id           bigint GENERATED ALWAYS AS IDENTITY (CACHE 1),  -- the order within a shard
  shard        integer NOT NULL DEFAULT 0,
  target       text NOT NULL,   -- a destination's name, or "event:" and an event's
  body         bytea NOT NULL,
  key          bytea,
  message_id   text,            -- absent: follows from the row
  content_type text,
  headers      json,            -- [["name", "value"], ...]
  properties   json,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  done         bigint NOT NULL DEFAULT 0,   -- which targets of an event have confirmed
  replayed     integer NOT NULL DEFAULT 0,  -- how often it came back from the dead letters
  PRIMARY KEY (shard, id)
) WITH (
  -- Rows come and go: what is dead is removed by number, not by its part of a table that may be empty or huge.
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000,
  toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 5000,
  toast.autovacuum_vacuum_cost_delay = 0
);

)";
}

std::string create_shards(const PgTables& tables, std::int32_t shards) {
  const std::string version = std::to_string(pg_schema_version);
  return "CREATE TABLE IF NOT EXISTS " + tables.shards + R"( (
  shard     integer PRIMARY KEY,
  owner     text,                        -- absent: nobody's
  place     text,                        -- host and process id of the owner
  epoch     bigint NOT NULL DEFAULT 0,   -- one more each time that it is taken
  expires   timestamptz,
  low       bigint NOT NULL DEFAULT 0,   -- rows up to it have left: a hint where to read
  head      bigint,                      -- the first row that was about to be sent; negative: not by this owner yet
  deaths    integer NOT NULL DEFAULT 0,  -- owners in a row that ended at the same head without giving the shard back
  version   integer NOT NULL,            -- of these tables
  outbox_id uuid NOT NULL                -- ids of messages that bring none are derived from it
) WITH (fillfactor = 50);

INSERT INTO )" +
         tables.shards + R"( (shard, version, outbox_id)
SELECT number, )" +
         version + R"(, id
FROM generate_series(0, )" +
         std::to_string(shards - 1) + R"() AS number,
     (SELECT coalesce((SELECT outbox_id FROM )" +
         tables.shards + R"( LIMIT 1), gen_random_uuid()) AS id) AS made
WHERE NOT EXISTS (SELECT FROM )" +
         tables.shards + R"();

)";
}

std::string create_dead_letters(const PgTables& tables) {
  return "CREATE TABLE IF NOT EXISTS " + tables.dead_letters + R"( (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  shard        integer NOT NULL,
  target       text NOT NULL,
  body         bytea NOT NULL,
  key          bytea,
  message_id   text,
  content_type text,
  headers      json,
  properties   json,
  created_at   timestamptz NOT NULL,
  done         bigint NOT NULL,
  destination  text NOT NULL,   -- which one failed
  status       text NOT NULL,
  text         text NOT NULL,
  attempts     integer NOT NULL,
  died_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  replayed     integer NOT NULL
);
)";
}

}  // namespace

PgTables::PgTables(const OutboxConfig& config)
    : schema(quoted_name("outbox.schema", config.schema)),
      outbox(schema + "." + quoted_name("outbox.table", config.table)),
      shards(schema + "." + quoted_name("the table of shards", config.shards_table)),
      dead_letters(schema + "." + quoted_name("the table of dead letters", config.dead_letters_table)),
      shard_function(schema + ".\"action_triggers_shard\"") {}

std::string pg_schema(const OutboxConfig& config) {
  const PgTables tables(config);
  std::string text = "-- The outbox of action_triggers, version " + std::to_string(pg_schema_version) +
                     ", for PostgreSQL 13 and later. May be run again. Meant for one transaction.\n\n";
  // Two at once: the second one waits, and finds the tables.
  text += "SELECT pg_advisory_xact_lock(hashtextextended(" + pg_text("action_triggers " + tables.outbox) + ", 0));\n\n";
  text += create_schema(tables, config.schema);
  text += create_outbox(tables) + create_shards(tables, config.shards);
  if (config.shards > 1) text += create_shard_trigger(tables, config.shards);
  return text + create_dead_letters(tables);
}

std::string pg_insert_statement(const OutboxConfig& config) {
  return "INSERT INTO " + PgTables(config).outbox + " (" + std::string(new_row_columns) +
         ") VALUES ($1, $2, $3, $4, $5, $6, $7)";
}

}  // namespace action_triggers::detail
