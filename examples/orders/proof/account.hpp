// SPDX-License-Identifier: MIT
/// Holds what arrived at a broker against what was committed, as the database's own rows say it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace proof {

/// A row of the table "orders".
struct Order {
  long id = 0;
  std::string customer;
  long total = 0;
  std::string state;  // "placed", then "paid"
};

/// A message as another client has read it. The order is the broker's, at least for the messages of one order.
struct Arrival {
  std::string message_id;
  std::string body;
};

struct Account {
  std::size_t committed = 0;   // changes: each order was placed, and some were paid
  std::size_t arrived = 0;     // of these
  std::size_t duplicates = 0;  // copies beyond the first, with the same id
  // What must not be, in words:
  std::vector<std::string> lost;             // committed, and did not arrive
  std::vector<std::string> never_committed;  // arrived, and is not in the database
  std::vector<std::string> told_twice;       // one change under two ids
  std::vector<std::string> out_of_order;     // paid before it was placed

  /// `most_duplicates`: how many there may be.
  [[nodiscard]] bool is_as_promised(std::size_t most_duplicates) const;
};

Account account_of(const std::vector<Order>& orders, const std::vector<Arrival>& arrivals);

}  // namespace proof
