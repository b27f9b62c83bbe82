// SPDX-License-Identifier: MIT
#include "triggers/json_pointer.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace action_triggers::detail {
namespace {

/// As an array index: no sign, no leading zeros.
std::optional<std::size_t> index_of(std::string_view token) {
  if (token.size() > 1 && token.front() == '0') return std::nullopt;
  return parse_number<std::size_t>(token);
}

/// The characters of a token; nothing: a '~' in it means nothing.
std::optional<std::string> unescaped(std::string_view token) {
  std::string key;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '~') {
      key += token[i];
      continue;
    }
    if (++i == token.size() || (token[i] != '0' && token[i] != '1')) return std::nullopt;
    key += token[i] == '0' ? '~' : '/';
  }
  return key;
}

}  // namespace

std::optional<std::vector<PointerToken>> pointer_tokens(std::string_view pointer) {
  std::vector<PointerToken> tokens;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::size_t end = std::min(pointer.find('/'), pointer.size());
    std::optional<std::string> key = unescaped(pointer.substr(0, end));
    if (!key) return std::nullopt;
    const std::optional<std::size_t> index = index_of(*key);
    tokens.push_back({std::move(*key), index});
    pointer.remove_prefix(end);
  }
  return tokens;
}

}  // namespace action_triggers::detail
