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

  /// One look-up. Used again, also with another table, it allocates nothing unless that one is larger.
  struct Search {
    std::vector<std::uint32_t> found;
    std::vector<std::uint32_t> reached;  // by the words so far, without those of `#`
    std::vector<std::uint32_t> next;     // becomes `reached`
    std::vector<std::uint32_t> any_words;
    std::vector<std::uint64_t> seen;  // for a node of `any_words`: the number of the look-up that put it there
    std::uint64_t number = 0;
  };

  /// The indexes whose patterns match, ascending; valid as long as the table and `search` stay as they are.
  std::span<const std::uint32_t> find(std::string_view event, Search& search) const {
    const Name* const name = names_.find(hash_of(event), [&](const Name& one) { return one.text == event; });
    if (!nodes_.empty()) return find_among_patterns(name, event, search);
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
  struct Name {
    std::string text;
    std::vector<std::uint32_t> indexes;
  };

  std::span<const std::uint32_t> find_among_patterns(const Name* name, std::string_view event, Search& search) const;
  std::uint32_t child(std::uint32_t of, const std::string& word);
  void enter(Search& search, std::uint32_t node) const;
  void step(Search& search, std::string_view word) const;

  HashTable<Name> names_;
  std::vector<Node> nodes_;  // [0] is the root; empty: there is no pattern
};

}  // namespace action_triggers::detail
