// SPDX-License-Identifier: MIT
/// How an oracle says that a promise was broken: how often, and the first few times.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace action_triggers::tests {

/// Counts what breaks one promise, and remembers the first few.
class Complaint {
 public:
  explicit Complaint(std::string what) : what_(std::move(what)) {}

  void add(const std::string& example) {
    if (++count_ <= 3) examples_ += "\n  " + example;
  }
  void tell(std::vector<std::string>& complaints) const {
    if (count_ > 0) complaints.push_back(std::to_string(count_) + " " + what_ + examples_);
  }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  std::string what_;
  std::size_t count_ = 0;
  std::string examples_;
};

}  // namespace action_triggers::tests
