// SPDX-License-Identifier: MIT
// A small shop: every row that changes in its database is an event, once the change is committed, and the triggers of
// the configuration send it to Kafka and to RabbitMQ. While it runs, a change of the triggers is rolled out.
//
//     action_triggers_example_orders brokers.json              with the brokers that the file names
//     action_triggers_example_orders brokers.json --mock-kafka with librdkafka's embedded mock cluster as Kafka
//
// Ends with status 1 unless every message was confirmed and read back by another client.
#include <sqlite3.h>

#include <action_triggers/action_triggers.hpp>
#include <action_triggers/config_watcher.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "committed_changes.hpp"
#include "read_back.hpp"

namespace at = action_triggers;
using namespace std::chrono_literals;

namespace {

/// What was emitted, and what became of it.
struct Emitted {
  std::string event;
  std::string body;
  at::Emission emission;
};

/// Closes itself.
struct Database {
  sqlite3* handle = nullptr;

  Database() {
    if (sqlite3_open(":memory:", &handle) != SQLITE_OK) throw std::runtime_error("no SQLite database can be opened");
  }
  ~Database() { sqlite3_close(handle); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
};

class Shop {
 public:
  explicit Shop(at::TriggerDispatcher& dispatcher) : dispatcher_(dispatcher) {
    execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, total INTEGER CHECK (total > 0))");
    execute("CREATE TABLE carts (id INTEGER PRIMARY KEY, customer TEXT)");
  }

  /// Emits what was committed, and nothing else. Which brokers hear of it is not decided here.
  void execute(const std::string& sql) {
    for (const example::CommittedChanges::Change& change : changes_.execute(sql)) on_change(change);
  }

  [[nodiscard]] const std::vector<Emitted>& emitted() const { return emitted_; }

 private:
  void on_change(const example::CommittedChanges::Change& change) {
    const char* const verb = change.operation == SQLITE_INSERT   ? "insert"
                             : change.operation == SQLITE_UPDATE ? "update"
                                                                 : "delete";
    std::string event = change.table + "." + verb;
    std::string body = R"({"table": ")" + change.table + R"(", "row": )" + std::to_string(change.row) +
                       R"(, "change": ")" + verb + "\"}";
    at::Emission emission = dispatcher_.emit(event, body);
    emitted_.push_back({std::move(event), std::move(body), std::move(emission)});
  }

  at::TriggerDispatcher& dispatcher_;
  Database database_;
  example::CommittedChanges changes_{database_.handle};
  std::vector<Emitted> emitted_;
};

void do_business(Shop& shop) {
  for (int order = 1; order <= 20; ++order) {
    shop.execute("INSERT INTO orders (customer, total) VALUES ('customer " + std::to_string(order % 5) + "', " +
                 std::to_string(order * 100) + ")");
  }
  shop.execute("UPDATE orders SET total = total + 5 WHERE customer = 'customer 1'");  // four rows, four triggers
  shop.execute("DELETE FROM orders WHERE id % 5 = 0");

  shop.execute("INSERT INTO carts (customer) VALUES ('customer 1'), ('customer 2'), ('customer 3')");
  shop.execute("DELETE FROM carts");                             // without WHERE: three rows, three messages
  shop.execute("BEGIN; UPDATE orders SET total = 1; ROLLBACK");  // none: it did not happen
  try {
    shop.execute("BEGIN; INSERT INTO orders (total) VALUES (7); INSERT INTO orders (total) VALUES (-7); COMMIT");
  } catch (const std::runtime_error&) {  // none either: CHECK refuses the second row, the first is rolled back
  }
}

// 20 orders, 4 updates, 4 deletes, 3 carts and their end.
constexpr std::size_t changes_that_last = 20 + 4 + 4 + 3 + 3;

/// When nobody wants to hear of carts any more.
void do_more_business(Shop& shop) {
  shop.execute("INSERT INTO carts (customer) VALUES ('customer 4'), ('customer 5')");
  shop.execute("UPDATE orders SET total = total + 1 WHERE id <= 4");
}

constexpr std::size_t more_carts = 2;
constexpr std::size_t more_orders = 4;

/// The configuration as it is deployed: a copy, which somebody changes while the program runs.
class DeployedFile {
 public:
  explicit DeployedFile(const std::string& original) {
    std::ifstream file(original);
    text_.assign(std::istreambuf_iterator<char>(file), {});
    std::string folder = (std::filesystem::temp_directory_path() / "orders-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary folder can be made");
    folder_ = folder;
    std::ofstream(path()) << text_;
  }
  ~DeployedFile() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  DeployedFile(const DeployedFile&) = delete;
  DeployedFile& operator=(const DeployedFile&) = delete;

  [[nodiscard]] std::string path() const { return (folder_ / "brokers.json").string(); }

  /// Rolls out a change, as editors do: the new file takes the old one's place.
  void replace(const std::string& what, const std::string& with) {
    const std::size_t at = text_.find(what);
    if (at == std::string::npos) throw std::runtime_error("the configuration has no " + what);
    text_.replace(at, what.size(), with);
    std::ofstream(folder_ / "new") << text_;
    std::filesystem::rename(folder_ / "new", path());
  }

 private:
  std::filesystem::path folder_;
  std::string text_;
};

std::string where_it_went(const at::DeliveryReport& report, const at::BrokerConfig& broker) {
  if (report.offset >= 0)
    return "partition " + std::to_string(report.partition) + ", offset " + std::to_string(report.offset);
  if (const auto* rabbitmq = dynamic_cast<const at::RabbitMqConfig*>(&broker)) return "queue " + rabbitmq->queue;
  return broker.broker_type;
}

void print_table(const std::vector<Emitted>& emitted, const at::Config& config) {
  constexpr std::size_t shown = 8;
  std::printf("%-14s %-17s %-13s %-10s %-26s %8s %11s\n", "event", "trigger", "broker", "status", "where", "attempts",
              "latency");
  std::size_t rows = 0;
  for (const Emitted& item : emitted) {
    for (const at::DeliveryReport& report : item.emission.wait()) {
      if (++rows > shown && report.status.ok()) continue;
      std::printf("%-14s %-17s %-13s %-10s %-26s %8u %8.2f ms\n", item.event.c_str(), report.trigger.c_str(),
                  report.broker.c_str(), std::string(to_string(report.status.code())).c_str(),
                  where_it_went(report, *config.find(report.broker)).c_str(), report.attempts,
                  std::chrono::duration<double, std::milli>(report.latency).count());
      if (!report.status.ok()) std::printf("    %s\n", report.status.message().c_str());
    }
  }
  if (rows > shown) std::printf("… and so on, %zu in all\n", rows);
}

/// Whether every event was confirmed by both brokers, and came back from each of them as it was emitted.
bool verify(const std::vector<Emitted>& emitted, const at::Config& config) {
  std::size_t messages = 0;
  std::size_t confirmed = 0;
  std::size_t back = 0;
  std::map<std::string, std::map<std::string, std::string>> received;  // broker → message id → body
  for (const auto& [name, broker] : config.brokers) received[name] = example::read_back(*broker);
  for (const Emitted& item : emitted) {
    for (const at::DeliveryReport& report : item.emission.wait()) {
      ++messages;
      if (report.status.ok()) ++confirmed;
      const auto found = received[report.broker].find(report.message_id);
      if (found != received[report.broker].end() && found->second == item.body) {
        ++back;
      } else {
        std::printf("missing at %s: %s\n", report.broker.c_str(), item.body.c_str());
      }
    }
  }
  std::printf("%zu events, %zu messages, %zu confirmed, %zu read back\n", emitted.size(), messages, confirmed, back);
  const std::size_t changes = changes_that_last + more_orders;
  const bool all_told = emitted.size() == changes + more_carts && messages == 2 * changes;
  if (!all_told) std::printf("%zu changes were to be told to two brokers, %zu to nobody\n", changes, more_carts);
  return all_told && confirmed == messages && back == messages;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: " << argv[0] << " BROKERS.json [--mock-kafka]\n";
    return 2;
  }
  try {
    std::unique_ptr<example::MockKafka> mock;
    if (argc > 2 && std::string_view(argv[2]) == "--mock-kafka") mock = std::make_unique<example::MockKafka>();

    DeployedFile file(argv[1]);
    const at::Config config = at::load_config(file.path());
    at::DispatcherOptions options;
    options.on_failure = [](const at::DeliveryReport& report) {
      std::cerr << report.broker << ": " << report.status << '\n';
    };
    at::TriggerDispatcher dispatcher(config, at::BrokerRegistry::builtin(), options);
    Shop shop(dispatcher);
    do_business(shop);

    // The triggers change while the program runs.
    std::promise<std::string> reloaded;
    at::ConfigWatcherOptions watching;
    watching.on_reload = [&](const at::ReloadReport&, const std::string& error) { reloaded.set_value(error); };
    {
      const at::ConfigWatcher watcher(dispatcher, file.path(), watching);
      file.replace(R"("active": true)", R"("active": false)");
      if (const std::string error = reloaded.get_future().get(); !error.empty()) throw std::runtime_error(error);
    }
    do_more_business(shop);
    dispatcher.flush(60s);
    std::printf("reloaded while it ran: since then %llu changes of carts went to nobody\n",
                static_cast<unsigned long long>(dispatcher.stats().unmatched_events));
    print_table(shop.emitted(), config);
    return verify(shop.emitted(), config) ? 0 : 1;
  } catch (const std::exception& error) {  // at::ConfigError among them: what() lists every problem
    std::cerr << error.what() << '\n';
    return 1;
  }
}
