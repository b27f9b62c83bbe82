// SPDX-License-Identifier: MIT
#include "triggers/event_pattern.hpp"

#include <algorithm>

#include "config/document.hpp"

namespace action_triggers::detail {

std::optional<std::string_view> EventWords::next() {
  if (at_end_) return std::nullopt;
  const std::size_t dot = rest_.find('.');
  const std::string_view word = rest_.substr(0, dot);
  at_end_ = dot == std::string_view::npos;
  if (!at_end_) rest_.remove_prefix(dot + 1);
  return word;
}

std::vector<std::string> pattern_words(std::string_view pattern) {
  std::vector<std::string> words;
  EventWords all(pattern);
  while (const auto word = all.next()) {
    const bool after_hash = !words.empty() && words.back() == "#";
    if (after_hash && *word == "#") continue;
    words.emplace_back(*word);
    if (after_hash && *word == "*") std::swap(words.back(), words[words.size() - 2]);
  }
  return words;
}

bool has_wildcards(std::string_view pattern) {
  EventWords words(pattern);
  while (const auto word = words.next()) {
    if (*word == "*" || *word == "#") return true;
  }
  return false;
}

std::string wrong_pattern(std::string_view pattern) {
  if (pattern.empty()) return "An event pattern must not be empty. '#' is the one that every event matches.";
  if (pattern.size() > max_pattern_bytes) {
    return "An event pattern has at most " + std::to_string(max_pattern_bytes) + " bytes; this one has " +
           std::to_string(pattern.size()) + ".";
  }
  return {};
}

std::string doubtful_pattern(std::string_view pattern) {
  EventWords words(pattern);
  while (const auto word = words.next()) {
    const std::size_t wildcard = word->find_first_of("*#");
    if (wildcard == std::string_view::npos || word->size() == 1) continue;
    const std::string sign(1, (*word)[wildcard]);
    return "The '" + sign + "' in the word " + quote_json(*word) + " is an ordinary character: only a word that is '" +
           sign + "' alone stands for others.";
  }
  return {};
}

}  // namespace action_triggers::detail
