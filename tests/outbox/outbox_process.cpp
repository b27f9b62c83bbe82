// SPDX-License-Identifier: MIT
// A process of its own for fault tests of the outbox. What it does to the database and to the brokers is all that is
// left of it when it is killed.
//
//   outbox_process DATABASE PLACE CONFIGURATION ATTEMPTS ROLE…      DATABASE: sqlite or postgresql
//
//   write RUN COUNT   an application: COUNT transactions, whose messages are named after RUN. Each notes in the table
//                     `committed`, in its own transaction, what it sends, and before that in the file ATTEMPTS
//   both RUN COUNT    the same, with the relay in its own process, until everything is sent
//   relay             sends until the outbox is empty
//   serve             sends until SIGTERM
//   stop - COUNT      sends until COUNT rows have left the outbox, and ends without waiting for the others
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "action_triggers/config.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "outbox/appending_broker.hpp"
#ifdef ACTION_TRIGGERS_WITH_POSTGRESQL
#include <libpq-fe.h>

#include "action_triggers/postgresql.hpp"
#endif
#ifdef ACTION_TRIGGERS_WITH_SQLITE
#include <sqlite3.h>

#include "action_triggers/sqlite.hpp"
#endif

namespace action_triggers::tests {
namespace {

using namespace std::chrono_literals;

struct Arguments {
  std::string place;
  std::string configuration;
  std::string attempts;
  std::string role;
  std::string run;
  std::uint64_t count = 0;
};

#ifdef ACTION_TRIGGERS_WITH_SQLITE
struct Sqlite {
  using Outbox = SqliteOutbox;
  using Transaction = SqliteTransaction;

  explicit Sqlite(const std::string& path) {
    if (sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK) fail("open");
    sqlite3_busy_timeout(db, 20'000);
  }
  ~Sqlite() { sqlite3_close_v2(db); }
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;

  void execute(const std::string& sql) const {
    if (sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail(sql);
  }
  [[noreturn]] void fail(const std::string& what) const { throw std::runtime_error(what + ": " + sqlite3_errmsg(db)); }
  [[nodiscard]] sqlite3* get() const { return db; }

  sqlite3* db = nullptr;
};
#endif

#ifdef ACTION_TRIGGERS_WITH_POSTGRESQL
struct Postgresql {
  using Outbox = PgOutbox;
  using Transaction = PgTransaction;

  explicit Postgresql(const std::string& conninfo) : connection(PQconnectdb(conninfo.c_str())) {
    if (PQstatus(connection) != CONNECTION_OK) fail("connect");
  }
  ~Postgresql() { PQfinish(connection); }
  Postgresql(const Postgresql&) = delete;
  Postgresql& operator=(const Postgresql&) = delete;

  void execute(const std::string& sql) const {
    PGresult* const result = PQexec(connection, sql.c_str());
    const bool is_done = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    if (!is_done) fail(sql);
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error(what + ": " + PQerrorMessage(connection));
  }
  [[nodiscard]] PGconn* get() const { return connection; }

  PGconn* connection;
};
#endif

DispatcherOptions options_with_log() {
  DispatcherOptions options;
  options.log = [](LogLevel level, std::string_view component, std::string_view text) {
    if (level != LogLevel::debug) std::cerr << std::string(component) + ": " + std::string(text) + "\n" << std::flush;
  };
  return options;
}

/// The transactions of one run.
template <class Database>
class Application {
 public:
  Application(const Arguments& arguments, typename Database::Outbox& outbox)
      : arguments_(arguments), outbox_(outbox), database_(arguments.place) {
    attempts_ = ::open(arguments.attempts.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }
  ~Application() { ::close(attempts_); }
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  void run() {
    for (std::uint64_t number = 0; number < arguments_.count; ++number) transact(number);
  }

 private:
  using Transaction = typename Database::Transaction;

  /// Two messages; an event; one with a savepoint and a message that its broker refuses; one that is rolled back.
  void transact(std::uint64_t number) {
    const std::string name = arguments_.run + "-" + std::to_string(number);
    const std::string key = "key" + std::to_string(number % 3);
    Transaction transaction(outbox_, database_.get());
    switch (number % 4) {
      case 0:
        fire(transaction, key, name + "-a");
        fire(transaction, key, name + "-b");
        break;
      case 1:
        emit(transaction, key, "{\"order\":\"" + name + "\"}");
        break;
      case 2: {
        fire(transaction, key, name + "-before");
        const auto savepoint = transaction.savepoint();
        fire(transaction, key, name + "-undone");
        transaction.rollback_to(savepoint);
        fire(transaction, key, "dead-" + name);
        break;
      }
      default:
        fire(transaction, key, name + "-undone");
        emit(transaction, key, "{\"undone\":\"" + name + "\"}");
        return transaction.rollback();
    }
    transaction.commit();
  }

  void fire(Transaction& transaction, const std::string& key, const std::string& body) {
    attempt(body);
    note(transaction.fire("orders", {.body = body, .key = key}), "orders", key, body);
  }
  void emit(Transaction& transaction, const std::string& key, const std::string& body) {
    attempt(body);
    note(transaction.emit("order.placed", {.body = body, .key = key}), "event", key, body);
  }

  void attempt(const std::string& body) const {
    const std::string line = body + "\n";
    if (::write(attempts_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::abort();
  }
  void note(const std::string& id, const std::string& target, const std::string& key, const std::string& body) const {
    database_.execute("INSERT INTO committed (message_id, target, message_key, body) VALUES ('" + id + "', '" + target +
                      "', '" + key + "', '" + body + "')");
  }

  const Arguments arguments_;
  typename Database::Outbox& outbox_;
  const Database database_;
  int attempts_ = -1;
};

template <class Database>
void act(const Arguments& arguments) {
  const BrokerRegistry registry = registry_with_appending();
  TriggerDispatcher dispatcher(load_config(arguments.configuration, registry), registry, options_with_log());
  typename Database::Outbox outbox(dispatcher);
  const std::string& role = arguments.role;
  if (role == "write" || role == "both") Application<Database>(arguments, outbox).run();
  if (role == "serve") {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    int number = 0;
    ::sigwait(&signals, &number);
  }
  if ((role == "relay" || role == "both") && !outbox.wait_until_empty(60s)) {
    throw std::runtime_error("not everything was sent within a minute");
  }
  if (role == "stop") {
    const auto is_over = [&](const OutboxStats& stats) { return stats.removed + stats.dead >= arguments.count; };
    while (!is_over(dispatcher.stats().outbox.value())) std::this_thread::sleep_for(2ms);
    outbox.close(0s);
  }
  outbox.close(20s);
}

void run(const std::vector<std::string>& words) {
  ::alarm(120);
  sigset_t signals;  // for `serve`, and before there are threads
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  Arguments arguments;
  arguments.place = words.at(1);
  arguments.configuration = words.at(2);
  arguments.attempts = words.at(3);
  arguments.role = words.at(4);
  if (words.size() > 5) arguments.run = words[5];
  if (words.size() > 6) arguments.count = std::stoull(words[6]);
#ifdef ACTION_TRIGGERS_WITH_SQLITE
  if (words[0] == "sqlite") return act<Sqlite>(arguments);
#endif
#ifdef ACTION_TRIGGERS_WITH_POSTGRESQL
  if (words[0] == "postgresql") return act<Postgresql>(arguments);
#endif
  throw std::runtime_error("no such database: " + words[0]);
}

}  // namespace
}  // namespace action_triggers::tests

int main(int count, char** words) {
  try {
    action_triggers::tests::run({words + 1, words + count});
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "outbox_process: " << error.what() << std::endl;
    return 1;
  }
}
