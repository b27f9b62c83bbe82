// SPDX-License-Identifier: MIT
/// What the fault tests of an outbox in PostgreSQL share: an application under load, relay processes, two queues (or a
/// topic) where its messages arrive, and the ledger at the end.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "outbox/application.hpp"
#include "outbox/arrivals.hpp"
#include "outbox/committed_ledger.hpp"
#include "outbox/relay_process.hpp"
#include "support/temporary_folder.hpp"

namespace action_triggers::tests {

using namespace std::chrono_literals;

/// The servers of scripts/servers that these tests use.
inline constexpr const char* outbox_servers = "postgresql pgbouncer rabbitmq";

/// Ends a server at once (kill -9).
void crash_server(const std::string& server);
/// Starts it again, in good order if it still runs.
void restart_server(const std::string& server);

class OutboxFaultTest : public ::testing::Test {
 protected:
  using Clock = ArrivalWatch::Clock;

  struct Setting {
    int shards = 1;
    int batch = 50;
    bool has_kafka = false;  ///< "second" is a topic
    bool has_second = true;  ///< "second" is there from the beginning
    bool has_events = true;
    int sessions = 3;
    std::chrono::microseconds pause{5'000};
    std::string conninfo{};  ///< of application and relays; the private PostgreSQL's by default
    std::uint32_t seed = 20261126;
  };
  static constexpr int lease_seconds = 2;

  ~OutboxFaultTest() override;

  /// Tables, queues, and the application, which does not run yet.
  void set_up(const Setting& setting);
  RelayProcess& add_relay(std::vector<std::string> environment = {});
  /// Ends the application, and kills relays.
  void stop_all();
  /// The database of application and relays, from the next connection on.
  void move_to(const std::string& conninfo);

  /// Lets the application run, and waits until messages arrive; `during` does its worst and puts it right again; then
  /// messages must arrive that were committed afterwards, and in the end the outbox is empty. Adds a row to the table.
  void under_load(const std::string& fault, const std::function<void()>& during);
  /// The same in parts.
  void begin_load();
  void end_load();
  /// Holds the ledger against what has arrived.
  void check(const std::string& fault, const std::set<std::string>& held = {});

  /// kill -9 of "rabbitmq" or "kafka", which starts again when so many transactions have committed. The first relay is
  /// killed, too, at half of them, and starts again at once.
  void take_away(const std::string& broker, std::uint64_t transactions);

  /// So many duplicates more are explained.
  void explain(std::size_t duplicates) { explained_ += duplicates; }
  /// What the owners of so many shards may have sent, and not removed.
  [[nodiscard]] std::size_t window(int shards) const;
  /// What a server that is killed may forget: it removes rows without waiting for the disk.
  [[nodiscard]] std::size_t lost_removals() const { return window(setting_.shards) + 1'000; }

  /// Until it holds. Relays are supervised meanwhile.
  bool eventually(const std::function<bool()>& condition, std::chrono::seconds patience = 60s);
  bool arrive(std::uint64_t messages);
  bool commit(std::uint64_t transactions);
  /// Rows of the outbox, as this condition of SQL has them. None while the database does not answer.
  std::optional<std::uint64_t> rows(const std::string& condition = "true");
  std::string ask(const std::string& statement) { return Sql(reading_)(statement); }

  Application& application() { return *application_; }
  ArrivalWatch& watch() { return *watch_; }
  RelayProcess& relay(std::size_t number = 0) { return *relays_[number]; }
  [[nodiscard]] std::string outbox() const { return schema_ + ".action_triggers_outbox"; }
  [[nodiscard]] std::string shards() const { return schema_ + ".action_triggers_shards"; }
  [[nodiscard]] std::string dead_letters() const { return schema_ + ".action_triggers_dead_letters"; }
  /// The queue or topic of a destination that was not there.
  void make(const std::string& destination);

  const std::string schema_ = "at_fault_" + std::to_string(::getpid());
  const TemporaryFolder folder_;  // its relays end before it
  std::vector<std::unique_ptr<RelayProcess>> relays_;
  std::string guilty_;  ///< The body of a message that becomes a dead letter.

 private:
  void write_configuration() const;
  Outcome outcome(Sql& sql);

  Setting setting_;
  std::string conninfo_;  // of application and relays
  std::string reading_;   // where the truth is read
  std::vector<Place> places_;
  std::unique_ptr<ArrivalWatch> watch_;
  std::unique_ptr<Application> application_;
  std::set<std::string> made_;  // destinations that are there
  std::map<std::string, std::vector<Received>> arrived_;
  std::size_t explained_ = 0;
  std::optional<Clock::time_point> healed_;
};

}  // namespace action_triggers::tests
