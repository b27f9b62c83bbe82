// SPDX-License-Identifier: MIT
// Edit distance, and the suggestion made with it.
#include "config/suggestion.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

namespace action_triggers::detail {
namespace {

/// Letters inserted, dropped, replaced or swapped with their neighbour (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), 0U);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string suggestion(std::string_view wrong, const std::set<std::string, std::less<>>& known) {
  const std::string* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(1, wrong.size() / 3) + 1;
  std::string all;
  for (const std::string& name : known) {
    const std::size_t shorter = std::min(wrong.size(), name.size());
    const std::size_t longer = std::max(wrong.size(), name.size());
    if (longer - shorter >= best_distance) {
      // at least as far as that: no need to look
    } else if (const std::size_t distance = edit_distance(wrong, name); distance < best_distance) {
      best = &name;
      best_distance = distance;
    }
    all += (all.empty() ? "" : ", ") + name;
  }
  if (best != nullptr) return "Did you mean '" + *best + "'?";
  return all.empty() ? "None is known here." : "Known: " + all + ".";
}

}  // namespace action_triggers::detail
