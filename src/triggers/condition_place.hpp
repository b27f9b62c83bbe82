// SPDX-License-Identifier: MIT
/// Where in a `when` its readers are, and what they found to be wrong there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "config/load_context.hpp"

namespace action_triggers::detail {

/// The findings in one condition.
struct ConditionFindings {
  LoadContext& context;
  const ConfigProblem& place;  // of the `when`: broker, section, key and pointer of its problems
  std::size_t operators = 0;
  bool failed = false;
};

/// One value in it.
class ConditionPlace {
 public:
  explicit ConditionPlace(ConditionFindings& findings)
      : findings_(&findings), key_(findings.place.key), pointer_(findings.place.pointer) {}

  [[nodiscard]] ConditionPlace member(std::string_view key) const {
    return {*findings_, key_ + "." + std::string(key), pointer_to(pointer_, key)};
  }
  [[nodiscard]] ConditionPlace item(std::size_t index) const {
    return {*findings_, key_ + "." + std::to_string(index), pointer_to(pointer_, index)};
  }

  void problem(std::size_t offset, std::string text, std::string hint = {}) const {
    findings_->failed = true;
    findings_->context.add_problem(offset, {.broker = findings_->place.broker,
                                            .section = findings_->place.section,
                                            .key = key_,
                                            .pointer = pointer_,
                                            .text = std::move(text),
                                            .hint = std::move(hint)});
  }
  /// A value that nobody knows is no condition; that it is not known is a problem already.
  bool is_known(const Node& node) const {
    if (node.unresolved) findings_->failed = true;
    return !node.unresolved;
  }

  [[nodiscard]] ConditionFindings& findings() const { return *findings_; }
  /// As the file writes it.
  [[nodiscard]] std::string_view digits_of(const Node& number) const { return findings_->context.digits_of(number); }

 private:
  ConditionPlace(ConditionFindings& findings, std::string key, std::string pointer)
      : findings_(&findings), key_(std::move(key)), pointer_(std::move(pointer)) {}

  ConditionFindings* findings_;
  std::string key_;
  std::string pointer_;
};

}  // namespace action_triggers::detail
