// SPDX-License-Identifier: MIT
// Looks keys up in one object, and reports what is wrong there.
#include "config/section_reader.hpp"

#include <utility>

#include "base/suggestion.hpp"

namespace action_triggers::detail {

std::string redacted_text(const Node& node) { return node.substituted ? "***" : canonical_text(node); }

SectionReader::SectionReader(Findings& findings, SectionPlace place, const Node* value)
    : findings_(findings), place_(std::move(place)), value_(value) {
  if (object() == nullptr) return;
  for (const Member& member : object()->members) values_.emplace(member.key, &member.value);
}

const Node* SectionReader::object() const {
  return value_ != nullptr && value_->is(Node::Kind::object) ? value_ : nullptr;
}

const std::string* SectionReader::text() const {
  return value_ != nullptr && value_->is(Node::Kind::string) ? &value_->string : nullptr;
}

const Node* SectionReader::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : found->second;
}

const Node* SectionReader::look_up(std::string_view key) {
  known_.emplace(key);
  const Node* value = find(key);
  return value == nullptr || value->is(Node::Kind::null) ? nullptr : value;
}

std::shared_ptr<SectionReader> SectionReader::nested(std::string_view key) {
  const Node* value = look_up(key);
  if (value != nullptr && !value->is(Node::Kind::object)) {
    wrong_type(key, "an object");
    value = nullptr;
  }
  return add_nested(key, pointer_to(place_.pointer, key), value);
}

std::vector<std::shared_ptr<SectionReader>> SectionReader::elements(std::string_view key, bool strings_allowed) {
  std::vector<std::shared_ptr<SectionReader>> readers;
  const Node* list = look_up(key);
  if (list == nullptr) return readers;
  if (!list->is(Node::Kind::array)) {
    wrong_type(key, strings_allowed ? "a list of strings and objects" : "a list of objects");
    return readers;
  }
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const Node& item = list->items[i];
    const std::string name = std::string(key) + "." + std::to_string(i);
    const auto reader = add_nested(name, pointer_to(pointer_to(place_.pointer, key), i), &item);
    const bool is_text = strings_allowed && item.is(Node::Kind::string);
    if (!item.is(Node::Kind::object) && !is_text) {
      reader->problem(
          "", "The field '" + name + "' must be " + (strings_allowed ? "a string or an object." : "an object."));
    } else if (!is_text || reader->check_text("", name, item.string)) {
      readers.push_back(reader);
    }
  }
  return readers;
}

std::shared_ptr<SectionReader> SectionReader::add_nested(std::string_view key, const std::string& pointer,
                                                         const Node* value) {
  SectionPlace place{.broker = place_.broker,
                     .section = place_.section,
                     .key_prefix = place_.key_prefix + std::string(key) + ".",
                     .pointer = pointer,
                     .offset = value == nullptr ? place_.offset : value->offset};
  nested_.push_back(std::make_shared<SectionReader>(findings_, std::move(place), value));
  return nested_.back();
}

bool SectionReader::check_text(std::string_view key, std::string_view name, const std::string& text) {
  const bool has_nul = text.find('\0') != std::string::npos;
  if (text.empty()) problem(key, "The field '" + std::string(name) + "' must not be empty.");
  if (has_nul) problem(key, "The field '" + std::string(name) + "' must not contain a NUL character.");
  return !text.empty() && !has_nul;
}

bool SectionReader::is_unresolved(std::string_view key) const {
  const Node* value = find(key);
  return value != nullptr && value->unresolved;
}

void SectionReader::check_secret(std::string_view key) {
  const Node* value = find(key);
  if (value == nullptr || value->others_may == OthersMay::nothing) return;
  warning(key, value->others_may == OthersMay::read
                   ? "Everybody on this machine may read the file that this comes from (chmod o-r)."
                   : "Everybody on this machine may write to the file that this comes from (chmod o-w).");
}

void SectionReader::wrong_type(std::string_view key, std::string_view wanted) {
  const std::string field = "The field '" + std::string(key) + "' ";
  const Node* value = find(key);
  const bool is_empty =
      value != nullptr && value->is(Node::Kind::string) && value->substituted && value->string.empty();
  problem(key, field + "must be " + std::string(wanted) + ".",
          is_empty ? "It is empty: so is what its placeholder stands for." : "");
}

void SectionReader::missing(std::string_view key, std::string hint) {
  const std::size_t before = findings_.problems.size();
  problem(key, "The field '" + std::string(key) + "' must be provided.", std::move(hint));
  if (place_.section == "params") findings_.missing_params += findings_.problems.size() - before;
}

void SectionReader::add(std::vector<ConfigProblem>& to, std::string_view key, std::string text,
                        std::string hint) const {
  const Node* value = find(key);
  if (value == nullptr && key.empty()) value = value_;
  if (to.size() > max_config_problems || (value != nullptr && value->unresolved)) return;
  std::string full_key = place_.key_prefix + std::string(key);
  if (key.empty() && !full_key.empty()) full_key.pop_back();  // about the section itself: no dot after its name
  ConfigProblem problem{.broker = place_.broker,
                        .section = place_.section,
                        .key = std::move(full_key),
                        .pointer = find(key) == nullptr ? place_.pointer : pointer_to(place_.pointer, key),
                        .text = std::move(text),
                        .hint = std::move(hint)};
  findings_.positions.locate(value == nullptr ? place_.offset : value->offset, problem);
  to.push_back(std::move(problem));
}

void SectionReader::report_unknown_keys(const SectionReader* other) {
  for (const auto& reader : nested_) reader->report_unknown_keys();
  if (object() == nullptr) return;
  for (const Member& member : object()->members) {
    if (findings_.full()) return;
    if (known_.contains(member.key)) continue;
    std::string advice = did_you_mean(member.key, known_);
    if (other != nullptr && other->known_.contains(member.key)) {
      const std::string section = "'" + other->place_.section + "'";
      advice =
          advice.empty() ? "It belongs into " + section + "." : advice + " Or does it belong into " + section + "?";
    }
    if (advice.empty()) advice = suggestion(member.key, known_);
    problem(member.key, "Unknown field '" + member.key + "'. " + advice);
  }
}

}  // namespace action_triggers::detail
