// SPDX-License-Identifier: MIT
#include "capture/trigger_name.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace action_triggers::detail {
namespace {

constexpr std::size_t hash_digits = 8;

/// FNV-1a, which is the same everywhere and always. Nobody attacks it: who writes a definition may run any SQL.
std::string hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  hash ^= hash >> 32U;
  std::string digits(hash_digits, '0');
  for (char& digit : digits) {
    digit = "0123456789abcdef"[hash & 15U];
    hash >>= 4U;
  }
  return digits;
}

bool is_hash(std::string_view text) {
  return text.size() == hash_digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

constexpr std::array<std::string_view, 7> parts{"insert",    "update",    "delete",    "truncate",
                                                "preinsert", "preupdate", "postupdate"};

}  // namespace

std::string trigger_name(std::string_view capture, std::string_view part, std::string_view definition) {
  return std::string(trigger_prefix).append(capture).append("_").append(part).append("_").append(hash_of(definition));
}

std::optional<std::string> capture_of_trigger(std::string_view name) {
  if (!name.starts_with(trigger_prefix)) return std::nullopt;
  name.remove_prefix(trigger_prefix.size());
  const auto take_last_word = [&name] {
    const std::size_t line = name.rfind('_');
    if (line == std::string_view::npos) return std::string_view();
    const std::string_view word = name.substr(line + 1);
    name = name.substr(0, line);
    return word;
  };
  if (!is_hash(take_last_word())) return std::nullopt;
  const std::string_view part = take_last_word();
  if (std::find(parts.begin(), parts.end(), part) == parts.end() || name.empty()) return std::nullopt;
  return std::string(name);
}

std::string trigger_pattern(std::string_view capture) {
  std::string all;
  for (const std::string_view part : parts) all.append(all.empty() ? "" : "|").append(part);
  return "^" + std::string(trigger_prefix) + (capture.empty() ? "[A-Za-z0-9_]+" : std::string(capture)) + "_(" + all +
         ")_[0-9a-f]{8}$";
}

}  // namespace action_triggers::detail
