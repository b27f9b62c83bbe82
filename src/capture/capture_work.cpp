// SPDX-License-Identifier: MIT
#include "capture/capture_work.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "capture/capture_sql_postgresql.hpp"
#include "capture/capture_sql_sqlite.hpp"
#include "capture/captured_table.hpp"
#include "capture/trigger_name.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

CaptureWork::CaptureWork(const CaptureConfig& captures, const OutboxConfig& outbox, CaptureDatabase& database,
                         std::vector<std::string> names)
    : captures_(captures),
      outbox_(outbox),
      database_(database),
      names_(std::move(names)),
      installed_(database.triggers()) {}

bool CaptureWork::is_meant(const std::string& name) const {
  return names_.empty() || std::find(names_.begin(), names_.end(), name) != names_.end();
}

CaptureWork::Wanted CaptureWork::wanted(const TableCapture& capture) const {
  auto table = database_.table(capture.table);
  if (!table) throw StoreError("capture." + capture.name + ": there is no table " + capture.table_text + ".");
  const CapturedTable captured = captured_table(capture, std::move(*table));
  CaptureSql made = outbox_.type == OutboxType::postgresql ? pg_capture_sql(captured, outbox_)
                                                           : sqlite_capture_sql(captured, outbox_, installed_);
  return {.capture = &capture,
          .sql = std::move(made.sql),
          .triggers = std::move(made.triggers),
          .unseen = captured.capture.has(CaptureOp::remove) ? captured.table.unseen : std::vector<std::string>()};
}

std::vector<std::string> CaptureWork::installed_captures() const {
  std::set<std::string> names;
  for (const InstalledTrigger& trigger : installed_) {
    if (const auto capture = capture_of_trigger(trigger.name)) names.insert(*capture);
  }
  return {names.begin(), names.end()};
}

std::string CaptureWork::remove_sql(const std::vector<std::string>& names) const {
  return outbox_.type == OutboxType::postgresql ? pg_remove_capture_sql(names, outbox_)
                                                : sqlite_remove_capture_sql(names, installed_);
}

/// SQLite would make a trigger that writes to a table which is not there; then every statement would fail.
void CaptureWork::require_outbox() const {
  const std::string schema = outbox_.type == OutboxType::postgresql ? outbox_.schema : "";
  if (database_.table({schema, outbox_.table})) return;
  throw StoreError("There is no outbox '" + outbox_.table +
                   "' in this database: 'action-triggers outbox install FILE' makes it.");
}

std::string CaptureWork::install_sql() {
  require_outbox();
  std::string sql;
  for (const TableCapture& capture : captures_.tables) {
    if (is_meant(capture.name)) sql += wanted(capture).sql;
  }
  return sql;
}

std::string CaptureWork::uninstall_sql() {
  std::set<std::string> names;
  for (const TableCapture& capture : captures_.tables) names.insert(capture.name);
  for (const std::string& name : installed_captures()) names.insert(name);
  std::vector<std::string> meant;
  std::copy_if(names.begin(), names.end(), std::back_inserter(meant),
               [&](const std::string& name) { return is_meant(name); });
  return remove_sql(meant);
}

std::vector<std::string> CaptureWork::problems_of(const Wanted& wanted) const {
  std::vector<std::string> problems;
  std::size_t stale = 0;
  std::size_t found = 0;
  for (const InstalledTrigger& trigger : installed_) {
    if (capture_of_trigger(trigger.name) != wanted.capture->name) continue;
    if (std::find(wanted.triggers.begin(), wanted.triggers.end(), trigger.name) == wanted.triggers.end()) {
      ++stale;
      continue;
    }
    ++found;
    if (!trigger.is_enabled) problems.push_back("The trigger " + trigger.name + " is disabled.");
    if (trigger.is_enabled && trigger.is_of_replica != wanted.capture->replica) {
      problems.push_back("The trigger " + trigger.name + (wanted.capture->replica ? " does not fire" : " fires") +
                         " for replication.");
    }
  }
  if (stale != 0) {
    problems.emplace_back(
        "It is stale: its SQL triggers are of another definition, or the table has changed since. "
        "'capture install FILE' makes them anew.");
  } else if (found == 0) {
    problems.emplace_back("It is not installed: 'capture install FILE' makes it.");
  } else if (found != wanted.triggers.size()) {
    problems.emplace_back("Some of its SQL triggers are missing: 'capture install FILE' makes them.");
  }
  return problems;
}

std::vector<std::string> CaptureWork::install() {
  require_outbox();
  std::vector<std::string> done;
  std::string sql;
  for (const TableCapture& capture : captures_.tables) {
    if (!is_meant(capture.name)) continue;
    const Wanted one = wanted(capture);
    if (problems_of(one).empty()) continue;
    sql += one.sql;
    done.push_back(capture.name);
  }
  if (!sql.empty()) database_.run(sql);
  return done;
}

std::vector<std::string> CaptureWork::uninstall() {
  std::vector<std::string> there;
  for (const std::string& name : installed_captures()) {
    if (is_meant(name)) there.push_back(name);
  }
  database_.run(uninstall_sql());
  return there;
}

std::vector<CaptureFinding> CaptureWork::check() {
  std::vector<CaptureFinding> findings;
  std::set<std::string> known;
  for (const TableCapture& capture : captures_.tables) {
    known.insert(capture.name);
    if (!is_meant(capture.name)) continue;
    CaptureFinding& finding = findings.emplace_back();
    finding.capture = capture.name;
    try {
      const Wanted one = wanted(capture);
      finding.problems = problems_of(one);
      if (!one.unseen.empty()) {
        finding.warnings.push_back("What a REPLACE removes because of " + joined(one.unseen) +
                                   " is captured only with PRAGMA recursive_triggers.");
      }
    } catch (const StoreError& error) {
      finding.problems.emplace_back(error.what());
    }
  }
  for (const std::string& name : installed_captures()) {
    if (known.contains(name) || !is_meant(name)) continue;
    findings.push_back({.capture = name,
                        .problems = {"It is installed, and not in the configuration: 'capture uninstall FILE " + name +
                                     "' removes it."},
                        .warnings = {}});
  }
  return findings;
}

}  // namespace action_triggers::detail
