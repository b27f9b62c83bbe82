// SPDX-License-Identifier: MIT
#include "databases/postgresql/pg_inserts.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <optional>
#include <string_view>

#include "base/text.hpp"
#include "databases/postgresql/pg_errors.hpp"
#include "databases/postgresql/pg_tables.hpp"

namespace action_triggers::detail {
namespace {

// Parsed and planned each time, more rows are faster as arrays; prepared, so many are faster as they are.
constexpr std::size_t few_as_text = 4;
constexpr std::size_t few_prepared = 16;
constexpr std::string_view answer = " pg_current_xact_id(), pg_backend_pid()";

constexpr std::array types_of_columns{PgType::text, PgType::bytes, PgType::bytes, PgType::text,
                                      PgType::text, PgType::json,  PgType::json};
constexpr std::size_t all_columns = types_of_columns.size();
// What most messages have no more than. A parameter costs something, even if it is NULL.
constexpr std::size_t plain_columns = 4;
constexpr std::string_view names_of_plain_columns = "target, body, key, message_id";
static_assert(new_row_columns.starts_with(names_of_plain_columns));

std::array<const std::string*, all_columns> columns_of(const NewRow& row) {
  const auto pointer = [](const std::optional<std::string>& text) { return text ? &*text : nullptr; };
  return {&row.target,
          &row.body,
          pointer(row.key),
          pointer(row.message_id),
          pointer(row.content_type),
          pointer(row.headers),
          pointer(row.properties)};
}

bool is_plain(const NewRow& row) { return !row.content_type && !row.headers && !row.properties; }

std::string insert_into(const OutboxConfig& config, std::size_t columns) {
  const std::string_view names = columns == plain_columns ? names_of_plain_columns : new_row_columns;
  return "INSERT INTO " + PgTables(config).outbox + " (" + std::string(names) + ")";
}

/// One row comes back, however many are written.
std::string with_answer(const std::string& insert) {
  return "WITH written AS (" + insert + ") SELECT" + std::string(answer);
}

/// For a few rows: what an application would write by hand, and as fast. Texts are taken for the client_encoding.
std::string insert_of_few(const OutboxConfig& config, std::size_t rows, std::size_t columns) {
  std::string statement = insert_into(config, columns) + " VALUES ";
  for (std::size_t number = 1; number <= rows * columns; ++number) {
    const bool begins_row = number % columns == 1;
    if (begins_row && number > 1) statement += "), ";
    statement += (begins_row ? "($" : ", $") + std::to_string(number);
  }
  statement += ")";
  return rows == 1 ? statement + " RETURNING" + std::string(answer) : with_answer(statement);
}

/// Texts travel as bytes, whatever the connection's client_encoding is.
std::string insert_of_many(const OutboxConfig& config) {
  const auto text = [](const std::string& column) { return "convert_from(" + column + ", 'UTF8')"; };
  return with_answer(insert_into(config, all_columns) + " SELECT " + text("target") + ", body, key, " +
                     text("message_id") + ", " + text("content_type") + ", " + text("headers") + "::json, " +
                     text("properties") + "::json FROM unnest($1, $2, $3, $4, $5, $6, $7) AS message (" +
                     std::string(new_row_columns) + ")");
}

PgParams parameters_of_few(std::span<const NewRow> rows, std::size_t columns) {
  PgParams params;
  params.reserve(rows.size() * columns);
  for (const NewRow& row : rows) {
    const auto values = columns_of(row);
    for (std::size_t i = 0; i < columns; ++i) params.add(values[i], types_of_columns[i]);
  }
  return params;
}

PgParams parameters_of_many(std::span<const NewRow> rows) {
  std::array<std::vector<const std::string*>, all_columns> columns;
  for (const NewRow& row : rows) {
    const auto values = columns_of(row);
    for (std::size_t i = 0; i < values.size(); ++i) columns[i].push_back(values[i]);
  }
  PgParams params;
  for (const auto& column : columns) params.add_array(column, PgType::bytes);
  return params;
}

bool takes_utf8(const PGconn* connection) {
  static const int utf8 = pg_char_to_encoding("UTF8");
  return PQclientEncoding(connection) == utf8;
}

/// Whether a command may have taken prepared statements away.
bool deallocates(std::string_view tag) { return tag == "DISCARD ALL" || tag.starts_with("DEALLOCATE"); }

bool is_prepared(PGconn* connection, const std::string& name) {
  const char* const names = name.c_str();
  const PgResult result(PQexecParams(connection, "SELECT FROM pg_prepared_statements WHERE name = $1", 1, nullptr,
                                     &names, nullptr, nullptr, 0));
  return result.rows() == 1;
}

}  // namespace

PgInserts& PgInserts::of(PGconn* connection) {
  if (void* const known = PQinstanceData(connection, procedure)) return *static_cast<PgInserts*>(known);
  std::unique_ptr<PgInserts> made(new PgInserts(connection));
  if (PQregisterEventProc(connection, procedure, "action_triggers inserts", nullptr) == 0) throw std::bad_alloc();
  PQsetInstanceData(connection, procedure, made.get());  // cannot fail, as the connection knows the procedure
  return *made.release();
}

int PgInserts::procedure(PGEventId id, void* info, void* /*pass_through*/) {
  const auto of = [](const PGconn* connection) {
    return static_cast<PgInserts*>(PQinstanceData(connection, procedure));
  };
  switch (id) {
    case PGEVT_RESULTCREATE: {
      const auto* const created = static_cast<PGEventResultCreate*>(info);
      if (!deallocates(PQcmdStatus(created->result))) break;
      if (PgInserts* const inserts = of(created->conn)) inserts->forget();
      break;
    }
    case PGEVT_CONNRESET:
      if (PgInserts* const inserts = of(static_cast<PGEventConnReset*>(info)->conn)) {
        inserts->forget();
        for (Insert& insert : inserts->inserts_) insert.name.clear();
        inserts->is_given_up_ = false;
      }
      break;
    case PGEVT_CONNDESTROY:
      delete of(static_cast<PGEventConnDestroy*>(info)->conn);
      break;
    default:
      break;
  }
  return 1;
}

void PgInserts::forget() noexcept {
  is_servers_own_ = false;
  for (Insert& insert : inserts_) {
    insert.is_prepared = false;
    insert.types.clear();
  }
}

PgInserts::Insert& PgInserts::find(const OutboxConfig& config, std::size_t rows, std::size_t columns) {
  const auto known = std::find_if(inserts_.begin(), inserts_.end(), [&](const Insert& one) {
    return one.rows == rows && one.columns == columns && one.table == config.table && one.schema == config.schema;
  });
  if (known != inserts_.end()) return *known;
  Insert& made = inserts_.emplace_back();
  made.schema = config.schema;
  made.table = config.table;
  made.rows = rows;
  made.columns = columns;
  made.text = rows == 0 ? insert_of_many(config) : insert_of_few(config, rows, columns);
  return made;
}

PgResult PgInserts::execute(const OutboxConfig& config, std::span<const NewRow> rows) {
  const std::size_t few = is_servers_own_ && !is_given_up_ ? few_prepared : few_as_text;
  const bool is_few = rows.size() <= few && takes_utf8(connection_);
  const bool are_plain = is_few && std::all_of(rows.begin(), rows.end(), is_plain);
  const std::size_t columns = are_plain ? plain_columns : all_columns;
  const PgParams params = is_few ? parameters_of_few(rows, columns) : parameters_of_many(rows);
  Insert& insert = find(config, is_few ? rows.size() : 0, columns);
  if (!insert.is_prepared) {
    PgResult result(PQexecParams(connection_, insert.text.c_str(), params.size(), params.types(), params.values(),
                                 params.lengths(), params.formats(), 0));
    executed(insert, params, result);
    return result;
  }
  PgResult result(PQexecPrepared(connection_, insert.name.c_str(), params.size(), params.values(), params.lengths(),
                                 params.formats(), 0));
  // In a way that does not show; or the table has changed so much that the server wants it prepared anew.
  const std::string sqlstate = pg_sqlstate(result.get());
  if (sqlstate == "26000" || sqlstate == "0A000") forget();
  if (sqlstate == "0A000") insert.name.clear();
  return result;
}

/// As text.
void PgInserts::executed(Insert& insert, const PgParams& params, const PgResult& result) {
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK || result.rows() == 0) return;
  is_servers_own_ = parse_number<int>(PQgetvalue(result.get(), 0, 1)) == PQbackendPID(connection_);
  if (is_servers_own_) insert.types.assign(params.types(), params.types() + params.size());
}

void PgInserts::prepare() {
  if (!is_servers_own_ || is_given_up_) return;
  for (Insert& insert : inserts_) {
    if (insert.types.empty() || insert.is_prepared) continue;
    // What the application deallocated may have been another one.
    insert.is_prepared = !insert.name.empty() && is_prepared(connection_, insert.name);
    if (insert.is_prepared) continue;
    std::string name = "action_triggers_insert_" + std::to_string(++prepared_);
    const PgResult result(PQprepare(connection_, name.c_str(), insert.text.c_str(),
                                    static_cast<int>(insert.types.size()), insert.types.data()));
    is_given_up_ = PQresultStatus(result.get()) != PGRES_COMMAND_OK;
    if (is_given_up_) return;
    insert.name = std::move(name);
    insert.is_prepared = true;
  }
}

}  // namespace action_triggers::detail
