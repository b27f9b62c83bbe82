// SPDX-License-Identifier: MIT
/// A model as many programs have one: objects that are saved, and observers that hear of it. No database, no messages.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace shop {

/// Functions that are called, in their order, with what has happened. One thread.
template <class... Arguments>
class Signal {
 public:
  void connect(std::function<void(const Arguments&...)> observer) { observers_.push_back(std::move(observer)); }
  void operator()(const Arguments&... arguments) const {
    for (const auto& observer : observers_) observer(arguments...);
  }

 private:
  std::vector<std::function<void(const Arguments&...)>> observers_;
};

class Order {
 public:
  enum class State { open, paid };

  Order(int id, std::string customer, double total) : id_(id), customer_(std::move(customer)), total_(total) {}

  void pay() { state_ = State::paid; }
  /// Here the object would be written to a file or a database. Observers hear of what has been saved, and only of that.
  void save() {
    const bool is_new = !saved_;
    saved_ = true;
    saved(*this, is_new);
  }

  [[nodiscard]] int id() const { return id_; }
  [[nodiscard]] const std::string& customer() const { return customer_; }
  [[nodiscard]] double total() const { return total_; }
  [[nodiscard]] State state() const { return state_; }

  /// Of all orders: the order, and whether it is new.
  static inline Signal<Order, bool> saved;

 private:
  int id_;
  std::string customer_;
  double total_;
  State state_ = State::open;
  bool saved_ = false;
};

}  // namespace shop
