// SPDX-License-Identifier: MIT
/// The application of the outbox's fault tests: several sessions that commit orders and their messages, roll back, go
/// back to savepoints and fail at commit, without the library, in plain SQL. What it committed stands in a table of its
/// own, written in the same transactions.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "databases/postgresql/server.hpp"
#include "outbox/committed_ledger.hpp"

namespace action_triggers::tests {

struct ApplicationOptions {
  std::string conninfo;                         // may name several hosts
  std::string schema;                           // of its own tables and of the outbox
  std::vector<std::string> destinations;        // of plain messages
  std::vector<std::string> event_destinations;  // where the event goes; empty: there is none
  int sessions = 3;
  std::chrono::microseconds pause{0};  // after each transaction of a session
  std::size_t body_bytes = 200;
  std::uint32_t seed = 1;
};

/// Of what encode(…, 'hex') makes of bytes.
std::string from_hex(const std::string& text);

class Application {
 public:
  using Options = ApplicationOptions;
  /// The event's name: event_destinations get it by a trigger.
  static constexpr const char* event = "order.placed";
  /// What its table of orders is called, in its schema.
  static constexpr const char* orders = "orders";

  explicit Application(Options options);
  ~Application();
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  /// Makes its tables. The schema is there.
  void install(Sql& sql) const;
  /// The connection string from the next connection on.
  void move_to(const std::string& conninfo);

  void start();
  /// Waits for the transactions that are under way.
  void stop();

  /// Transactions whose COMMIT was answered.
  [[nodiscard]] std::uint64_t commits() const { return commits_; }
  /// Those that were meant to be committed, and were refused.
  [[nodiscard]] std::uint64_t failures() const { return failures_; }

  /// One message in a transaction that is left open: by the caller, who ends it. The script, and no COMMIT.
  [[nodiscard]] std::string open_transaction();

  /// What the database says was committed, and all else that was tried. Nothing is under way. Throws if something is
  /// missing whose COMMIT was answered: then the database itself has lost it.
  [[nodiscard]] History history(Sql& sql) const;

 private:
  struct Message {
    std::uint64_t number = 0;
    bool is_event = false;
    std::string target;  // as the outbox has it
    std::string key;
    std::string id;  // empty: the row has none
    std::string body;
  };
  enum class End : std::uint8_t { commit, rollback, fails_at_commit };

  void run(std::uint32_t seed);
  void run_session(Sql& sql, std::mt19937& random);
  [[nodiscard]] Message message(std::uint64_t number) const;
  /// Messages of different keys, in the order of these: sessions that lock them in it never wait for each other in a
  /// circle.
  std::vector<Message> next_messages(std::size_t count);
  [[nodiscard]] std::string order_of(const Message& message) const;
  [[nodiscard]] std::string row_of(const std::vector<Message>& messages) const;
  struct Transaction {
    std::string script;
    std::vector<std::uint64_t> numbers;  // of its messages, without those before which it goes back to a savepoint
  };
  Transaction transaction(std::mt19937& random, End end);
  [[nodiscard]] std::string conninfo();
  [[nodiscard]] std::vector<std::string> destinations_of(const std::string& target) const;

  const Options options_;
  const std::string run_;  // begins each id
  std::vector<std::thread> threads_;
  std::atomic<bool> is_stopping_{false};
  std::atomic<std::uint64_t> next_number_{0};
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> failures_{0};
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable stopped_;
  std::string conninfo_;
  std::set<std::uint64_t> put_off_;       // messages that have a key like one before
  std::set<std::uint64_t> acknowledged_;  // their COMMIT was answered
};

}  // namespace action_triggers::tests
