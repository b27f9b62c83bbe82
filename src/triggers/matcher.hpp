// SPDX-License-Identifier: MIT
/// One element of a field's list in a condition: a value, or an operator such as {"prefix": "a"}.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "triggers/payload_json.hpp"
#include "triggers/wildcard.hpp"

namespace action_triggers::detail {

/// A value of the payload that is no object or array.
struct Scalar {
  JsonKind kind = JsonKind::null;
  std::string_view text{};  // a string's characters; of others, what stands in the payload
};

/// One end of a range of numbers.
struct Bound {
  enum class Kind : std::uint8_t { less, less_equal, equal, greater_equal, greater };
  Kind kind = Kind::equal;
  std::string digits{};

  [[nodiscard]] bool holds(std::string_view number) const noexcept;
};

struct Matcher {
  enum class Kind : std::uint8_t {
    text,
    word,  // true, false, null
    prefix,
    suffix,
    any_case,
    prefix_any_case,
    suffix_any_case,
    wildcard,
    numeric,
    exists,
    absent,
    anything_but
  };

  Kind kind = Kind::text;
  std::string text{};                 // in lower case, if the case does not matter
  std::vector<Bound> bounds{};        // of numeric: all of them hold
  std::vector<Wildcard> wildcards{};  // one, of wildcard
  std::vector<Matcher> others{};      // of anything_but: none of them matches
  std::string written{};              // for people, as the configuration has it

  /// Of a field that is there. Allocates nothing.
  [[nodiscard]] bool matches(const Scalar& value) const noexcept;
};

}  // namespace action_triggers::detail
