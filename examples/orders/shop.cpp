// SPDX-License-Identifier: MIT
#include "shop.hpp"

#include <exception>
#include <stdexcept>

namespace shop {
namespace {

/// Rolled back, unless it is committed.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) { database_.execute("BEGIN"); }
  ~Transaction() {
    if (is_committed_) return;
    try {
      database_.execute("ROLLBACK");
    } catch (const std::exception&) {  // the connection is lost: then the database rolls back by itself
    }
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit() {
    database_.execute("COMMIT");
    is_committed_ = true;
  }

 private:
  Database& database_;
  bool is_committed_ = false;
};

}  // namespace

void Shop::place(const std::string& id, const std::string& customer, const std::string& total) {
  Transaction transaction(database_);
  database_.execute("INSERT INTO orders (id, customer, total, state) VALUES ($1, $2, $3, 'placed')",
                    {id, customer, total});
  const Database::Values owed =
      database_.execute("SELECT sum(total) FROM orders WHERE customer = $1 AND state = 'placed'", {customer}).front();
  if (std::stol(owed.front()) > credit) {
    throw std::runtime_error(customer + " would owe " + owed.front() + ", and may owe " + std::to_string(credit));
  }
  transaction.commit();
}

std::size_t Shop::pay_all() {
  Transaction transaction(database_);
  const auto paid = database_.execute("UPDATE orders SET state = 'paid' WHERE state = 'placed' RETURNING id");
  transaction.commit();
  return paid.size();
}

}  // namespace shop
