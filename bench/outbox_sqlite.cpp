// SPDX-License-Identifier: MIT
// The outbox in SQLite: what an application's transaction pays, and when the relay has its message. bench/outbox.py
// compares.
#include <sqlite3.h>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "action_triggers/sqlite.hpp"
#include "outbox.hpp"

using namespace action_triggers::bench;
namespace at = action_triggers;

namespace {

constexpr const char* insert_by_hand =
    "INSERT INTO action_triggers_outbox (target, body, message_id) VALUES (?1, ?2, ?3)";

/// With a log, and without waiting for the disk at a commit.
class Connection {
 public:
  explicit Connection(const std::string& path) {
    check(sqlite3_open(path.c_str(), &db_));
    sqlite3_busy_timeout(db_, 10'000);
    run("PRAGMA journal_mode = WAL");
    run("PRAGMA synchronous = NORMAL");
  }
  ~Connection() { sqlite3_close(db_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] sqlite3* get() const noexcept { return db_; }
  void run(const char* sql) { check(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }
  void check(int status) const {
    if (status != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(db_));
  }

 private:
  sqlite3* db_ = nullptr;
};

/// As an application has it without the library: every statement is prepared once.
class ByHand {
 public:
  explicit ByHand(Connection& connection) : connection_(connection) {}

  void transaction(std::size_t number, std::size_t messages, const std::string& body) {
    begin_.step();
    for (std::size_t i = 0; i < messages; ++i) {
      const std::string& id = id_of(number * messages + i);
      insert_.bind_text(1, "bench");
      sqlite3_bind_blob(insert_.get(), 2, body.data(), static_cast<int>(body.size()), SQLITE_STATIC);
      insert_.bind_text(3, id);
      insert_.step();
    }
    commit_.step();
  }

 private:
  class Statement {
   public:
    Statement(Connection& connection, const char* sql) : connection_(connection) {
      connection.check(sqlite3_prepare_v3(connection.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr));
    }
    ~Statement() { sqlite3_finalize(statement_); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    [[nodiscard]] sqlite3_stmt* get() const noexcept { return statement_; }
    void bind_text(int parameter, std::string_view text) {
      sqlite3_bind_text(statement_, parameter, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
    }
    void step() {
      if (sqlite3_step(statement_) != SQLITE_DONE) throw std::runtime_error(sqlite3_errmsg(connection_.get()));
      sqlite3_reset(statement_);
    }

   private:
    Connection& connection_;
    sqlite3_stmt* statement_ = nullptr;
  };

  Connection& connection_;
  Statement begin_{connection_, "BEGIN IMMEDIATE"};
  Statement insert_{connection_, insert_by_hand};
  Statement commit_{connection_, "COMMIT"};
};

struct Application {
  Application(const Options& options, bool relay) : Application(options, relay, std::make_shared<Arrivals>()) {}
  Application(const Options& options, bool relay, const std::shared_ptr<Arrivals>& with_arrivals)
      : arrivals(with_arrivals),
        registry(registry_with(arrivals)),
        dispatcher(outbox_config(options, {{"type", "sqlite"}, {"path", options.database}, {"relay", relay}}, registry),
                   registry),
        outbox(dispatcher) {}

  const std::shared_ptr<Arrivals> arrivals;
  const at::BrokerRegistry registry;
  at::TriggerDispatcher dispatcher;
  at::SqliteOutbox outbox;
};

/// Transactions with nothing but messages: each with an object of its own, or all with one.
nlohmann::json insert(const Options& options, bool with_one) {
  Application application(options, false);
  Connection connection(options.database);
  connection.run("DELETE FROM action_triggers_outbox");
  ByHand by_hand(connection);
  const std::string body(options.size, 'x');
  std::optional<at::SqliteTransaction> transaction;
  const auto ours = [&](std::size_t i) {
    if (i == 0 || !with_one) {
      transaction.reset();
      transaction.emplace(application.outbox, connection.get());
    } else {
      transaction->begin();
    }
    for (std::size_t message = 0; message < options.messages; ++message) transaction->fire("bench", body);
    transaction->commit();
    if (!with_one) transaction.reset();
  };
  return in_turn(options.count, ours, [&](std::size_t i) { by_hand.transaction(i, options.messages, body); });
}

nlohmann::json latency(const Options& options, bool from_another) {
  Application owner(options, true);
  std::optional<Application> other;
  if (from_another) other.emplace(options, false, owner.arrivals);
  Connection connection(options.database);
  const std::string body(options.size, 'x');
  if (!owner.outbox.wait_until_empty(std::chrono::minutes(1))) throw std::runtime_error("rows were left");
  return time_commits(options, *owner.arrivals, [&] {
    at::SqliteTransaction transaction(other ? other->outbox : owner.outbox, connection.get());
    transaction.fire("bench", body);
    transaction.commit();
  });
}

nlohmann::json measure(const Options& options) {
  if (options.work == "insert") return insert(options, true);
  if (options.work == "insert-once") return insert(options, false);
  return latency(options, options.work == "latency-other");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options =
        parse(argc, argv, "Measures the outbox in SQLite. Its tables exist, and nobody else uses them.",
              {{"insert", "COUNT transactions of MESSAGES messages of one object, and as many by hand, in turn"},
               {"insert-once", "the same with an object for each transaction"},
               {"latency", "from COUNT commits to their messages' arrival, idle, in the relay's process"},
               {"latency-other", "the same, of commits that the relay's process does not know of"}});
    return report(options, "ours", measure(options));
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
