// SPDX-License-Identifier: MIT
#include "triggers/decimal.hpp"

#include <algorithm>
#include <cstddef>

namespace action_triggers::detail {
namespace {

constexpr std::int64_t largest_exponent = 100'000'000'000'000'000;

std::int64_t exponent_of(std::string_view text) {
  const bool negative = text.front() == '-';
  if (negative || text.front() == '+') text.remove_prefix(1);
  std::int64_t value = 0;
  for (const char digit : text) value = std::min(value * 10 + (digit - '0'), largest_exponent);
  return negative ? -value : value;
}

/// The digits one by one, without the point; after the last, zeros.
class Digits {
 public:
  explicit Digits(std::string_view text) noexcept : text_(text) {}
  [[nodiscard]] bool at_end() const noexcept { return at_ >= text_.size(); }
  char next() noexcept {
    if (!at_end() && text_[at_] == '.') ++at_;
    return at_end() ? '0' : text_[at_++];
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

std::strong_ordering compare_digits(std::string_view a, std::string_view b) {
  Digits of_a(a);
  Digits of_b(b);
  while (!of_a.at_end() || !of_b.at_end()) {
    const char from_a = of_a.next();
    const char from_b = of_b.next();
    if (from_a != from_b) return from_a <=> from_b;
  }
  return std::strong_ordering::equal;
}

}  // namespace

Decimal::Decimal(std::string_view json_number) noexcept {
  negative_ = json_number.front() == '-';
  if (negative_) json_number.remove_prefix(1);
  const std::size_t letter = json_number.find_first_of("eE");
  const std::string_view written = json_number.substr(0, letter);
  const std::size_t first = written.find_first_not_of("0.");
  if (first == std::string_view::npos) {
    negative_ = false;
    return;
  }
  digits_ = written.substr(first);
  const std::size_t point = std::min(written.find('.'), written.size());
  // The places between the first digit and the point: 12.5 has 2, 0.5 has 0, and 0.05 has -1.
  magnitude_ = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first) + (first > point ? 1 : 0);
  if (letter != std::string_view::npos) magnitude_ += exponent_of(json_number.substr(letter + 1));
}

std::strong_ordering operator<=>(const Decimal& a, const Decimal& b) noexcept {
  const auto sign = [](const Decimal& number) { return number.digits_.empty() ? 0 : number.negative_ ? -1 : 1; };
  if (sign(a) != sign(b)) return sign(a) <=> sign(b);
  if (sign(a) == 0) return std::strong_ordering::equal;
  if (a.magnitude_ != b.magnitude_) return a.negative_ ? b.magnitude_ <=> a.magnitude_ : a.magnitude_ <=> b.magnitude_;
  return a.negative_ ? compare_digits(b.digits_, a.digits_) : compare_digits(a.digits_, b.digits_);
}

}  // namespace action_triggers::detail
