// SPDX-License-Identifier: MIT
/// Which triggers an event's name concerns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash_table.hpp"

namespace action_triggers::detail {

/// Event patterns, each with a number of the caller's. What a look-up costs depends on the words of
/// the name and on the patterns that begin as it does, not on how many there are: plain names stand in a hash table,
/// patterns in a trie of words.
///
/// Threads: many may find at once, as long as nobody adds.
class EventTable {
 public:
  /// `pattern` is one for wrong_pattern(). `index` is greater than those before.
  void add(std::string_view pattern, std::uint32_t index);

  /// The indexes whose patterns match, ascending; valid as long as the table and `memory` stay as they are. Allocates
  /// only if `memory` is too small, or the thread has never seen a table as large.
  std::span<const std::uint32_t> find(std::string_view event, std::vector<std::uint32_t>& memory) const {
    const Name* const name = names_.find(hash_of(event), [&](const Name& one) { return one.text == event; });
    if (!nodes_.empty()) return find_among_patterns(name, event, memory);
    return name == nullptr ? std::span<const std::uint32_t>() : name->indexes;
  }

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
  };
  template <class Value>
  using ByText = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

  static constexpr std::uint32_t none = 0;  // no node's child is the root

  /// What the words of a pattern so far lead to.
  struct Node {
    ByText<std::uint32_t> words;
    std::uint32_t any_word = none;            // `*`
    std::uint32_t any_words = none;           // `#`
    std::vector<std::uint32_t> indexes = {};  // of patterns that end here
  };
  struct Search;
  struct Name {
    std::string text;
    std::vector<std::uint32_t> indexes;
  };

  std::span<const std::uint32_t> find_among_patterns(const Name* name, std::string_view event,
                                                     std::vector<std::uint32_t>& memory) const;
  std::uint32_t child(std::uint32_t of, const std::string& word);
  void enter(Search& search, std::uint32_t node) const;
  void step(Search& search, std::string_view word) const;
  static Search& search_of_this_thread();

  HashTable<Name> names_;
  std::vector<Node> nodes_;  // [0] is the root; empty: there is no pattern
};

}  // namespace action_triggers::detail
