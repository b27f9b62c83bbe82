// SPDX-License-Identifier: MIT
/// The `when` of a trigger or target: what an event's payload must be like.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "triggers/matcher.hpp"
#include "triggers/payload_json.hpp"

namespace action_triggers::detail {

/// Made by read_condition(). Its fields are a tree, as the payload is one: what is said of several fields inside a list
/// of objects is said of one and the same object.
///
/// Threads: any number at once, each with a PayloadJson of its own.
class Condition {
 public:
  static constexpr std::size_t max_depth = PayloadJson::max_depth;
  static constexpr std::size_t max_operators = 1000;

  /// All that is said of one value and of what is inside it.
  struct Field {
    std::string key{};                         // of the member of what it stands in
    std::optional<std::size_t> index{};        // a pointer's number: an element, if that is a list
    std::string path{};                        // from the root, for people
    std::vector<Matcher> matchers{};           // one of them, if there are any
    std::vector<Field> fields{};               // all of them
    std::vector<std::vector<Field>> any_of{};  // of each `$or`, one: about this same value
    std::vector<Field> none_of{};              // of each `$not`

    [[nodiscard]] bool looks_inside() const noexcept { return !fields.empty() || !any_of.empty() || !none_of.empty(); }
  };

  explicit Condition(Field root) : root_(std::move(root)) {}

  /// What is said of the payload itself.
  [[nodiscard]] const Field& root() const noexcept { return root_; }

  /// Allocates nothing, unless a string that it looks at has escapes. Its time grows with the size of the payload times
  /// that of the condition at most.
  [[nodiscard]] bool matches(PayloadJson::Value root) const;

  /// A sentence: the first field that does not match, what it is, and what is wanted. Empty: the condition matches.
  /// Secrets of the configuration are not in it, but values of the payload are.
  [[nodiscard]] std::string why_not(PayloadJson::Value root) const;

 private:
  Field root_;
};

/// A value of the payload, or its absence.
using MaybeValue = std::optional<PayloadJson::Value>;

// What the explanation needs too.
/// Whether all that a field says holds.
bool holds(const Condition::Field& field, const MaybeValue& value);
/// Whether its matchers do, if it has any.
bool value_matches(const Condition::Field& field, const MaybeValue& value);
/// What a field is about, inside of `parent`.
MaybeValue value_of(const Condition::Field& field, const MaybeValue& parent);

}  // namespace action_triggers::detail
