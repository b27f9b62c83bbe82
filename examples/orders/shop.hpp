// SPDX-License-Identifier: MIT
/// A shop that keeps its orders in a database, and knows nothing of messages: SQL triggers tell of what it changes.
#pragma once

#include <cstddef>
#include <string>

#include "database.hpp"

namespace shop {

/// Each of its members is one transaction, and throws std::runtime_error if that was rolled back.
class Shop {
 public:
  /// What a customer may owe.
  static constexpr long credit = 1'000;

  /// The database outlives it.
  explicit Shop(Database& database) : database_(database) {}

  void place(const std::string& id, const std::string& customer, const std::string& total);
  /// All orders that are not paid yet; returns how many that were.
  std::size_t pay_all();

 private:
  Database& database_;
};

}  // namespace shop
