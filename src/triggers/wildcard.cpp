// SPDX-License-Identifier: MIT
#include "triggers/wildcard.hpp"

#include <cstring>

namespace action_triggers::detail {
namespace {

/// Where `part` first stands in `text`. memmem's time is linear in the text, which std::string_view::find's is not.
std::size_t find_part(std::string_view text, std::string_view part) {
  if (part.empty()) return 0;
  const void* const found = ::memmem(text.data(), text.size(), part.data(), part.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

}  // namespace

std::string Wildcard::wrong(std::string_view text) {
  std::size_t stars = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
      if (i == text.size() || (text[i] != '*' && text[i] != '\\')) {
        return R"(After a backslash stands '*' or another backslash: '\*' is a star itself, '\\' a backslash.)";
      }
    } else if (text[i] == '*') {
      ++stars;
      if (i + 1 < text.size() && text[i + 1] == '*') return "Two stars must not stand side by side: one says it all.";
    }
  }
  if (stars <= max_stars) return {};
  return "A wildcard has at most " + std::to_string(max_stars) + " stars; this one has " + std::to_string(stars) + ".";
}

Wildcard::Wildcard(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '*') {
      parts_.emplace_back();
      continue;
    }
    if (text[i] == '\\') ++i;
    parts_.back() += text[i];
  }
}

bool Wildcard::matches(std::string_view text) const noexcept {
  const std::string& first = parts_.front();
  if (parts_.size() == 1) return text == first;
  const std::string& last = parts_.back();
  if (text.size() < first.size() + last.size() || !text.starts_with(first) || !text.ends_with(last)) return false;
  text.remove_prefix(first.size());
  text.remove_suffix(last.size());
  for (std::size_t i = 1; i + 1 < parts_.size(); ++i) {  // the first place is as good as any
    const std::size_t at = find_part(text, parts_[i]);
    if (at == std::string_view::npos) return false;
    text.remove_prefix(at + parts_[i].size());
  }
  return true;
}

}  // namespace action_triggers::detail
