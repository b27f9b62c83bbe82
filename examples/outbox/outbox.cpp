// SPDX-License-Identifier: MIT
// A shop that sends what it commits, and nothing that it rolls back. Run it where shop.json and shop.db are.
#include <sqlite3.h>

#include <action_triggers/action_triggers.hpp>
#include <action_triggers/sqlite.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

namespace at = action_triggers;
using namespace std::chrono_literals;

namespace {

void execute(sqlite3* db, const std::string& sql) {
  if (sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    throw std::runtime_error(sqlite3_errmsg(db));
}

void place_order(at::SqliteOutbox& outbox, sqlite3* db, int number, int total) {
  at::SqliteTransaction transaction(outbox, db);  // its destructor rolls back
  execute(db, "INSERT INTO orders VALUES (" + std::to_string(number) + ", " + std::to_string(total) + ")");
  transaction.emit("order.placed", R"({"id": )" + std::to_string(number) + "}");
  if (total > 1'000) throw std::runtime_error("nobody pays " + std::to_string(total));
  transaction.commit();
}

}  // namespace

int main() {
  sqlite3* opened = nullptr;
  if (sqlite3_open("shop.db", &opened) != SQLITE_OK) return 1;
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> db(opened, sqlite3_close);
  sqlite3_busy_timeout(db.get(), 5'000);  // the relay writes to the file, too
  execute(db.get(), "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, total INTEGER)");

  at::TriggerDispatcher dispatcher(at::load_config("shop.json"));
  at::SqliteOutbox outbox(dispatcher);  // starts the relay

  place_order(outbox, db.get(), 1, 20);
  try {
    place_order(outbox, db.get(), 2, 20'000);
  } catch (const std::exception& error) {
    std::cout << "rolled back: " << error.what() << '\n';
  }
  place_order(outbox, db.get(), 3, 30);

  if (!outbox.wait_until_empty(30s)) return 1;
  for (const at::Message& message : at::InMemoryBroker::named()->messages("order_events")) {
    std::cout << "sent: " << message.body << '\n';
  }
}
