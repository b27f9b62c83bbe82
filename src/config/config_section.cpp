// SPDX-License-Identifier: MIT
// ConfigSection: the getters that a parser reads an object of the configuration with.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "action_triggers/config_section.hpp"
#include "base/text.hpp"
#include "config/document.hpp"
#include "config/section_reader.hpp"

namespace action_triggers {
namespace {

using detail::Node;
using detail::parse_number;
using detail::SectionReader;

/// 5, not 5.000000.
std::string number_text(double value) {
  char text[32];
  const auto end = std::to_chars(std::begin(text), std::end(text), value).ptr;
  return {text, end};
}

std::vector<ConfigSection> sections_of(const std::vector<std::shared_ptr<SectionReader>>& readers) {
  std::vector<ConfigSection> sections;
  sections.reserve(readers.size());
  for (const auto& reader : readers) sections.push_back(reader->section());
  return sections;
}

}  // namespace

bool ConfigSection::has(std::string_view key) const { return reader_->look_up(key) != nullptr; }

bool ConfigSection::has_null(std::string_view key) const {
  static_cast<void>(reader_->look_up(key));
  const Node* value = reader_->find(key);
  return value != nullptr && value->is(Node::Kind::null);
}

bool ConfigSection::is_boolean(std::string_view key) const {
  const Node* value = reader_->look_up(key);
  return value != nullptr && value->is(Node::Kind::boolean);
}

bool ConfigSection::is_integer(std::string_view key) const {
  const Node* value = reader_->look_up(key);
  return value != nullptr && value->is(Node::Kind::integer);
}

bool ConfigSection::is_substituted(std::string_view key) const {
  const Node* value = reader_->find(key);
  return value != nullptr && value->substituted;
}

std::string ConfigSection::quoted(std::string_view key, std::string_view value) const {
  const bool may_have_a_password = value.find('@') != std::string_view::npos;
  return is_substituted(key) || may_have_a_password ? "'***'" : "'" + std::string(value) + "'";
}

std::optional<std::string> ConfigSection::string(std::string_view key) {
  const Node* value = reader_->look_up(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is(Node::Kind::string)) {
    reader_->wrong_type(key, "of type str");
    return std::nullopt;
  }
  return reader_->check_text(key, key, value->string) ? std::optional(value->string) : std::nullopt;
}

std::string ConfigSection::required_string(std::string_view key) {
  if (!has(key)) missing(key);
  return string(key).value_or(std::string());
}

std::optional<Secret> ConfigSection::secret(std::string_view key) {
  const Node* value = reader_->look_up(key);
  reader_->check_secret(key);
  if (value != nullptr && value->is(Node::Kind::string) && value->string.empty()) return Secret();  // an empty password
  auto text = string(key);
  return text ? std::optional(Secret(std::move(*text))) : std::nullopt;
}

std::optional<std::int64_t> ConfigSection::integer(std::string_view key, std::int64_t min, std::int64_t max) {
  const Node* value = reader_->look_up(key);
  if (value == nullptr) return std::nullopt;
  std::optional<std::int64_t> number;
  if (value->is(Node::Kind::integer)) number = value->integer;
  if (value->is(Node::Kind::string)) number = parse_number<std::int64_t>(value->string);
  if (!number) {
    reader_->wrong_type(key, "an integer");
    return std::nullopt;
  }
  if (*number < min || *number > max) {
    reader_->problem(key, "The field '" + std::string(key) + "' must be between " + std::to_string(min) + " and " +
                              std::to_string(max) + ", not " + detail::redacted_text(*value) + ".");
    return std::nullopt;
  }
  return number;
}

std::optional<double> ConfigSection::number(std::string_view key, double min, double max) {
  const Node* value = reader_->look_up(key);
  if (value == nullptr) return std::nullopt;
  std::optional<double> number;
  if (value->is(Node::Kind::integer) || value->is(Node::Kind::number)) number = value->number;
  if (value->is(Node::Kind::string)) number = parse_number<double>(value->string);
  if (!number || !std::isfinite(*number)) {
    reader_->wrong_type(key, "a number");
    return std::nullopt;
  }
  if (*number < min || *number > max) {
    reader_->problem(key, "The field '" + std::string(key) + "' must be between " + number_text(min) + " and " +
                              number_text(max) + ", not " + detail::redacted_text(*value) + ".");
    return std::nullopt;
  }
  return number;
}

std::optional<bool> ConfigSection::boolean(std::string_view key) {
  const Node* value = reader_->look_up(key);
  if (value == nullptr) return std::nullopt;
  if (value->is(Node::Kind::boolean)) return value->boolean;
  if (value->is(Node::Kind::string) && value->substituted) {
    if (value->string == "true") return true;
    if (value->string == "false") return false;
  }
  reader_->wrong_type(key, "true or false");
  return std::nullopt;
}

std::optional<std::string> ConfigSection::scalar(std::string_view key) {
  const Node* value = reader_->look_up(key);
  if (value == nullptr) return std::nullopt;
  switch (value->kind) {
    case Node::Kind::string:
      return value->string;
    case Node::Kind::boolean:
    case Node::Kind::integer:
    case Node::Kind::number:
      return detail::canonical_text(*value);
    default:
      reader_->wrong_type(key, "of type str");
      return std::nullopt;
  }
}

std::optional<std::vector<std::string>> ConfigSection::strings(std::string_view key) {
  const Node* value = reader_->look_up(key);
  if (value == nullptr) return std::nullopt;
  if (value->is(Node::Kind::string)) {
    auto single = string(key);
    return single ? std::optional(std::vector{std::move(*single)}) : std::nullopt;
  }
  const auto is_text = [](const Node& item) { return item.is(Node::Kind::string); };
  if (!value->is(Node::Kind::array) || !std::all_of(value->items.begin(), value->items.end(), is_text)) {
    reader_->wrong_type(key, "a string or a list of strings");
    return std::nullopt;
  }
  if (value->items.empty()) {
    reader_->problem(key, "The field '" + std::string(key) + "' must not be empty.");
    return std::nullopt;
  }
  std::vector<std::string> texts;
  for (const Node& item : value->items) {
    if (reader_->check_text(key, std::string(key) + "." + std::to_string(texts.size()), item.string)) {
      texts.push_back(item.string);
    } else {
      return std::nullopt;
    }
  }
  return texts;
}

ConfigSection ConfigSection::object(std::string_view key) { return ConfigSection(reader_->nested(key)); }

std::vector<ConfigSection> ConfigSection::objects(std::string_view key) {
  return sections_of(reader_->elements(key, /*strings_allowed=*/false));
}

std::vector<ConfigSection> ConfigSection::items(std::string_view key) {
  return sections_of(reader_->elements(key, /*strings_allowed=*/true));
}

std::optional<std::string> ConfigSection::text() const {
  const std::string* text = reader_->text();
  return text == nullptr ? std::nullopt : std::optional(*text);
}

std::vector<std::string> ConfigSection::keys() const {
  std::vector<std::string> names;
  if (reader_->object() != nullptr) {
    for (const detail::Member& member : reader_->object()->members) names.push_back(member.key);
  }
  return names;
}

void ConfigSection::problem(std::string_view key, std::string text, std::string hint) {
  reader_->problem(key, std::move(text), std::move(hint));
}
void ConfigSection::missing(std::string_view key, std::string hint) { reader_->missing(key, std::move(hint)); }
void ConfigSection::warning(std::string_view key, std::string text) { reader_->warning(key, std::move(text)); }

}  // namespace action_triggers
