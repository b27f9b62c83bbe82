// SPDX-License-Identifier: MIT
/// A configuration as a tree that knows where all stood in the text. Sees the JSON library, as does config_schema.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/config.hpp"
#include "config/file_rights.hpp"

namespace action_triggers::detail {

/// The problems of one file that are told; what is wrong beyond them is only said to be there.
constexpr std::size_t max_config_problems = 100;

struct Member;

struct Node {
  enum class Kind : std::uint8_t { null, boolean, integer, number, string, array, object };

  Kind kind = Kind::null;
  std::size_t offset = 0;  // of the first character in the text
  // A string made from `${…}` or `{{ … }}`: it may be a boolean, and is never printed. Or a list or object that
  // holds one.
  bool substituted = false;
  OthersMay others_may = OthersMay::nothing;  // to a file of `${file:…}` that it came from
  bool unresolved = false;  // substitution failed, which is a problem already: no further one about this value
  bool boolean = false;
  std::int64_t integer = 0;
  double number = 0;  // of an integer too
  std::string string;
  std::vector<Node> items;
  std::vector<Member> members;  // in the file's order

  [[nodiscard]] bool is(Kind wanted) const noexcept { return kind == wanted; }
  [[nodiscard]] const Node* find(std::string_view key) const noexcept;
};

struct Member {
  std::string key;
  std::size_t key_offset = 0;
  Node value;
};

/// Finds lines and columns.
class TextPositions {
 public:
  explicit TextPositions(std::string_view text);
  /// Sets line and column (from 1, in bytes).
  void locate(std::size_t offset, ConfigProblem& problem) const;

 private:
  std::vector<std::size_t> line_starts_;
};

/// RFC 6901: `/` and `~` in a key are escaped.
std::string pointer_to(std::string_view parent, std::string_view key);
std::string pointer_to(std::string_view parent, std::size_t index);

/// The text as a JSON string, quotes included; invalid UTF-8 is replaced.
std::string quote_json(std::string_view text);

/// The value as compact JSON with sorted keys: equal values have equal texts.
std::string canonical_text(const Node& node);

}  // namespace action_triggers::detail
