// SPDX-License-Identifier: MIT
/// Numbers of JSON compared as they are written, digit by digit: 99.90 is 99.9, and 2^63 is not 2^63 + 1.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace action_triggers::detail {

/// A number of JSON's grammar, looked at without being converted. Allocates nothing. What a comparison costs grows with
/// the digits that are written, not with the exponent.
///
/// Exponents are exact up to ±10^17; beyond that, all are taken for equal.
class Decimal {
 public:
  /// The text must stay.
  explicit Decimal(std::string_view json_number) noexcept;

  friend std::strong_ordering operator<=>(const Decimal& a, const Decimal& b) noexcept;
  friend bool operator==(const Decimal& a, const Decimal& b) noexcept { return std::is_eq(a <=> b); }

 private:
  std::string_view digits_;  // from the first that is not 0 to the last, perhaps with a point between; empty: it is 0
  std::int64_t magnitude_ = 0;  // the number is 0.DIGITS × 10^magnitude
  bool negative_ = false;
};

}  // namespace action_triggers::detail
