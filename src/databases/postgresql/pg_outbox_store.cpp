// SPDX-License-Identifier: MIT
#include "databases/postgresql/pg_outbox_store.hpp"

#include <algorithm>
#include <deque>
#include <unordered_map>

#include "databases/postgresql/pg_table_check.hpp"
#include "databases/postgresql/sql_text.hpp"
#include "outbox/place.hpp"
#include "outbox/storable_text.hpp"

namespace action_triggers::detail {
namespace {

using std::chrono::milliseconds;

/// One row at least: whether the lease is held, and the horizon. Ranges are gone through one after the other, and their
/// rows in the order of the primary key, so that the limits end the reading early; nothing is sorted. The sum needs no
/// ORDER BY for the same reason. octet_length() does not fetch a large value, except of the two that are JSON; a row of
/// more bytes than the greatest integer is larger than any limit.
std::string read_statement(const PgTables& tables) {
  return R"(SELECT lease.is_held, pg_snapshot_xmin(lease.now), pg_snapshot_xmax(lease.now),
       found.id, found.target, found.body, found.key, found.message_id, found.content_type, found.headers,
       found.properties, found.created_at, found.done
FROM (SELECT pg_current_snapshot() AS now, EXISTS (
        SELECT FROM )" +
         tables.shards + R"(
        WHERE shard = $1 AND owner = $2 AND epoch = $3 AND expires > clock_timestamp()) AS is_held) AS lease
LEFT JOIN LATERAL (
  SELECT * FROM (
    SELECT rows.*, sum(bytes) OVER (ROWS UNBOUNDED PRECEDING) - bytes AS before
    FROM (
      SELECT one.*,
        least(octet_length(target)::bigint + octet_length(body) + coalesce(octet_length(key), 0)
          + coalesce(octet_length(message_id), 0) + coalesce(octet_length(content_type), 0)
          + coalesce(octet_length(headers::text), 0) + coalesce(octet_length(properties::text), 0),
          2147483647)::integer AS bytes
      FROM unnest($4::bigint[], $5::bigint[]) AS range (first, last)
      CROSS JOIN LATERAL (
        SELECT * FROM )" +
         tables.outbox + R"(
        WHERE lease.is_held AND shard = $1 AND id >= range.first AND id <= range.last
          AND ($8::text[] IS NULL OR target = ANY ($8))
        ORDER BY shard, id LIMIT $6) AS one
      LIMIT $6) AS rows) AS summed
  WHERE before < $7) AS found ON true)";
}

/// Rows that are whole leave the outbox; of the others the outbox keeps what is still to be sent. Several dead letters
/// may be of one row.
std::string bury_statement(const PgTables& tables) {
  std::string columns;
  std::string of_table;
  for (const char* column : {"id", "shard", "target", "body", "key", "message_id", "content_type", "headers",
                             "properties", "created_at", "replayed"}) {
    const std::string comma = columns.empty() ? "" : ", ";
    columns += comma + column;
    of_table += comma + "rows." + column;
  }
  return "WITH letter AS (SELECT * FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[],"
         " $7::text[], $8::bigint[]) WITH ORDINALITY"
         " AS given (id, status, text, attempts, destination, sent_id, replay_done, number)),\n"
         "gone AS (DELETE FROM " +
         tables.outbox +
         " AS rows WHERE shard = $1 AND id = ANY ($9::bigint[])"
         " AND id >= $12 AND id <= $13 AND created_at BETWEEN $14 AND $15 RETURNING " +
         of_table +
         "),\n"
         "kept AS (UPDATE " +
         tables.outbox +
         " AS rows SET done = given.done FROM unnest($10::bigint[], $11::bigint[]) AS given (id, done)"
         " WHERE rows.shard = $1 AND rows.id = given.id AND rows.id >= $12 AND rows.id <= $13"
         " AND rows.created_at BETWEEN $14 AND $15 RETURNING " +
         of_table + "),\nsource AS (SELECT " + columns + " FROM gone UNION ALL SELECT " + columns +
         " FROM kept)\n"
         "INSERT INTO " +
         tables.dead_letters +
         " (shard, target, body, key, message_id, content_type, headers, properties, created_at, done, destination,"
         " status, text, attempts, replayed)\n"
         "SELECT shard, target, body, key, coalesce(nullif(message_id, ''), nullif(sent_id, '')), content_type, "
         "headers,"
         " properties, created_at, replay_done, destination, status, text, least(attempts, 2147483647)::integer,"
         " replayed FROM letter JOIN source USING (id) ORDER BY number";
}

OutboxRow row_from(const PgResult& result, int row, std::int32_t shard) {
  int column = 3;
  OutboxRow made;
  made.shard = shard;
  made.id = result.int64(row, column++);
  made.target = result.text(row, column++);
  made.body = result.text(row, column++);
  made.key = result.optional_text(row, column++);
  made.message_id = result.optional_text(row, column++);
  made.content_type = result.optional_text(row, column++);
  made.headers = result.optional_text(row, column++);
  made.properties = result.optional_text(row, column++);
  made.created_at = result.time(row, column++);
  made.done = result.uint64(row, column);
  return made;
}

PgTimeouts timeouts_for(const OutboxConfig& config) {
  // Longer than a lease lasts, and somebody else has the shard.
  const milliseconds lease = config.lease;
  return {.connect = lease, .statement = lease};
}

void add_lease(PgParams& params, const Lease& lease) { params.add(lease.shard).add(lease.owner).add(lease.epoch); }

/// The least and the greatest of ids, which are not empty: an index is walked through from the one to the other, if the
/// server thinks that looking up one after the other takes longer.
void add_bounds(PgParams& params, std::span<const std::int64_t> ids, CreatedBetween created) {
  const auto [least, greatest] = std::minmax_element(ids.begin(), ids.end());
  params.add(*least).add(*greatest).add(created.first).add(created.last);
}

}  // namespace

PgOutboxStore::PgOutboxStore(const OutboxConfig& config) : PgOutboxStore(config, timeouts_for(config)) {}

PgOutboxStore::PgOutboxStore(const OutboxConfig& config, PgTimeouts timeouts)
    : config_(config),
      tables_(config),
      session_(config.conninfo, "action_triggers relay", timeouts, PgUse::by_primary_key),
      place_(place_of_this_process()),
      read_statement_(detail::read_statement(tables_)),
      remove_statement_("DELETE FROM " + tables_.outbox +
                        " WHERE shard = $1 AND id = ANY ($2) AND id >= $3 AND id <= $4"
                        " AND created_at BETWEEN $5 AND $6"),
      bury_statement_(bury_statement(tables_)) {}

OutboxInfo PgOutboxStore::reopen() {
  session_.connect();
  require_pg_tables(session_, config_);
  if (listens()) session_.execute("listening", "LISTEN " + std::string(pg_channel));
  const PgResult result = session_.execute("reading the table of shards",
                                           "SELECT count(*)::integer, min(outbox_id::text) FROM " + tables_.shards);
  return {.shards = result.int32(0, 0), .outbox_id = result.text(0, 1)};
}

std::optional<std::pair<Lease, ShardNotes>> PgOutboxStore::acquire(std::int32_t shard, const std::string& owner,
                                                                   milliseconds duration) {
  PgParams params;
  params.add(shard).add(owner).add(place_).add(std::int64_t{duration.count()});
  // An owner that does not know that it has the shard, since the answer was lost, may take it again.
  const PgResult result = session_.execute(
      "taking a shard",
      "UPDATE " + tables_.shards +
          " SET owner = $2, place = $3, epoch = epoch + 1, expires = clock_timestamp() + $4 * interval '1 ms',"
          " deaths = CASE WHEN owner <> $2 THEN CASE WHEN head > 0 THEN deaths + 1 ELSE greatest(deaths, 1) END"
          " ELSE deaths END, head = -abs(head)"
          " WHERE shard = $1 AND (expires IS NULL OR expires <= clock_timestamp() OR owner = $2)"
          " RETURNING epoch, low, head, deaths",
      params);
  if (result.rows() == 0) {
    require_shard(shard);
    return std::nullopt;
  }
  return std::pair{Lease{shard, owner, result.int64(0, 0)},
                   ShardNotes{result.int64(0, 1), result.optional_int64(0, 2), result.int32(0, 3)}};
}

/// One that nobody can take is not somebody else's.
void PgOutboxStore::require_shard(std::int32_t shard) {
  PgParams params;
  params.add(shard);
  const PgResult result =
      session_.execute("taking a shard", "SELECT FROM " + tables_.shards + " WHERE shard = $1", params);
  if (result.rows() > 0) return;
  throw StoreError("outbox in PostgreSQL: taking a shard: " + tables_.shards + " has no row for shard " +
                   std::to_string(shard) + "; run action-triggers outbox install FILE, and start the program anew");
}

bool PgOutboxStore::renew(const Lease& lease, milliseconds duration, const ShardNotes& notes) {
  PgParams params;
  add_lease(params, lease);
  params.add(std::int64_t{duration.count()}).add(notes.low).add(notes.head).add(notes.deaths);
  const PgResult result = session_.execute("renewing a lease",
                                           "UPDATE " + tables_.shards +
                                               " SET expires = clock_timestamp() + $4 * interval '1 ms', low = $5,"
                                               " head = $6, deaths = $7"
                                               " WHERE shard = $1 AND owner = $2 AND epoch = $3",
                                           params, PgCommit::does_not_wait);
  return result.changed() == 1;
}

void PgOutboxStore::release(const Lease& lease, const ShardNotes& notes) {
  PgParams params;
  add_lease(params, lease);
  params.add(notes.low).add(notes.head).add(notes.deaths);
  session_.execute("giving a shard back",
                   "UPDATE " + tables_.shards +
                       " SET owner = NULL, place = NULL, expires = NULL, low = $4, head = $5, deaths = $6"
                       " WHERE shard = $1 AND owner = $2 AND epoch = $3",
                   params);
}

ReadResult PgOutboxStore::read(const ReadRequest& request) {
  std::vector<std::int64_t> firsts;
  std::vector<std::int64_t> lasts;
  for (const IdRange& range : request.ids) {
    firsts.push_back(range.first);
    lasts.push_back(range.last);
  }
  std::vector<const std::string*> targets;
  for (const std::string& target : request.targets) targets.push_back(&target);
  const auto limit = static_cast<std::int64_t>(request.limit);
  const auto most_bytes = static_cast<std::int64_t>(std::min<std::size_t>(request.most_bytes, 1U << 30));
  PgParams params;
  add_lease(params, request.lease);
  params.add_array(firsts).add_array(lasts);
  params.add(limit + 1).add(most_bytes);  // one more: whether there are more
  if (targets.empty()) {
    params.add_null_array(PgType::text);
  } else {
    params.add_array(targets);
  }
  const PgResult result = session_.execute("reading rows", read_statement_, params);

  ReadResult read;
  read.lease_is_held = result.boolean(0, 0);
  read.horizon = {.oldest_open = result.uint64(0, 1), .next = result.uint64(0, 2)};
  const bool is_empty = result.is_null(0, 3);
  const int found = is_empty ? 0 : result.rows();
  const auto kept = static_cast<int>(std::min<std::int64_t>(found, limit));
  std::size_t bytes = 0;
  for (int row = 0; row < kept; ++row) {
    read.rows.push_back(row_from(result, row, request.lease.shard));
    bytes += bytes_of(read.rows.back());
    if (row > 0 && read.rows[read.rows.size() - 2].id >= read.rows.back().id) {
      throw StoreError("outbox in PostgreSQL: reading rows: they came out of order; please report this as a bug");
    }
  }
  read.is_complete = read.lease_is_held && found <= limit && bytes < static_cast<std::size_t>(most_bytes);
  return read;
}

void PgOutboxStore::remove(std::int32_t shard, std::span<const std::int64_t> ids, CreatedBetween created) {
  if (ids.empty()) return;
  PgParams params;
  params.add(shard).add_array(ids);
  add_bounds(params, ids, created);
  session_.execute("removing rows", remove_statement_, params, PgCommit::does_not_wait);
}

void PgOutboxStore::set_done(std::int32_t shard, std::span<const std::pair<std::int64_t, std::uint64_t>> done,
                             CreatedBetween created) {
  if (done.empty()) return;
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> bits;
  for (const auto& [id, value] : done) {
    ids.push_back(id);
    bits.push_back(static_cast<std::int64_t>(value));
  }
  PgParams params;
  params.add(shard).add_array(ids).add_array(bits);
  add_bounds(params, ids, created);
  session_.execute("noting which targets have confirmed",
                   "UPDATE " + tables_.outbox +
                       " AS rows SET done = given.done FROM unnest($2::bigint[], $3::bigint[]) AS given (id, done)"
                       " WHERE rows.shard = $1 AND rows.id = given.id AND rows.id >= $4 AND rows.id <= $5"
                       " AND rows.created_at BETWEEN $6 AND $7",
                   params, PgCommit::does_not_wait);
}

void PgOutboxStore::bury(std::int32_t shard, std::span<const DeadRow> rows) {
  if (rows.empty()) return;
  struct Letters {
    std::vector<std::int64_t> ids, attempts, replay_done;
    std::vector<const std::string*> statuses, texts, destinations, message_ids;
    std::deque<std::string> storable_texts;  // a broker may say anything
  } letters;
  std::unordered_map<std::int64_t, const DeadRow*> last;  // of each row: a whole one, or the latest
  CreatedBetween created;
  for (const DeadRow& row : rows) {
    created.add(row.created_at);
    letters.ids.push_back(row.id);
    letters.attempts.push_back(row.attempts);
    letters.replay_done.push_back(static_cast<std::int64_t>(row.replay_done));
    letters.statuses.push_back(&row.status);
    letters.texts.push_back(&letters.storable_texts.emplace_back(storable_text(row.text)));
    letters.destinations.push_back(&row.destination);
    letters.message_ids.push_back(&row.message_id);
    const DeadRow*& known = last[row.id];
    if (known == nullptr || !known->is_whole) known = &row;
  }
  std::vector<std::int64_t> gone;
  std::vector<std::int64_t> kept;
  std::vector<std::int64_t> done;
  for (const auto& [id, row] : last) {
    if (row->is_whole) {
      gone.push_back(id);
    } else {
      kept.push_back(id);
      done.push_back(static_cast<std::int64_t>(row->done));
    }
  }
  PgParams params;
  params.add(shard).add_array(letters.ids).add_array(letters.statuses).add_array(letters.texts);
  params.add_array(letters.attempts).add_array(letters.destinations).add_array(letters.message_ids);
  params.add_array(letters.replay_done).add_array(gone).add_array(kept).add_array(done);
  add_bounds(params, letters.ids, created);
  session_.execute("burying rows", bury_statement_, params);
}

bool PgOutboxStore::wait(int wake_fd, milliseconds timeout) { return session_.wait(wake_fd, timeout, listens()); }

}  // namespace action_triggers::detail
