// SPDX-License-Identifier: MIT
#include "databases/postgresql/pg_outbox_admin.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "databases/postgresql/pg_table_check.hpp"

namespace action_triggers::detail {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view matches =
    "($1::text IS NULL OR destination = $1) AND ($2::text IS NULL OR status = $2)"
    " AND ($3::bytea IS NULL OR key = $3) AND ($4::text IS NULL OR position($4 IN text) > 0)"
    " AND ($5::bigint IS NULL OR died_at < clock_timestamp() - $5 * interval '1 s')"
    " AND ($6::bigint IS NULL OR id = $6) AND ($7::bigint = 0 OR id <= $7)";

/// $1 … $7 of `matches`, and $8, the limit.
PgParams params_of(const DeadFilter& filter) {
  PgParams params;
  params.add(filter.destination).add(filter.status).add(filter.key, PgType::bytes).add(filter.text);
  std::optional<std::int64_t> older;
  if (filter.older_than) older = filter.older_than->count();
  params.add(older).add(filter.id).add(filter.up_to_id);
  constexpr auto all = std::numeric_limits<std::int64_t>::max();
  const bool has_limit = filter.limit > 0 && filter.limit < static_cast<std::size_t>(all);
  return std::move(params.add(has_limit ? static_cast<std::int64_t>(filter.limit) : all));
}

DeadLetter letter_from(const PgResult& result, int row) {
  int column = 0;
  DeadLetter letter;
  letter.id = result.int64(row, column++);
  letter.shard = result.int32(row, column++);
  letter.target = result.text(row, column++);
  letter.body = result.text(row, column++);
  letter.key = result.optional_text(row, column++);
  letter.message_id = result.optional_text(row, column++);
  letter.content_type = result.optional_text(row, column++);
  letter.headers = result.optional_text(row, column++);
  letter.properties = result.optional_text(row, column++);
  letter.created_at = result.time(row, column++);
  letter.done = result.uint64(row, column++);
  letter.destination = result.text(row, column++);
  letter.status = result.text(row, column++);
  letter.text = result.text(row, column++);
  letter.attempts = static_cast<std::uint32_t>(result.int32(row, column++));
  letter.replayed = static_cast<std::uint32_t>(result.int32(row, column++));
  letter.died_at = result.time(row, column);
  return letter;
}

std::optional<milliseconds> optional_milliseconds(const PgResult& result, int row, int column) {
  if (result.is_null(row, column)) return std::nullopt;
  return milliseconds(result.int64(row, column));
}

}  // namespace

PgOutboxAdmin::PgOutboxAdmin(const OutboxConfig& config, std::chrono::seconds old_transaction)
    : config_(config),
      tables_(config),
      session_(config.conninfo, "action_triggers outbox", pg_command_timeouts, PgUse::anything),
      old_transaction_(old_transaction) {}

PgSession& PgOutboxAdmin::session() {
  if (!session_.is_open()) session_.connect();
  return session_;
}

void PgOutboxAdmin::install() { session().run_script("installing the tables", pg_schema(config_)); }

std::vector<std::string> PgOutboxAdmin::verify() { return pg_table_problems(session(), config_); }

OutboxState PgOutboxAdmin::state() {
  OutboxState state;
  const PgResult shards = session().execute(
      "reading the table of shards",
      "SELECT shard, owner, place, epoch, (extract(epoch FROM expires - clock_timestamp()) * 1000)::bigint, deaths,"
      " (SELECT (extract(epoch FROM clock_timestamp() - created_at) * 1000)::bigint FROM " +
          tables_.outbox +
          " AS rows WHERE rows.shard = shards.shard ORDER BY rows.shard, rows.id LIMIT 1)"
          " FROM " +
          tables_.shards + " AS shards ORDER BY shard");
  for (int row = 0; row < shards.rows(); ++row) {
    OutboxState::Shard& shard = state.shards.emplace_back();
    shard.shard = shards.int32(row, 0);
    shard.owner = shards.text(row, 1);
    shard.place = shards.text(row, 2);
    shard.epoch = shards.int64(row, 3);
    shard.expires_in = optional_milliseconds(shards, row, 4);
    shard.deaths = shards.int32(row, 5);
    shard.oldest_age = optional_milliseconds(shards, row, 6);
  }
  add_rows(state);
  add_warnings(state);
  state.dead = count_dead({});
  return state;
}

void PgOutboxAdmin::add_rows(OutboxState& state) {
  const PgResult counts = session().execute(
      "counting rows", "SELECT shard, target, count(*) FROM " + tables_.outbox + " GROUP BY shard, target");
  std::map<std::string, std::uint64_t> of_target;
  for (int row = 0; row < counts.rows(); ++row) {
    const std::uint64_t count = counts.uint64(row, 2);
    of_target[counts.text(row, 1)] += count;
    const auto shard = std::find_if(state.shards.begin(), state.shards.end(),
                                    [&](const auto& known) { return known.shard == counts.int32(row, 0); });
    if (shard != state.shards.end()) shard->rows += count;
  }
  for (auto& [target, rows] : of_target) state.targets.push_back({target, rows});
}

void PgOutboxAdmin::add_warnings(OutboxState& state) {
  PgParams table;
  table.add(std::string_view(tables_.outbox));
  const PgResult dead =
      session().execute("reading statistics",
                        "SELECT n_dead_tup, n_live_tup FROM pg_stat_all_tables WHERE relid = to_regclass($1)"
                        " AND n_dead_tup > 10000 AND n_dead_tup > 10 * n_live_tup",
                        table);
  if (dead.rows() > 0) {
    state.warnings.push_back(tables_.outbox + " has " + std::to_string(dead.int64(0, 0)) + " dead rows beside " +
                             std::to_string(dead.int64(0, 1)) +
                             ": autovacuum does not keep up, or a transaction holds them (below)");
  }
  PgParams age;
  age.add(std::int64_t{old_transaction_.count()});
  const PgResult old = session().execute("looking for old transactions",
                                         R"(SELECT pid, coalesce(application_name, ''), coalesce(state, ''),
       extract(epoch FROM clock_timestamp() - xact_start)::bigint
FROM pg_stat_activity
WHERE (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND pid <> pg_backend_pid()
  AND xact_start <= clock_timestamp() - $1 * interval '1 s' AND backend_type <> 'autovacuum worker'
ORDER BY xact_start LIMIT 3)",
                                         age);
  for (int row = 0; row < old.rows(); ++row) {
    const std::string pid = std::to_string(old.int32(row, 0));
    state.warnings.push_back("process " + pid + " (" + old.text(row, 1) + ", " + old.text(row, 2) +
                             ") has a transaction open for " + std::to_string(old.int64(row, 3)) +
                             " s: until it ends, removed rows stay on the disk; SELECT pg_terminate_backend(" + pid +
                             ") ends it");
  }
}

std::vector<DeadLetter> PgOutboxAdmin::dead(const DeadFilter& filter) {
  const PgResult result = session().execute(
      "reading dead letters",
      "SELECT id, shard, target, body, key, message_id, content_type, headers, properties, created_at, done,"
      " destination, status, text, attempts, replayed, died_at FROM " +
          tables_.dead_letters + " WHERE " + std::string(matches) + " ORDER BY id LIMIT $8",
      params_of(filter));
  std::vector<DeadLetter> letters;
  letters.reserve(static_cast<std::size_t>(result.rows()));
  for (int row = 0; row < result.rows(); ++row) letters.push_back(letter_from(result, row));
  return letters;
}

std::uint64_t PgOutboxAdmin::count_dead(const DeadFilter& filter) {
  const PgResult result = session().execute("counting dead letters",
                                            "SELECT count(*) FROM (SELECT FROM " + tables_.dead_letters + " WHERE " +
                                                std::string(matches) + " LIMIT $8) AS found",
                                            params_of(filter));
  return result.uint64(0, 0);
}

std::uint64_t PgOutboxAdmin::replay(const DeadFilter& filter) {
  const std::string columns(new_row_columns);
  // Two at once: each takes what the other one has not.
  const PgResult result =
      session().execute("replaying dead letters",
                        "WITH chosen AS (SELECT id FROM " + tables_.dead_letters + " WHERE " + std::string(matches) +
                            " ORDER BY id LIMIT $8 FOR UPDATE SKIP LOCKED),\n"
                            "gone AS (DELETE FROM " +
                            tables_.dead_letters +
                            " AS letters USING chosen WHERE letters.id = chosen.id RETURNING letters.*)\n"
                            "INSERT INTO " +
                            tables_.outbox + " (" + columns + ", created_at, done, replayed) SELECT " + columns +
                            ", created_at, done, replayed + 1"
                            " FROM gone ORDER BY id",
                        params_of(filter));
  return result.changed();
}

std::uint64_t PgOutboxAdmin::drop(const DeadFilter& filter) {
  const PgResult result =
      session().execute("dropping dead letters",
                        "DELETE FROM " + tables_.dead_letters + " WHERE id IN (SELECT id FROM " + tables_.dead_letters +
                            " WHERE " + std::string(matches) + " ORDER BY id LIMIT $8)",
                        params_of(filter));
  return result.changed();
}

}  // namespace action_triggers::detail
