// SPDX-License-Identifier: MIT
// Changes the stock, and knows nothing of messages: what is committed becomes some by the SQL triggers of the database.
// Usage: INVENTORY_DATABASE=postgresql://… PROGRAM receive | order SKU COUNT [SKU COUNT]…
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <pqxx/pqxx>
#include <stdexcept>
#include <string>

namespace {

using Goods = std::map<std::string, int>;  // in one order, so that two programs do not wait for each other

void receive(pqxx::connection& database, const Goods& goods) {
  pqxx::work work(database);
  for (const auto& [sku, count] : goods) {
    work.exec("INSERT INTO stock VALUES (" + work.quote(sku) + ", " + std::to_string(count) +
              ") ON CONFLICT (sku) DO UPDATE SET quantity = stock.quantity + EXCLUDED.quantity");
  }
  work.commit();
}

/// All of it or nothing: its table lets no quantity be negative, and then the transaction is rolled back.
void order(pqxx::connection& database, const Goods& goods) {
  pqxx::work work(database);
  for (const auto& [sku, count] : goods) {
    const pqxx::result changed = work.exec("UPDATE stock SET quantity = quantity - " + std::to_string(count) +
                                           " WHERE sku = " + work.quote(sku));
    if (changed.affected_rows() == 0) throw std::runtime_error("there never was any " + sku);
  }
  work.commit();
}

Goods goods_of(int argc, char** argv) {
  if (argc < 4 || argc % 2 != 0) throw std::runtime_error("usage: receive | order SKU COUNT [SKU COUNT]...");
  Goods goods;
  for (int i = 2; i + 1 < argc; i += 2) goods[argv[i]] += std::stoi(argv[i + 1]);
  return goods;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Goods goods = goods_of(argc, argv);
    const char* uri = std::getenv("INVENTORY_DATABASE");
    pqxx::connection database(uri == nullptr ? "" : uri);
    const std::string command = argv[1];
    if (command == "receive") {
      receive(database, goods);
    } else if (command == "order") {
      order(database, goods);
    } else {
      throw std::runtime_error("neither receive nor order: " + command);
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
