// SPDX-License-Identifier: MIT
/// Texts with stars: `a*b` is what begins with a and ends with b.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace action_triggers::detail {

/// A star stands for any characters, none too. `\*` is a star itself, and `\\` a backslash.
class Wildcard {
 public:
  static constexpr std::size_t max_stars = 3;

  /// Why the text is none, as a sentence; empty: it is one.
  static std::string wrong(std::string_view text);

  /// The text is one for wrong().
  explicit Wildcard(std::string_view text);

  /// Allocates nothing. Looks for the parts in turn and never goes back.
  [[nodiscard]] bool matches(std::string_view text) const noexcept;

 private:
  std::vector<std::string> parts_{{}};  // what stands between the stars
};

}  // namespace action_triggers::detail
