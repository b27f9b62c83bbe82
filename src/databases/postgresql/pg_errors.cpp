// SPDX-License-Identifier: MIT
#include "databases/postgresql/pg_errors.hpp"

#include <algorithm>
#include <array>
#include <memory>

namespace action_triggers::detail {
namespace {

struct WayOut {
  std::string_view sqlstate;  // or the first two characters, its class
  std::string_view text;
};

// The first that fits counts.
constexpr std::array ways_out{
    WayOut{"28", "check user and password in outbox.conninfo, and the server's pg_hba.conf"},
    WayOut{"3D000", "create the database, or correct dbname in outbox.conninfo"},
    WayOut{"42P01",
           "run action-triggers outbox install FILE, or the SQL that action-triggers outbox schema FILE prints"},
    WayOut{"3F000",
           "run action-triggers outbox install FILE, or the SQL that action-triggers outbox schema FILE prints"},
    WayOut{"42703", "the table is another one than ours: see action-triggers outbox verify FILE"},
    WayOut{"42883",
           "run action-triggers outbox install FILE, or the SQL that action-triggers outbox schema FILE prints"},
    WayOut{"42501", "grant the user of outbox.conninfo what action-triggers outbox verify FILE lists"},
    WayOut{"25006",
           "the server is read-only, as a standby is: name the primary in outbox.conninfo, or several hosts with "
           "target_session_attrs=read-write"},
    WayOut{"53100", "the server's disk is full: make room there"},
    WayOut{"53300", "the server has no connection left: raise max_connections, or put PgBouncer before it"},
    WayOut{"57P03", "the server is starting or shutting down: it is tried again"},
    WayOut{"57P", "the server has ended the session: it is tried again"},
    WayOut{"25P03", "the server's idle_in_transaction_session_timeout is over: commit sooner"},
    WayOut{"55P03", "a lock of somebody else was in the way: pg_locks says whose"},
    WayOut{"57014", "the statement took too long: pg_locks says who is in the way"},
    WayOut{"22021", "the text is not UTF-8, or has a NUL byte"},
    WayOut{"22P05", "the text has characters that the database's encoding lacks: use a database with UTF8"},
    WayOut{"08", "it is tried again"},
};

std::string_view way_out(std::string_view sqlstate) {
  if (sqlstate.empty()) return {};
  const auto* const found = std::find_if(ways_out.begin(), ways_out.end(),
                                         [&](const WayOut& way) { return sqlstate.starts_with(way.sqlstate); });
  return found == ways_out.end() ? std::string_view{} : found->text;
}

bool is_uri(std::string_view conninfo) {
  return conninfo.starts_with("postgresql://") || conninfo.starts_with("postgres://");
}

using Options = std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)>;

std::string_view value_of(const Options& options, std::string_view keyword) {
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->keyword == keyword && option->val != nullptr) return option->val;
  }
  return {};
}

}  // namespace

std::string pg_message(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c == '\n' || c == '\t') {
      if (!line.empty() && line.back() != ' ') line += ' ';
    } else {
      line += c;
    }
  }
  while (line.ends_with(' ') || line.ends_with('.')) line.pop_back();
  return line;
}

std::string pg_sqlstate(const PGresult* result) {
  const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  return state == nullptr ? "" : state;
}

std::string pg_error_text(std::string_view tried, std::string_view sqlstate, std::string_view message) {
  std::string text = "outbox in PostgreSQL: " + std::string(tried) + ": " + pg_message(message);
  if (const std::string_view way = way_out(sqlstate); !way.empty()) text += "; " + std::string(way);
  return text;
}

std::string pg_conninfo_problem(const std::string& conninfo) {
  if (conninfo.find('\0') != std::string::npos) return "outbox.conninfo contains a NUL byte";
  char* error = nullptr;
  const Options options(PQconninfoParse(conninfo.c_str(), &error), PQconninfoFree);
  PQfreemem(error);
  if (options == nullptr) {
    return "outbox.conninfo cannot be read; it is keyword=value pairs or a postgresql:// URI, see "
           "https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING (it is not shown here, since "
           "it "
           "may contain a password)";
  }
  if (!is_uri(conninfo)) return {};
  // user:p@ss@host is a host "ss@host", which libpq would name.
  const auto has = [&](std::string_view keyword, std::string_view characters) {
    return value_of(options, keyword).find_first_of(characters) != std::string_view::npos;
  };
  if (has("host", "@") || has("user", "@") || has("dbname", "@") ||
      value_of(options, "port").find_first_not_of("0123456789,") != std::string_view::npos) {
    return "outbox.conninfo: a user or password in a URI has %40 for @, %3A for :, %2F for / and %25 for %";
  }
  return {};
}

}  // namespace action_triggers::detail
