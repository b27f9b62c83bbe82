// SPDX-License-Identifier: MIT
// The trie is walked word by word, with all nodes at once that the words so far may have led to. A node can be reached
// by one way only, except that a `#` stays reached once it was: so the walk costs at most nodes × words, whatever the
// patterns are.
#include "triggers/event_table.hpp"

#include <algorithm>
#include <utility>

#include "triggers/event_pattern.hpp"

namespace action_triggers::detail {

void EventTable::add(std::string_view pattern, std::uint32_t index) {
  if (!has_wildcards(pattern)) {
    const std::uint64_t hash = hash_of(pattern);
    Name* name = names_.find(hash, [&](const Name& one) { return one.text == pattern; });
    if (name == nullptr) name = &names_.add(hash, {std::string(pattern), {}});
    name->indexes.push_back(index);
    return;
  }
  if (nodes_.empty()) nodes_.emplace_back();
  std::uint32_t node = 0;
  for (const std::string& word : pattern_words(pattern)) node = child(node, word);
  nodes_[node].indexes.push_back(index);
}

std::uint32_t EventTable::child(std::uint32_t of, const std::string& word) {
  Node& parent = nodes_[of];
  std::uint32_t& place = word == "*" ? parent.any_word : word == "#" ? parent.any_words : parent.words[word];
  if (place == none) {
    place = static_cast<std::uint32_t>(nodes_.size());
    const std::uint32_t made = place;  // emplace_back moves the parent
    nodes_.emplace_back();
    return made;
  }
  return place;
}

/// A node is reached, and with it the `#` behind it, which may stand for no word.
void EventTable::enter(Search& search, std::uint32_t node) const {
  search.next.push_back(node);
  const std::uint32_t any_words = nodes_[node].any_words;
  if (any_words == none || search.seen[any_words] == search.number) return;
  search.seen[any_words] = search.number;
  search.any_words.push_back(any_words);
}

void EventTable::step(Search& search, std::string_view word) const {
  search.next.clear();
  const std::size_t open = search.any_words.size();  // enter() adds those that begin after this word
  const auto follow = [&](const Node& node) {
    if (node.any_word != none) enter(search, node.any_word);
    if (node.words.empty()) return;
    const auto found = node.words.find(word);
    if (found != node.words.end()) enter(search, found->second);
  };
  for (const std::uint32_t node : search.reached) follow(nodes_[node]);
  for (std::size_t i = 0; i < open; ++i) follow(nodes_[search.any_words[i]]);
  std::swap(search.reached, search.next);
}

std::span<const std::uint32_t> EventTable::find_among_patterns(const Name* name, std::string_view event,
                                                               Search& search) const {
  std::vector<std::uint32_t>& found = search.found;
  found.clear();
  const auto take = [&](const std::vector<std::uint32_t>& indexes) {
    found.insert(found.end(), indexes.begin(), indexes.end());
  };
  if (name != nullptr) take(name->indexes);
  if (search.seen.size() < nodes_.size()) search.seen.resize(nodes_.size());
  ++search.number;
  search.any_words.clear();
  search.next.clear();
  enter(search, 0);
  std::swap(search.reached, search.next);
  EventWords words(event);
  while (const auto word = words.next()) step(search, *word);
  for (const std::uint32_t node : search.reached) take(nodes_[node].indexes);
  for (const std::uint32_t node : search.any_words) take(nodes_[node].indexes);
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace action_triggers::detail
