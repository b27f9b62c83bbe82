// SPDX-License-Identifier: MIT
/// Patterns of event names, as RabbitMQ's topic exchange has them: `order.*.paid`, `order.#`.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace action_triggers::detail {

/// AMQP's limit for a binding key.
constexpr std::size_t max_pattern_bytes = 255;

/// Takes the words of a name in turn. They stand between dots and may be empty: ".a" has two. The empty name has none.
class EventWords {
 public:
  explicit EventWords(std::string_view name) : rest_(name), at_end_(name.empty()) {}
  /// Nothing: there is no further word.
  std::optional<std::string_view> next();

 private:
  std::string_view rest_;
  bool at_end_;
};

/// The words of a pattern, where `*` stands for one word, and `#` for any number of them. What means the same comes out
/// the same: of several `#` in a row one is left, and a `*` beside them stands before it.
std::vector<std::string> pattern_words(std::string_view pattern);

/// Whether a `*` or `#` is a word of it; otherwise it is a name.
bool has_wildcards(std::string_view pattern);

/// Why this is no pattern, as a sentence; empty: it is one.
std::string wrong_pattern(std::string_view pattern);

/// What its author may not have meant, as a sentence; empty: nothing. A `*` or `#` is a wildcard only as a whole word.
std::string doubtful_pattern(std::string_view pattern);

}  // namespace action_triggers::detail
