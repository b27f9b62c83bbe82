#include "config/section_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace action_triggers {
namespace detail {
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

/// All of the text as a number, or nothing.
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

/// 5, not 5.000000.
std::string number_text(double value) {
  char text[32];
  const auto end = std::to_chars(std::begin(text), std::end(text), value).ptr;
  return {text, end};
}

}  // namespace

std::string suggestion(std::string_view wrong, const std::set<std::string, std::less<>>& known) {
  const std::string* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(1, wrong.size() / 3) + 1;
  std::string all;
  for (const std::string& name : known) {
    if (const std::size_t distance = edit_distance(wrong, name); distance < best_distance) {
      best = &name;
      best_distance = distance;
    }
    all += (all.empty() ? "" : ", ") + name;
  }
  if (best != nullptr) return "Did you mean '" + *best + "'?";
  return all.empty() ? "None is known here." : "Known: " + all + ".";
}

std::string shown(const Node& node) { return node.substituted ? "***" : canonical_text(node); }

SectionReader::SectionReader(Findings& findings, std::string broker, std::string section, std::string key_prefix,
                             std::string pointer, const Node* object, std::size_t offset)
    : findings_(findings),
      broker_(std::move(broker)),
      section_(std::move(section)),
      key_prefix_(std::move(key_prefix)),
      pointer_(std::move(pointer)),
      object_(object),
      offset_(offset) {}

const Node* SectionReader::look_up(std::string_view key) {
  known_.emplace(key);
  const Node* value = object_ == nullptr ? nullptr : object_->find(key);
  return value == nullptr || value->is(Node::Kind::null) ? nullptr : value;
}

std::shared_ptr<SectionReader> SectionReader::nested(std::string_view key) {
  const Node* value = look_up(key);
  if (value != nullptr && !value->is(Node::Kind::object)) {
    wrong_type(key, "dict");
    value = nullptr;
  }
  auto reader =
      std::make_shared<SectionReader>(findings_, broker_, section_, key_prefix_ + std::string(key) + ".",
                                      pointer_to(pointer_, key), value, value == nullptr ? offset_ : value->offset);
  nested_.push_back(reader);
  return reader;
}

void SectionReader::wrong_type(std::string_view key, std::string_view wanted) {
  problem(key, "The field '" + std::string(key) + "' must be of type " + std::string(wanted) + ".");
}

void SectionReader::add(std::vector<ConfigProblem>& to, std::string_view key, std::string text) const {
  const Node* value = object_ == nullptr ? nullptr : object_->find(key);
  if (value != nullptr && value->unresolved) return;
  ConfigProblem problem{.broker = broker_,
                        .section = section_,
                        .key = key_prefix_ + std::string(key),
                        .pointer = value == nullptr ? pointer_ : pointer_to(pointer_, key),
                        .text = std::move(text)};
  findings_.positions.locate(value == nullptr ? offset_ : value->offset, problem);
  to.push_back(std::move(problem));
}

void SectionReader::report_unknown_keys() {
  for (const auto& reader : nested_) reader->report_unknown_keys();
  if (object_ == nullptr) return;
  for (const Member& member : object_->members) {
    if (!known_.contains(member.key)) {
      problem(member.key, "Unknown field '" + member.key + "'. " + suggestion(member.key, known_));
    }
  }
}

}  // namespace detail

using detail::Node;

bool ConfigSection::has(std::string_view key) const { return reader_->look_up(key) != nullptr; }

bool ConfigSection::has_null(std::string_view key) const {
  static_cast<void>(reader_->look_up(key));
  const Node* value = reader_->object() == nullptr ? nullptr : reader_->object()->find(key);
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

std::optional<std::string> ConfigSection::string(std::string_view key) {
  const Node* value = reader_->look_up(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is(Node::Kind::string)) {
    reader_->wrong_type(key, "str");
    return std::nullopt;
  }
  if (value->string.empty()) {
    reader_->problem(key, "The field '" + std::string(key) + "' must not be empty.");
    return std::nullopt;
  }
  if (value->string.find('\0') != std::string::npos) {
    reader_->problem(key, "The field '" + std::string(key) + "' must not contain a NUL character.");
    return std::nullopt;
  }
  return value->string;
}

std::string ConfigSection::required_string(std::string_view key) {
  if (!has(key)) reader_->problem(key, "The field '" + std::string(key) + "' must be provided.");
  return string(key).value_or(std::string());
}

std::optional<Secret> ConfigSection::secret(std::string_view key) {
  const Node* value = reader_->look_up(key);
  if (value != nullptr && value->is(Node::Kind::string) && value->string.empty()) return Secret();  // an empty password
  auto text = string(key);
  return text ? std::optional(Secret(std::move(*text))) : std::nullopt;
}

std::optional<std::int64_t> ConfigSection::integer(std::string_view key, std::int64_t min, std::int64_t max) {
  const Node* value = reader_->look_up(key);
  if (value == nullptr) return std::nullopt;
  std::optional<std::int64_t> number;
  if (value->is(Node::Kind::integer)) number = value->integer;
  if (value->is(Node::Kind::string) && value->substituted) number = detail::parse_number<std::int64_t>(value->string);
  if (!number) {
    reader_->wrong_type(key, "int");
    return std::nullopt;
  }
  if (*number < min || *number > max) {
    reader_->problem(key, "The field '" + std::string(key) + "' must be between " + std::to_string(min) + " and " +
                              std::to_string(max) + ", not " + detail::shown(*value) + ".");
    return std::nullopt;
  }
  return number;
}

std::optional<double> ConfigSection::number(std::string_view key, double min, double max) {
  const Node* value = reader_->look_up(key);
  if (value == nullptr) return std::nullopt;
  std::optional<double> number;
  if (value->is(Node::Kind::integer) || value->is(Node::Kind::number)) number = value->number;
  if (value->is(Node::Kind::string) && value->substituted) number = detail::parse_number<double>(value->string);
  if (!number || !std::isfinite(*number)) {
    reader_->wrong_type(key, "float");
    return std::nullopt;
  }
  if (*number < min || *number > max) {
    reader_->problem(key, "The field '" + std::string(key) + "' must be between " + detail::number_text(min) + " and " +
                              detail::number_text(max) + ", not " + detail::shown(*value) + ".");
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
  reader_->wrong_type(key, "bool");
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
      reader_->wrong_type(key, "str");
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
  const auto is_text = [](const Node& item) { return item.is(Node::Kind::string) && !item.string.empty(); };
  if (!value->is(Node::Kind::array) || !std::all_of(value->items.begin(), value->items.end(), is_text)) {
    reader_->wrong_type(key, "str or list of str");
    return std::nullopt;
  }
  if (value->items.empty()) {
    reader_->problem(key, "The field '" + std::string(key) + "' must not be empty.");
    return std::nullopt;
  }
  std::vector<std::string> texts;
  for (const Node& item : value->items) texts.push_back(item.string);
  return texts;
}

ConfigSection ConfigSection::object(std::string_view key) { return ConfigSection(reader_->nested(key)); }

std::vector<std::string> ConfigSection::keys() const {
  std::vector<std::string> names;
  if (reader_->object() != nullptr) {
    for (const detail::Member& member : reader_->object()->members) names.push_back(member.key);
  }
  return names;
}

void ConfigSection::problem(std::string_view key, std::string text) { reader_->problem(key, std::move(text)); }
void ConfigSection::warning(std::string_view key, std::string text) { reader_->warning(key, std::move(text)); }

}  // namespace action_triggers
