// SPDX-License-Identifier: MIT
/// What a ConfigSection reads from: one object of the document, with what was asked for so far.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "action_triggers/broker_config.hpp"
#include "action_triggers/config_section.hpp"
#include "config/document.hpp"

namespace action_triggers::detail {

/// Where problems and warnings of one file are gathered.
struct Findings {
  const TextPositions& positions;
  std::vector<ConfigProblem> problems{};
  std::vector<ConfigProblem> warnings{};
  std::size_t missing_params = 0;                // of the problems, those that say so of a required one
  std::map<std::string, std::string> answers{};  // what a parser asks once for many sections, by a key of its own

  /// Whether there are more problems than are told: what is read from now on is for nothing.
  [[nodiscard]] bool full() const noexcept { return problems.size() > max_config_problems; }
};

/// Where a section stands; `broker`, `section` and `key_prefix` ("retry.") go into its problems.
struct SectionPlace {
  std::string broker;
  std::string section;
  std::string key_prefix;
  std::string pointer;
  std::size_t offset = 0;
};

class SectionReader : public std::enable_shared_from_this<SectionReader> {
 public:
  /// `value` is an object, or a string (an element of a list), or nullptr (an empty section).
  SectionReader(Findings& findings, SectionPlace place, const Node* value);

  /// The value of a key as it stands there, null too; nullptr: there is no such key.
  [[nodiscard]] const Node* find(std::string_view key) const;
  /// The value of a key that is about to be read, which makes it known; nullptr: absent or null.
  const Node* look_up(std::string_view key);
  /// nullptr: there is no object.
  [[nodiscard]] const Node* object() const;
  /// nullptr: it is no string.
  [[nodiscard]] const std::string* text() const;

  std::shared_ptr<SectionReader> nested(std::string_view key);
  /// A reader for each element of a list: objects, and strings if they are allowed. Others are problems, and left out.
  std::vector<std::shared_ptr<SectionReader>> elements(std::string_view key, bool strings_allowed);

  void problem(std::string_view key, std::string text, std::string hint = {}) {
    add(findings_.problems, key, std::move(text), std::move(hint));
  }
  /// A required key is not there.
  void missing(std::string_view key, std::string hint = {});
  void warning(std::string_view key, std::string text) { add(findings_.warnings, key, std::move(text), {}); }
  /// Whether a configuration may hold this string; if not, that is a problem at `key`, which calls the field `name`.
  bool check_text(std::string_view key, std::string_view name, const std::string& text);
  /// Whether nobody knows what the value of this key will be, so that nothing can be concluded from it.
  [[nodiscard]] bool is_unresolved(std::string_view key) const;
  /// Of a value that is a secret: warns if it comes from a file that is open to everybody.
  void check_secret(std::string_view key);
  /// `wanted`: "an object". A string is "of type str", as in the reference; else JSON's words are used.
  void wrong_type(std::string_view key, std::string_view wanted);

  /// Reports the keys that nobody asked for, here and in nested objects. `other`: the section where they may belong.
  void report_unknown_keys(const SectionReader* other = nullptr);

  /// Set by a parser on its conn_details for what needs the common keys too: the loader calls it with the finished
  /// configuration, unless something was wrong already.
  std::function<void(const BrokerConfig& config)> check_whole;

  std::map<std::string, std::string>& answers() { return findings_.answers; }

  static SectionReader& of(ConfigSection& section) { return *section.reader_; }
  /// A ConfigSection on this reader.
  ConfigSection section() { return ConfigSection(shared_from_this()); }

 private:
  std::shared_ptr<SectionReader> add_nested(std::string_view key, const std::string& pointer, const Node* value);
  void add(std::vector<ConfigProblem>& to, std::string_view key, std::string text, std::string hint) const;

  Findings& findings_;
  const SectionPlace place_;
  const Node* const value_;
  std::unordered_map<std::string_view, const Node*> values_;  // of an object, by their keys
  std::set<std::string, std::less<>> known_;
  std::vector<std::shared_ptr<SectionReader>> nested_;
};

/// For an error text: the value as the file has it, or *** if it came from a substitution.
std::string redacted_text(const Node& node);

}  // namespace action_triggers::detail
