// SPDX-License-Identifier: MIT
// What `make demo` runs. It plays the shop's customers and its operator, kills the shop in the middle, and holds what
// other clients read back from the brokers against the rows that the database has at the end.
//
//     SHOP_DATABASE=shop.db action_triggers_example_orders_demo brokers.json [--mock-kafka]
//
// Ends with status 1 if a promise was broken.
#include <action_triggers/config.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "account.hpp"
#include "database.hpp"
#include "mock_kafka.hpp"
#include "read_back.hpp"
#include "shop_process.hpp"

namespace at = action_triggers;
using namespace std::chrono_literals;

namespace {

/// The orders that come in while the shop is killed. Every tenth is more than its customer may owe.
constexpr int first_of_many = 100;
constexpr int many = 600;
constexpr int killed_after = 200;  // answers

/// Changes that a relay may have under way at once: two batches (see brokers.json) to each broker are in flight, and
/// what both have confirmed leaves the outbox in batches, too.
constexpr std::size_t most_under_way = 200;

void say(const std::string& text) { std::cout << text << std::endl; }
void detail(const std::string& text) { say("     " + text); }

void say_what_is_wrong(const char* what, const std::vector<std::string>& changes) {
  if (changes.empty()) return;
  std::printf("       %zu %s, such as %s\n", changes.size(), what, changes.front().c_str());
}

class Demo {
 public:
  Demo(std::string config, const std::string& where);

  void install();
  void an_order_is_placed();
  void an_order_is_rolled_back();
  void it_is_killed_while_orders_come_in();
  void it_is_killed_while_it_sends();
  /// Whether everything is as promised.
  bool settle();

 private:
  void run_command(const std::string& arguments) const;
  void ask(const std::string& line, const std::string& expected);
  void kill(const std::string& when);
  void start_again();
  std::size_t waiting();
  void wait_until_waiting_are_fewer_than(std::size_t changes);
  void wait_until_all_is_sent() { wait_until_waiting_are_fewer_than(1); }
  std::vector<proof::Order> orders();
  void read_back();
  void say_what_arrived();

  const std::string config_path_;
  const at::Config config_;
  const std::unique_ptr<shop::Database> database_;
  std::optional<proof::ShopProcess> shop_;
  std::vector<std::pair<const at::BrokerConfig*, std::vector<proof::Arrival>>> arrivals_;
  std::size_t orders_tried_ = 0;
  std::size_t under_way_at_kills_ = 0;  // changes, at most
};

Demo::Demo(std::string config, const std::string& where)
    : config_path_(std::move(config)), config_(at::load_config(config_path_)), database_(shop::open_database(where)) {
  for (const auto& [name, broker] : config_.brokers)
    arrivals_.emplace_back(broker.get(), std::vector<proof::Arrival>());
}

void Demo::install() {
  std::ifstream schema(EXAMPLE_DIR "/schema.sql");
  database_->execute({std::istreambuf_iterator<char>(schema), {}});
  say("A shop keeps its orders in " + database_->name() + ". Its code only writes rows. SQL triggers put each change");
  say("into an outbox, in the shop's own transaction, and a relay in the shop's process sends what was committed.");
  say("The outbox and the triggers are made by");
  run_command("outbox install");
  run_command("capture install");
  shop_.emplace(config_path_);
}

void Demo::run_command(const std::string& arguments) const {
  detail("$ action-triggers " + arguments + " brokers.json");
  const std::string command = COMMAND_PROGRAM " " + arguments + " " + config_path_ + " >/dev/null";
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

void Demo::an_order_is_placed() {
  say("\n1. An order is placed: INSERT, COMMIT. It arrives at both brokers.");
  ask("place 1 alice 30", "order 1 is placed");
  ++orders_tried_;
  wait_until_all_is_sent();
  read_back();
  for (const auto& [broker, arrived] : arrivals_) {
    detail(proof::title_of(*broker) + ":");
    for (const proof::Arrival& message : arrived) detail("  " + message.body);
  }
}

void Demo::an_order_is_rolled_back() {
  say("\n2. An order is inserted, and found to be too large: ROLLBACK. Nobody hears of an order that does not exist.");
  ask("place 2 mallory 5000", "rolled back");
  ++orders_tried_;
  detail("the outbox: " + std::to_string(waiting()) + " changes");
  std::vector<std::size_t> before;
  for (const auto& [broker, arrived] : arrivals_) before.push_back(arrived.size());
  read_back();
  for (std::size_t i = 0; i < arrivals_.size(); ++i) {
    const auto& [broker, arrived] = arrivals_[i];
    detail(proof::title_of(*broker) + ": " + std::to_string(arrived.size() - before[i]) + " new messages");
  }
}

void Demo::it_is_killed_while_orders_come_in() {
  say("\n3. " + std::to_string(many) + " orders come in, every tenth of them too large. Meanwhile the shop is killed.");
  std::vector<std::string> lines;
  for (int i = 0; i < many; ++i) {
    const std::string customer = i % 10 == 9 ? " mallory 5000" : " customer" + std::to_string(i % 50) + " 30";
    lines.push_back("place " + std::to_string(first_of_many + i) + customer);
  }
  for (const std::string& line : lines) shop_->tell(line);
  orders_tried_ += lines.size();
  std::size_t answered = 0;
  while (answered < killed_after && shop_->answer()) ++answered;
  kill("when it had answered " + std::to_string(answered));
  start_again();
  // What was not answered is asked again. One may have been committed all the same: then it is there already.
  for (; answered < lines.size(); ++answered) shop_->ask(lines[answered]);
  wait_until_all_is_sent();
  say_what_arrived();
}

void Demo::it_is_killed_while_it_sends() {
  say("\n4. All orders are paid with one UPDATE. The shop is killed while it sends these changes.");
  const std::size_t all = orders().size();
  ask("pay all", std::to_string(all) + " orders are paid");
  wait_until_waiting_are_fewer_than(all);
  kill("when some are sent");
  start_again();
  wait_until_all_is_sent();
  say_what_arrived();
}

bool Demo::settle() {
  if (!shop_->finish()) throw std::runtime_error("the shop could not end as it should");
  read_back();
  const std::vector<proof::Order> rows = orders();
  say("\nWhat the brokers have, beside what the database has: " + std::to_string(rows.size()) + " of " +
      std::to_string(orders_tried_) + " orders, the others were rolled back");
  std::printf("     %-28s %9s %7s %4s %15s %5s %12s\n", "", "committed", "arrived", "lost", "never committed", "twice",
              "out of order");
  bool is_as_promised = true;
  for (const auto& [broker, arrived] : arrivals_) {
    const proof::Account account = proof::account_of(rows, arrived);
    std::printf("     %-28s %9zu %7zu %4zu %15zu %5zu %12zu\n", proof::title_of(*broker).c_str(), account.committed,
                account.arrived, account.lost.size(), account.never_committed.size(), account.duplicates,
                account.out_of_order.size());
    is_as_promised = is_as_promised && account.is_as_promised(under_way_at_kills_) && rows.size() < orders_tried_;
    say_what_is_wrong("lost", account.lost);
    say_what_is_wrong("never committed", account.never_committed);
    say_what_is_wrong("arrived under two ids", account.told_twice);
    say_what_is_wrong("out of order", account.out_of_order);
  }
  std::fflush(stdout);
  detail("Twice: sent again after a kill, with the same id, by which a consumer knows.");
  detail("It may happen to what was under way then: to " + std::to_string(under_way_at_kills_) + " changes at most.");
  say(is_as_promised ? "\nNothing that was committed was lost, and nothing that was rolled back was sent."
                     : "\nA PROMISE WAS BROKEN: see above.");
  return is_as_promised;
}

/// `expected`: how the answer begins.
void Demo::ask(const std::string& line, const std::string& expected) {
  detail("> " + line);
  const std::string answer = shop_->ask(line);
  detail(answer);
  if (answer.rfind(expected, 0) != 0) throw std::runtime_error("the answer should have been: " + expected);
}

void Demo::kill(const std::string& when) {
  shop_->kill();
  const std::size_t left = waiting();
  under_way_at_kills_ += std::min(left, most_under_way);
  detail("kill -9 " + when + ": " + std::to_string(left) + " committed changes are still in the outbox");
}

void Demo::start_again() {
  shop_.emplace(config_path_);
  detail("started again: it sends what the outbox holds, with the same ids as before");
}

/// Changes that not all brokers have confirmed yet.
std::size_t Demo::waiting() {
  return std::stoul(database_->execute("SELECT count(*) FROM action_triggers_outbox").front().front());
}

void Demo::wait_until_waiting_are_fewer_than(std::size_t changes) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  for (std::size_t now = waiting(); now >= changes; now = waiting()) {
    if (std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error(std::to_string(now) + " changes are still in the outbox after a minute");
    }
    std::this_thread::sleep_for(1ms);
  }
}

std::vector<proof::Order> Demo::orders() {
  std::vector<proof::Order> all;
  for (const shop::Database::Values& row : database_->execute("SELECT id, customer, total, state FROM orders")) {
    all.push_back({std::stol(row[0]), row[1], std::stol(row[2]), row[3]});
  }
  return all;
}

void Demo::read_back() {
  for (auto& [broker, arrived] : arrivals_) proof::read_back(*broker, arrived);
}

void Demo::say_what_arrived() {
  read_back();
  const std::vector<proof::Order> rows = orders();
  for (const auto& [broker, arrived] : arrivals_) {
    const proof::Account account = proof::account_of(rows, arrived);
    detail(proof::title_of(*broker) + ": " + std::to_string(account.arrived) + " of " +
           std::to_string(account.committed) + " changes arrived, " + std::to_string(account.duplicates) +
           " of them twice");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const char* const where = std::getenv("SHOP_DATABASE");
  if (argc < 2 || where == nullptr) {
    std::cerr << "usage: SHOP_DATABASE=shop.db " << argv[0] << " BROKERS.json [--mock-kafka]\n";
    return 2;
  }
  try {
    std::unique_ptr<proof::MockKafka> mock;
    if (argc > 2 && std::string_view(argv[2]) == "--mock-kafka") mock = std::make_unique<proof::MockKafka>();
    Demo demo(argv[1], where);
    demo.install();
    demo.an_order_is_placed();
    demo.an_order_is_rolled_back();
    demo.it_is_killed_while_orders_come_in();
    demo.it_is_killed_while_it_sends();
    return demo.settle() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
