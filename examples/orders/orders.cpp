// SPDX-License-Identifier: MIT
// The shop as a program. It reads from standard input, a line each, what its customers do, and answers each line:
//
//     place 7 alice 30      order 7, of alice, over 30
//     pay all
//
// The environment's SHOP_DATABASE says where its orders are, to this program and to the configuration. Its tables and
// SQL triggers are made beforehand, as with any migration: schema.sql, `action-triggers outbox install`,
// `action-triggers capture install`.
#include <action_triggers/action_triggers.hpp>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>

#include "database.hpp"
#include "shop.hpp"

namespace at = action_triggers;
using namespace std::chrono_literals;

namespace {

std::string answer(shop::Shop& shop, const std::string& line) {
  std::istringstream words(line);
  std::string verb;
  std::string id;
  std::string customer;
  std::string total;
  words >> verb >> id >> customer >> total;
  try {
    if (verb == "place") {
      shop.place(id, customer, total);
      return "order " + id + " is placed";
    }
    if (verb == "pay" && id == "all") return std::to_string(shop.pay_all()) + " orders are paid";
    return "not understood: " + line;
  } catch (const std::runtime_error& error) {
    return std::string("rolled back: ") + error.what();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const char* const where = std::getenv("SHOP_DATABASE");
  if (argc != 2 || where == nullptr) {
    std::cerr << "usage: SHOP_DATABASE=shop.db " << argv[0] << " BROKERS.json\n";
    return 2;
  }
  try {
    at::DispatcherOptions options;
    options.log = [](at::LogLevel level, std::string_view component, std::string_view text) {
      if (level >= at::LogLevel::warning) std::cerr << component << ": " << text << '\n';
    };
    at::TriggerDispatcher dispatcher(at::load_config(argv[1]), at::BrokerRegistry::builtin(), options);
    const std::unique_ptr<shop::Database> database = shop::open_database(where);
    const std::unique_ptr<at::Outbox> outbox = database->open_outbox(dispatcher);  // from now on it sends
    shop::Shop shop(*database);

    for (std::string line; std::getline(std::cin, line);) {
      std::cout << answer(shop, line) << std::endl;
      outbox->committed();  // so that the relay need not find out by itself
    }
    return outbox->wait_until_empty(30s) ? 0 : 1;
  } catch (const std::exception& error) {  // at::ConfigError among them: what() lists every problem
    std::cerr << error.what() << '\n';
    return 1;
  }
}
