// SPDX-License-Identifier: MIT
// A process of its own for tests of several: an application that writes, or a relay in its simplest form.
//
//   sqlite_process write DATABASE NAME COUNT         commits COUNT rows NAME-1, NAME-2, …, and rolls back as many
//   others sqlite_process relay DATABASE LEDGER UNTIL KILL  appends the bodies of rows to LEDGER and removes them,
//   until it has
//                                                    UNTIL lines; those that end in 0 are buried. KILL: the change to
//                                                    its files before which it dies by SIGKILL, 0: none
//   sqlite_process order DATABASE COUNT KILL         COUNT transactions that insert an order, and fire its number
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "action_triggers/config.hpp"
#include "action_triggers/sqlite.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "databases/sqlite/sqlite_store.hpp"
#include "faulty_vfs.hpp"
#include "sqlite_database.hpp"

namespace action_triggers::tests {
namespace {

using namespace std::chrono_literals;
using detail::DeadRow;
using detail::Lease;
using detail::OutboxRow;
using detail::ReadResult;

void write_rows(const std::string& path, const std::string& name, int count) {
  const SqliteSession application(path);
  for (int row = 1; row <= count; ++row) {
    application.execute("BEGIN IMMEDIATE");
    application.insert("orders", name + "-undone");
    application.execute("ROLLBACK");
    application.execute("BEGIN IMMEDIATE");
    application.insert("orders", name + "-" + std::to_string(row));
    application.execute("COMMIT");
  }
}

class Ledger {
 public:
  explicit Ledger(const std::string& path)
      : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
    std::ifstream stream(path);
    for (std::string line; std::getline(stream, line);) ++lines_;
  }
  ~Ledger() { ::close(fd_); }
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  void add(const std::string& body) {
    const std::string line = body + "\n";
    if (::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::abort();
    ++lines_;
  }
  [[nodiscard]] int lines() const { return lines_; }

 private:
  const int fd_;
  int lines_ = 0;
};

void settle(detail::SqliteOutboxStore& store, const std::vector<OutboxRow>& rows) {
  std::vector<std::int64_t> confirmed;
  std::vector<DeadRow> dead;
  for (const OutboxRow& row : rows) {
    if (!row.body.ends_with('0')) {
      confirmed.push_back(row.id);
      continue;
    }
    DeadRow& given_up = dead.emplace_back();
    given_up.id = row.id;
    given_up.status = "too_large";
    given_up.destination = row.target;
  }
  if (!confirmed.empty()) {
    store.set_done(0, std::vector<std::pair<std::int64_t, std::uint64_t>>{{confirmed.front(), 1}},
                   detail::created_at_any_time);
    store.remove(0, confirmed, detail::created_at_any_time);
  }
  if (!dead.empty()) store.bury(0, dead);
}

void relay_rows(const std::string& path, const std::string& ledger_path, int until, std::uint64_t kill_before) {
  FaultyVfs vfs;
  vfs.kill_before(kill_before);
  Ledger ledger(ledger_path);
  detail::SqliteOutboxStore store(sqlite_config(path), {.busy_limit = 60s, .vfs = FaultyVfs::name()});
  store.reopen();
  const auto taken = store.acquire(0, "relay-" + std::to_string(::getpid()), 1h);
  if (!taken) throw std::runtime_error("somebody else has the shard");
  const auto& [lease, notes] = *taken;
  for (;;) {
    const ReadResult result =
        store.read({.lease = lease, .ids = {{1, std::numeric_limits<std::int64_t>::max()}}, .targets = {}, .limit = 7});
    for (const OutboxRow& row : result.rows) ledger.add(row.body);
    settle(store, result.rows);
    if (!store.renew(lease, 1h, notes)) throw std::runtime_error("the lease is lost");
    if (result.rows.empty() && ledger.lines() >= until) break;
    if (result.rows.empty()) store.wait(-1, 1h);
  }
  store.release(lease, notes);
}

/// Leaves its rows to somebody else's relay.
void take_orders(const std::string& path, int count, std::uint64_t kill_before) {
  FaultyVfs vfs;
  const SqliteSession application(path, FaultyVfs::name());
  TriggerDispatcher dispatcher(parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}},
      "outbox": {"type": "sqlite", "relay": false, "path": ")" +
                                            path + R"("}})"));
  SqliteOutbox outbox(dispatcher);
  vfs.kill_before(kill_before == 0 ? 0 : vfs.changes() + kill_before);
  for (int order = 1; order <= count; ++order) {
    SqliteTransaction transaction(outbox, application.get());
    application.execute("INSERT INTO orders DEFAULT VALUES");
    transaction.fire("orders", std::to_string(sqlite3_last_insert_rowid(application.get())));
    transaction.commit();
  }
}

int run(const std::vector<std::string>& arguments) {
  ::alarm(120);
  if (arguments.at(0) == "write") {
    write_rows(arguments.at(1), arguments.at(2), std::stoi(arguments.at(3)));
  } else if (arguments.at(0) == "order") {
    take_orders(arguments.at(1), std::stoi(arguments.at(2)), std::stoull(arguments.at(3)));
  } else {
    relay_rows(arguments.at(1), arguments.at(2), std::stoi(arguments.at(3)), std::stoull(arguments.at(4)));
  }
  return 0;
}

}  // namespace
}  // namespace action_triggers::tests

int main(int count, char** arguments) {
  try {
    return action_triggers::tests::run({arguments + 1, arguments + count});
  } catch (const std::exception& error) {
    std::cerr << "sqlite_process: " << error.what() << std::endl;
    return 1;
  }
}
