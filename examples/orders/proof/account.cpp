// SPDX-License-Identifier: MIT
#include "account.hpp"

#include <map>
#include <nlohmann/json.hpp>

namespace proof {
namespace {

using nlohmann::json;

/// What happened to which row, as a text that is the same for the database and for a message.
std::string change(const std::string& op, const json& row) { return op + " " + row.dump(); }

std::string change(const Order& order, const std::string& op, const std::string& state) {
  return change(op, {{"id", order.id}, {"customer", order.customer}, {"total", order.total}, {"state", state}});
}

std::string placed(const Order& order) { return change(order, "insert", "placed"); }
std::string paid(const Order& order) { return change(order, "update", "paid"); }

/// One that is no change is what it is.
std::string change(const std::string& body) {
  const json event = json::parse(body, nullptr, false);
  if (!event.is_object() || !event.contains("op") || !event["op"].is_string() || !event.contains("new")) return body;
  return change(event["op"].get<std::string>(), event["new"]);
}

}  // namespace

bool Account::is_as_promised(std::size_t most_duplicates) const {
  return lost.empty() && never_committed.empty() && told_twice.empty() && out_of_order.empty() &&
         duplicates <= most_duplicates;
}

Account account_of(const std::vector<Order>& orders, const std::vector<Arrival>& arrivals) {
  std::map<std::string, std::string> committed;  // each change → the id under which it has arrived
  std::map<std::string, std::string> before;     // each payment → what has to arrive before it
  for (const Order& order : orders) {
    committed[placed(order)];
    if (order.state != "paid") continue;
    committed[paid(order)];
    before[paid(order)] = placed(order);
  }

  Account account;
  account.committed = committed.size();
  for (const Arrival& arrival : arrivals) {
    const std::string what = change(arrival.body);
    const auto found = committed.find(what);
    if (found == committed.end()) {
      account.never_committed.push_back(what);
    } else if (found->second == arrival.message_id) {
      ++account.duplicates;
    } else if (!found->second.empty()) {
      account.told_twice.push_back(what);
    } else {
      found->second = arrival.message_id;
      ++account.arrived;
      const auto first = before.find(what);
      if (first != before.end() && committed[first->second].empty()) account.out_of_order.push_back(what);
    }
  }
  for (const auto& [what, message_id] : committed) {
    if (message_id.empty()) account.lost.push_back(what);
  }
  return account;
}

}  // namespace proof
