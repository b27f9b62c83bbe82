// SPDX-License-Identifier: MIT
// A line with any bytes as an event's name, and further ones as patterns in one table: found is what matches by
// definition.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "triggers/event_pattern.hpp"
#include "triggers/event_table.hpp"

namespace at = action_triggers::detail;

namespace {

std::vector<std::string_view> words_of(std::string_view name) {
  std::vector<std::string_view> all;
  at::EventWords words(name);
  while (const auto word = words.next()) all.push_back(*word);
  return all;
}

bool matches_by_definition(std::string_view pattern, const std::vector<std::string_view>& name) {
  std::vector<bool> reached(name.size() + 1);  // how many words of the name the pattern's words so far may stand for
  reached[0] = true;
  for (const std::string_view word : words_of(pattern)) {
    std::vector<bool> next(name.size() + 1);
    for (std::size_t n = 0; n <= name.size(); ++n) {
      if (word == "#") {
        next[n] = reached[n] || (n > 0 && next[n - 1]);
      } else {
        next[n] = n > 0 && reached[n - 1] && (word == "*" || word == name[n - 1]);
      }
    }
    reached = next;
  }
  return reached.back();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto line = [&] {
    const std::size_t end = rest.find('\n');
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return text;
  };
  const std::string_view name = line();
  at::EventTable table;
  std::vector<std::uint32_t> expected;
  for (std::uint32_t index = 0; !rest.empty(); ++index) {
    const std::string_view pattern = line();
    if (!at::wrong_pattern(pattern).empty()) continue;
    static_cast<void>(at::doubtful_pattern(pattern));
    table.add(pattern, index);
    if (matches_by_definition(pattern, words_of(name))) expected.push_back(index);
  }
  at::EventTable::Search search;
  const auto found = table.find(name, search);
  if (!std::equal(found.begin(), found.end(), expected.begin(), expected.end())) std::abort();
  return 0;
}
