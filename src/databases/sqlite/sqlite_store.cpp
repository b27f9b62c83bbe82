// SPDX-License-Identifier: MIT
#include "databases/sqlite/sqlite_store.hpp"

#include <poll.h>
#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "databases/sqlite/sqlite_rows.hpp"
#include "databases/sqlite/sqlite_schema.hpp"
#include "outbox/place.hpp"

namespace action_triggers::detail {
namespace {

using std::chrono::milliseconds;

// The application waits while the outbox writes.
constexpr std::size_t rows_a_transaction = 1000;

const std::string read_sql = "SELECT " + std::string(row_columns) + " FROM $O WHERE id BETWEEN ?1 AND ?2 ORDER BY id";

// How often another process's commits are looked for: some microseconds each time.
constexpr milliseconds look_active{5};
constexpr milliseconds look_idle{25};
constexpr std::chrono::seconds active_for{1};

// $O is the outbox, $S the table of shards, $D the dead letters.

// An expiry that is far ahead is no lease: the machine's clock was set back since.
constexpr std::string_view acquire_sql =
    "UPDATE $S SET owner = ?1, place = ?2, epoch = epoch + 1, expires = julianday('now') + ?3 / 86400000.0,"
    " deaths = CASE WHEN owner IS NOT NULL AND owner <> ?1 THEN CASE WHEN head > 0 THEN deaths + 1"
    " ELSE max(deaths, 1) END ELSE deaths END, head = -abs(head)"
    " WHERE shard = 0 AND (owner IS NULL OR owner = ?1 OR expires IS NULL OR expires <= julianday('now')"
    " OR expires > julianday('now') + 2 * ?3 / 86400000.0)"
    " RETURNING epoch, low, head, deaths";

constexpr std::string_view renew_sql =
    "UPDATE $S SET low = ?3, head = ?4, deaths = ?5, expires = julianday('now') + ?6 / 86400000.0"
    " WHERE shard = 0 AND owner = ?1 AND epoch = ?2";

constexpr std::string_view release_sql =
    "UPDATE $S SET low = ?3, head = ?4, deaths = ?5, owner = NULL, place = NULL, expires = NULL"
    " WHERE shard = 0 AND owner = ?1 AND epoch = ?2";

constexpr std::string_view holds_sql =
    "SELECT 1 FROM $S WHERE shard = 0 AND owner = ?1 AND epoch = ?2 AND expires > julianday('now')";

constexpr std::string_view remove_sql = "DELETE FROM $O WHERE id BETWEEN ?1 AND ?2";

constexpr std::string_view set_done_sql = "UPDATE $O SET done = ?2 WHERE id = ?1";

// The letter keeps the id that the message was sent with, whatever row it becomes again.
constexpr std::string_view bury_sql =
    "INSERT INTO $D (shard, target, body, key, message_id, content_type, headers, properties, created_at, done, "
    "replayed,"
    " destination, status, text, attempts)"
    " SELECT shard, target, body, key,"
    " CASE WHEN coalesce(message_id, '') = '' THEN nullif(?6, '') ELSE message_id END,"
    " content_type, headers, properties, created_at, ?7, replayed, ?2, ?3, ?4, ?5 FROM $O WHERE id = ?1";

void bind_notes(SqliteStatement& statement, const Lease& lease, const ShardNotes& notes) {
  statement.bind_text(1, lease.owner);
  statement.bind(2, lease.epoch);
  statement.bind(3, notes.low);
  if (notes.head) {
    statement.bind(4, *notes.head);
  } else {
    statement.bind_null(4);
  }
  statement.bind(5, notes.deaths);
}

/// Ids in a row as ranges, so that one statement removes many.
std::vector<IdRange> runs_of(std::span<const std::int64_t> ids) {
  std::vector<std::int64_t> sorted(ids.begin(), ids.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<IdRange> runs;
  for (const std::int64_t id : sorted) {
    if (!runs.empty() && (id == runs.back().last || id - 1 == runs.back().last)) {
      runs.back().last = id;
    } else {
      runs.push_back({id, id});
    }
  }
  return runs;
}

bool is_wanted(std::string_view target, const std::vector<std::string>& targets) {
  return targets.empty() || std::find(targets.begin(), targets.end(), target) != targets.end();
}

/// With the tables' names.
std::string store_sql(const SqliteNames& names, std::string_view sql) {
  std::string text;
  for (std::size_t at = 0; at < sql.size(); ++at) {
    if (sql[at] != '$') {
      text += sql[at];
      continue;
    }
    const char which = sql[++at];
    text += which == 'O' ? names.outbox : which == 'S' ? names.shards : names.dead;
  }
  return text;
}

}  // namespace

/// The connection and all that is prepared on it.
struct SqliteOutboxStore::Session {
  Session(const OutboxConfig& config, const SqliteOptions& options)
      : connection(config.path, options),
        names(verified(connection, config)),
        acquire(connection, store_sql(names, acquire_sql), "Taking the shard"),
        renew(connection, store_sql(names, renew_sql), "Renewing the lease"),
        release(connection, store_sql(names, release_sql), "Releasing the shard"),
        holds(connection, store_sql(names, holds_sql), "Reading the outbox"),
        read(connection, store_sql(names, read_sql), "Reading the outbox"),
        remove(connection, store_sql(names, remove_sql), "Removing rows from the outbox"),
        set_done(connection, store_sql(names, set_done_sql), "Noting what has confirmed"),
        bury(connection, store_sql(names, bury_sql), "Moving rows to the dead letters"),
        data_version(connection, "PRAGMA data_version", "Looking for new rows") {
    SqliteStatement id(connection, store_sql(names, "SELECT outbox_id FROM $S WHERE shard = 0"), "Opening the outbox");
    const auto use = id.use();
    if (id.step()) info.outbox_id = id.bytes(0);
    // What the relay writes may be lost with the machine's power: it is done again. In the other journal modes the file
    // itself could be damaged then.
    if (connection.is_wal()) connection.execute("PRAGMA synchronous=NORMAL", "Opening the outbox");
    seen = version();
  }

  static SqliteNames verified(SqliteConnection& connection, const OutboxConfig& config) {
    const std::vector<std::string> problems = sqlite_problems(connection, config);
    if (problems.empty()) return SqliteNames(config);
    std::string text = "The database '" + config.path + "' is not ready for the outbox:";
    for (const std::string& problem : problems) text += " " + problem;
    throw StoreError(text +
                     " 'action-triggers outbox install FILE' makes the tables, 'outbox schema FILE' prints them.");
  }

  /// Changes when another connection has committed.
  std::int64_t version() {
    const auto use = data_version.use();
    return data_version.step() ? data_version.integer(0) : 0;
  }

  SqliteConnection connection;
  const SqliteNames names;
  SqliteStatement acquire;
  SqliteStatement renew;
  SqliteStatement release;
  SqliteStatement holds;
  SqliteStatement read;
  SqliteStatement remove;
  SqliteStatement set_done;
  SqliteStatement bury;
  SqliteStatement data_version;
  OutboxInfo info;
  std::int64_t seen = 0;  // the version() that wait() has told of
};

SqliteOutboxStore::SqliteOutboxStore(const OutboxConfig& config, const SqliteOptions& options)
    : config_(config), options_(options), place_(place_of_this_process()) {}

SqliteOutboxStore::~SqliteOutboxStore() = default;

SqliteOutboxStore::Session& SqliteOutboxStore::session() const {
  if (!session_) throw StoreError("The database '" + config_.path + "' is not open.");
  return *session_;
}

SqliteOutboxStore::Session& SqliteOutboxStore::session_at_its_path() const {
  Session& current = session();
  if (current.connection.is_at_its_path()) return current;
  throw StoreError("The database '" + config_.path +
                   "' was moved or replaced while it was open: it has to be opened again.");
}

sqlite3* SqliteOutboxStore::connection() const noexcept { return session_ ? session_->connection.get() : nullptr; }

OutboxInfo SqliteOutboxStore::reopen() {
  session_.reset();
  auto opened = std::make_unique<Session>(config_, options_);
  if (!file_) file_ = opened->connection.identity();
  if (!(*file_ == opened->connection.identity())) {
    file_ = FileIdentity();  // and none will do any more: a later one may have the old one's number
    throw StoreError("Another file was put in the place of the database '" + config_.path +
                     "'. Rows of the old one may be under way, and in the new one their numbers are those of others. "
                     "Start the program anew.");
  }
  session_ = std::move(opened);
  return session_->info;
}

// --------------------------------------------------------------------------------------------------------------- lease

std::optional<std::pair<Lease, ShardNotes>> SqliteOutboxStore::acquire(std::int32_t shard, const std::string& owner,
                                                                       milliseconds duration) {
  Session& current = session_at_its_path();
  std::optional<std::pair<Lease, ShardNotes>> taken;
  if (shard != 0) return taken;
  SqliteWriting writing(current.connection, "Taking the shard");
  {
    const auto use = current.acquire.use();
    current.acquire.bind_text(1, owner);
    current.acquire.bind_text(2, place_);
    current.acquire.bind(3, duration.count());
    if (current.acquire.step()) {
      const Lease lease{.shard = 0, .owner = owner, .epoch = current.acquire.integer(0)};
      ShardNotes notes{.low = current.acquire.integer(1),
                       .head = std::nullopt,
                       .deaths = static_cast<std::int32_t>(current.acquire.integer(3))};
      if (!current.acquire.is_null(2)) notes.head = current.acquire.integer(2);
      taken = std::pair(lease, notes);
    }
  }
  if (taken) {
    writing.commit();
  } else {
    require_shard(current);
  }
  return taken;
}

/// One that nobody can take is not somebody else's.
void SqliteOutboxStore::require_shard(Session& session) const {
  SqliteStatement shard(session.connection, store_sql(session.names, "SELECT 1 FROM $S WHERE shard = 0"),
                        "Taking the shard");
  const auto use = shard.use();
  if (shard.step()) return;
  throw StoreError("Taking the shard failed: the table '" + config_.shards_table + "' has no row for shard 0, in '" +
                   config_.path + "'. Run 'action-triggers outbox install FILE', and start the program anew.");
}

bool SqliteOutboxStore::renew(const Lease& lease, milliseconds duration, const ShardNotes& notes) {
  Session& current = session_at_its_path();
  SqliteWriting writing(current.connection, "Renewing the lease");
  {
    bind_notes(current.renew, lease, notes);
    current.renew.bind(6, duration.count());
    current.renew.run();
  }
  const bool is_held = sqlite3_changes(current.connection.get()) == 1;
  if (is_held) writing.commit();
  return is_held;
}

void SqliteOutboxStore::release(const Lease& lease, const ShardNotes& notes) {
  Session& current = session();
  SqliteWriting writing(current.connection, "Releasing the shard");
  bind_notes(current.release, lease, notes);
  current.release.run();
  writing.commit();
}

bool SqliteOutboxStore::holds(Session& session, const Lease& lease) {
  const auto use = session.holds.use();
  session.holds.bind_text(1, lease.owner);
  session.holds.bind(2, lease.epoch);
  return session.holds.step();
}

// ---------------------------------------------------------------------------------------------------------------- rows

ReadResult SqliteOutboxStore::read(const ReadRequest& request) {
  Session& current = session();
  ReadResult result;
  const SqliteReading reading(current.connection, "Reading the outbox");
  result.lease_is_held = holds(current, request.lease);
  if (!result.lease_is_held) return result;
  std::size_t bytes = 0;
  for (const IdRange& range : request.ids) {
    if (!read_range(current, request, range, bytes, result)) return result;
  }
  result.is_complete = true;
  return result;
}

/// False: a limit stopped it.
bool SqliteOutboxStore::read_range(Session& session, const ReadRequest& request, const IdRange& range,
                                   std::size_t& bytes, ReadResult& result) {
  const auto use = session.read.use();
  session.read.bind(1, range.first);
  session.read.bind(2, range.last);
  while (session.read.step()) {
    if (!is_wanted(session.read.bytes(1), request.targets)) continue;
    OutboxRow& row = result.rows.emplace_back();
    read_row(session.read, row);
    bytes += bytes_of(row);
    if (result.rows.size() >= request.limit || bytes >= request.most_bytes) return false;
  }
  return true;
}

void SqliteOutboxStore::remove(std::int32_t /*shard*/, std::span<const std::int64_t> ids, CreatedBetween /*created*/) {
  Session& current = session();
  while (!ids.empty()) {
    const auto some = ids.first(std::min(ids.size(), rows_a_transaction));
    ids = ids.subspan(some.size());
    SqliteWriting writing(current.connection, "Removing rows from the outbox");
    for (const IdRange& run : runs_of(some)) {
      current.remove.bind(1, run.first);
      current.remove.bind(2, run.last);
      current.remove.run();
    }
    writing.commit();
  }
}

void SqliteOutboxStore::set_done(std::int32_t /*shard*/, std::span<const std::pair<std::int64_t, std::uint64_t>> done,
                                 CreatedBetween /*created*/) {
  Session& current = session();
  while (!done.empty()) {
    const auto some = done.first(std::min(done.size(), rows_a_transaction));
    done = done.subspan(some.size());
    SqliteWriting writing(current.connection, "Noting what has confirmed");
    for (const auto& [id, targets] : some) {
      current.set_done.bind(1, id);
      current.set_done.bind(2, static_cast<std::int64_t>(targets));
      current.set_done.run();
    }
    writing.commit();
  }
}

void SqliteOutboxStore::bury(std::int32_t /*shard*/, std::span<const DeadRow> rows) {
  Session& current = session();
  SqliteWriting writing(current.connection, "Moving rows to the dead letters");
  for (const DeadRow& row : rows) {
    current.bury.bind(1, row.id);
    current.bury.bind_text(2, row.destination);
    current.bury.bind_text(3, row.status);
    current.bury.bind_text(4, row.text);
    current.bury.bind(5, row.attempts);
    current.bury.bind_text(6, row.message_id);
    current.bury.bind(7, static_cast<std::int64_t>(row.replay_done));
    current.bury.run();
    if (row.is_whole) {
      current.remove.bind(1, row.id);
      current.remove.bind(2, row.id);
      current.remove.run();
    } else {
      current.set_done.bind(1, row.id);
      current.set_done.bind(2, static_cast<std::int64_t>(row.done));
      current.set_done.run();
    }
  }
  writing.commit();
}

// ------------------------------------------------------------------------------------------------------------- waiting

/// What was committed since wait() last returned true here, also before it was called: rows that a read has seen
/// already wake the relay once more, but none is missed.
bool SqliteOutboxStore::has_changed(Session& session) {
  const std::int64_t version = session.version();
  if (version == session.seen) return false;
  session.seen = version;
  active_until_ = std::chrono::steady_clock::now() + active_for;
  return true;
}

bool SqliteOutboxStore::wait(int wake_fd, milliseconds timeout) {
  Session& current = session();
  const auto until = std::chrono::steady_clock::now() + timeout;
  pollfd wake{.fd = wake_fd, .events = POLLIN, .revents = 0};  // a negative one is passed over
  for (auto now = std::chrono::steady_clock::now();; now = std::chrono::steady_clock::now()) {
    const auto left = std::chrono::ceil<milliseconds>(until - now);
    const auto look = std::clamp(left, milliseconds(0), now < active_until_ ? look_active : look_idle);
    const int polled = ::poll(&wake, 1, static_cast<int>(look.count()));
    if (polled > 0 || (polled < 0 && errno != EINTR)) return false;
    if (has_changed(current)) return true;
    if (left <= look) return false;
  }
}

}  // namespace action_triggers::detail
