// SPDX-License-Identifier: MIT
/// tests/support/condition_pairs.txt: conditions, payloads, and whether they match.
#pragma once

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace action_triggers::tests {

struct ConditionPair {
  bool expected = false;
  bool ours_alone = false;  ///< EventBridge refuses the condition, or sees it otherwise.
  std::string when;
  std::string payload;
  std::size_t line = 0;
};

inline std::vector<ConditionPair> condition_pairs() {
  std::ifstream file(ACTION_TRIGGERS_SOURCE_DIR "/tests/support/condition_pairs.txt");
  std::vector<ConditionPair> pairs;
  std::string text;
  std::string when;
  for (std::size_t line = 1; std::getline(file, text); ++line) {
    if (text.empty() || text.front() == '#') continue;
    const std::size_t space = text.find(' ');
    const std::string word = text.substr(0, space);
    const std::string rest = text.substr(text.find_first_not_of(' ', space));
    if (word == "when") {
      when = rest;
    } else if (word == "yes" || word == "no" || word == "yes!" || word == "no!") {
      pairs.push_back({word.starts_with("yes"), word.ends_with('!'), when, rest, line});
    } else {
      throw std::runtime_error("condition_pairs.txt:" + std::to_string(line) + ": what is '" + word + "'?");
    }
  }
  return pairs;
}

}  // namespace action_triggers::tests
