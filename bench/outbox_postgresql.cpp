// SPDX-License-Identifier: MIT
// The outbox in PostgreSQL: what an application's transaction pays, and how fast the relay is. bench/outbox.py
// compares.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "action_triggers/postgresql.hpp"
#include "outbox.hpp"
#include "postgresql_session.hpp"

using namespace action_triggers::bench;
namespace at = action_triggers;

namespace {

constexpr const char* table = "action_triggers_outbox";

/// A dispatcher and its outbox. The relay runs here, or in another process, which this one may tell of its commits.
struct Application {
  Application(const Options& options, bool relay, const char* notify = "off",
              std::shared_ptr<Arrivals> with_arrivals = std::make_shared<Arrivals>())
      : arrivals(std::move(with_arrivals)),
        registry(registry_with(arrivals)),
        dispatcher(
            outbox_config(
                options, {{"type", "postgresql"}, {"conninfo", options.database}, {"relay", relay}, {"notify", notify}},
                registry),
            registry),
        outbox(dispatcher) {}

  const std::shared_ptr<Arrivals> arrivals;
  const at::BrokerRegistry registry;
  at::TriggerDispatcher dispatcher;
  at::PgOutbox outbox;
};

/// The same INSERT as an application has it without the library: prepared once, of as many rows as there are messages.
class ByHand {
 public:
  ByHand(const std::string& conninfo, std::size_t messages) : connection_(conninfo), messages_(messages) {
    std::string statement = std::string("INSERT INTO ") + table + " (target, body, message_id) VALUES ";
    for (std::size_t i = 0; i < messages; ++i) {
      const auto parameter = [&](std::size_t number) { return "$" + std::to_string(3 * i + number); };
      statement += (i == 0 ? "(" : ", (") + parameter(1) + ", " + parameter(2) + ", " + parameter(3) + ")";
    }
    connection_.prepare("write", statement);
  }

  [[nodiscard]] PgConnection& connection() { return connection_; }

  void transaction(std::size_t number, std::string_view body) {
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < messages_; ++i) ids.push_back(id_of(number * messages_ + i));
    std::vector<std::string_view> parameters;
    for (const std::string& id : ids) parameters.insert(parameters.end(), {"bench", body, id});
    connection_.run("BEGIN");
    connection_.execute("write", parameters);
    connection_.run("COMMIT");
  }

 private:
  PgConnection connection_;
  std::size_t messages_;
};

/// Transactions with nothing but messages, on connections that do not wait for the disk.
nlohmann::json insert(const Options& options) {
  Application application(options, false);
  PgConnection ours(options.database);
  ByHand by_hand(options.database, options.messages);
  for (PgConnection* connection : {&ours, &by_hand.connection()}) connection->run("SET synchronous_commit = off");
  ours.run(std::string("TRUNCATE ") + table);
  const std::string body(options.size, 'x');
  const auto transaction = [&](std::size_t) {
    at::PgTransaction messages(application.outbox, ours.get());
    for (std::size_t i = 0; i < options.messages; ++i) messages.fire("bench", body);
    messages.commit();
  };
  return in_turn(options.count, transaction, [&](std::size_t i) { by_hand.transaction(i, body); });
}

nlohmann::json latency(const Options& options, bool from_another) {
  const char* const notify = from_another ? "after_commit" : "off";
  Application owner(options, true, notify);
  std::optional<Application> other;
  if (from_another) other.emplace(options, false, notify, owner.arrivals);
  PgConnection connection(options.database);
  const std::string body(options.size, 'x');
  if (!owner.outbox.wait_until_empty(std::chrono::minutes(1))) throw std::runtime_error("rows were left");
  return time_commits(options, *owner.arrivals, [&] {
    at::PgTransaction transaction(other ? other->outbox : owner.outbox, connection.get());
    transaction.fire("bench", body);
    transaction.commit();
  });
}

/// A client of a shop: each transaction looks at a price, takes something from stock, raises a customer's balance and
/// notes an order.
class Client {
 public:
  static constexpr unsigned items = 10'000;

  Client(const std::string& conninfo, unsigned seed) : connection_(conninfo), random_(seed) {
    connection_.prepare("look", "SELECT price FROM bench_stock WHERE id = $1::text::integer");
    connection_.prepare("take", "UPDATE bench_stock SET number = number - 1 WHERE id = $1::text::integer");
    connection_.prepare("raise", "UPDATE bench_customers SET balance = balance + 1 WHERE id = $1::text::integer");
    connection_.prepare("note", "INSERT INTO bench_orders (item, text) VALUES ($1::text::integer, $2)");
  }

  void order(at::PgOutbox* outbox, std::size_t messages, const std::string& body) {
    if (outbox == nullptr) {
      connection_.run("BEGIN");
      change(body);
      connection_.run("COMMIT");
      return;
    }
    at::PgTransaction transaction(*outbox, connection_.get());
    change(body);
    for (std::size_t i = 0; i < messages; ++i) transaction.fire("bench", body);
    transaction.commit();
  }

 private:
  void change(const std::string& body) {
    const std::string item = std::to_string(random_() % items + 1);
    const std::string customer = std::to_string(random_() % items + 1);
    connection_.execute("look", {item});
    connection_.execute("take", {item});
    connection_.execute("raise", {customer});
    connection_.execute("note", {item, body});
  }

  PgConnection connection_;
  std::mt19937 random_;
};

void make_shop(PgConnection& connection) {
  const std::string items = std::to_string(Client::items);
  connection.run("DROP TABLE IF EXISTS bench_stock, bench_customers, bench_orders");
  connection.run(
      "CREATE TABLE bench_stock (id integer PRIMARY KEY, price integer, number integer) WITH (fillfactor = 50)");
  connection.run("CREATE TABLE bench_customers (id integer PRIMARY KEY, balance integer) WITH (fillfactor = 50)");
  connection.run(
      "CREATE TABLE bench_orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item integer, text text)");
  connection.run("INSERT INTO bench_stock SELECT id, 5, 0 FROM generate_series(1, " + items + ") id");
  connection.run("INSERT INTO bench_customers SELECT id, 0 FROM generate_series(1, " + items + ") id");
  connection.run("VACUUM ANALYZE bench_stock, bench_customers");
}

/// Transactions a second of many clients for some seconds, each on a connection of its own.
nlohmann::json clients(const Options& options) {
  PgConnection connection(options.database);
  make_shop(connection);
  connection.run(std::string("TRUNCATE ") + table);
  std::optional<Application> application;
  if (options.messages > 0) application.emplace(options, true);
  at::PgOutbox* const outbox = application ? &application->outbox : nullptr;
  const std::string body(options.size, 'x');
  std::atomic<bool> is_over{false};
  std::atomic<std::size_t> done{0};
  std::vector<std::unique_ptr<Client>> all;
  for (unsigned i = 0; i < options.threads; ++i) all.push_back(std::make_unique<Client>(options.database, i));
  std::vector<std::thread> threads;
  const Stopwatch watch;
  for (const auto& client : all) {
    threads.emplace_back([&] {
      for (; !is_over; ++done) client->order(outbox, options.messages, body);
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));
  is_over = true;
  for (std::thread& thread : threads) thread.join();
  nlohmann::json found = rates(done, watch);
  found["left"] = std::stoul(PQgetvalue(connection.run(std::string("SELECT count(*) FROM ") + table).get(), 0, 0));
  return found;
}

/// Reads and removes options.count rows behind 300,000 that have just passed: in seconds, with these as good as gone,
/// and with these kept by a foreign transaction that may still see them.
nlohmann::json dead_rows(const Options& options) {
  constexpr std::size_t most_dead = 300'000;
  const std::size_t dead = std::min(most_dead, 3 * options.count);
  Application application(options, true);
  PgConnection connection(options.database);
  PgConnection foreign(options.database);
  const auto pass = [&](std::size_t rows) {
    connection.run(std::string("INSERT INTO ") + table + " (target, body) SELECT 'bench', convert_to(repeat('x', " +
                   std::to_string(options.size) + "), 'UTF8') FROM generate_series(1, " + std::to_string(rows) + ")");
    const Stopwatch watch;
    application.outbox.committed();
    if (!application.outbox.wait_until_empty(std::chrono::minutes(5))) throw std::runtime_error("rows were left");
    return watch.seconds();
  };
  const auto vacuum = [&] { connection.run(std::string("VACUUM ") + table); };
  pass(dead);
  vacuum();
  const double without = pass(options.count);
  vacuum();
  foreign.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
  foreign.run("SELECT count(*) FROM pg_class");
  pass(dead);
  const double pinned = pass(options.count);
  foreign.run("ROLLBACK");
  const double number = double(options.count);
  return {{"without_us", without * 1e6 / number}, {"pinned_us", pinned * 1e6 / number}};
}

nlohmann::json measure(const Options& options) {
  if (options.work == "insert") return insert(options);
  if (options.work == "latency") return latency(options, false);
  if (options.work == "latency-other") return latency(options, true);
  if (options.work == "clients") return clients(options);
  return dead_rows(options);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse(
        argc, argv, "Measures the outbox in PostgreSQL. Its tables exist, and nobody else uses them.",
        {{"insert", "COUNT transactions of MESSAGES messages, and as many by hand, in turn"},
         {"latency", "from COUNT commits to their messages' arrival, idle, in the relay's process"},
         {"latency-other", "the same, of commits that the relay's process does not know of"},
         {"clients", "transactions a second of THREADS clients, with MESSAGES messages each, or without the outbox"},
         {"dead-rows", "reads and removes COUNT rows, with and without dead rows that a transaction keeps"}});
    return report(options, "ours", measure(options));
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
