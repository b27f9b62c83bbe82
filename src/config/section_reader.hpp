/// What a ConfigSection reads from: one object of the document, with what was asked for so far.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/config.hpp"
#include "action_triggers/config_section.hpp"
#include "config/document.hpp"

namespace action_triggers::detail {

/// Where problems and warnings of one file are gathered.
struct Findings {
  const TextPositions& positions;
  std::vector<ConfigProblem> problems;
  std::vector<ConfigProblem> warnings;
};

class SectionReader : public std::enable_shared_from_this<SectionReader> {
 public:
  /// `object` may be nullptr: an empty section, whose problems stand at `offset`. `section` and `key_prefix` go into
  /// problems.
  SectionReader(Findings& findings, std::string broker, std::string section, std::string key_prefix,
                std::string pointer, const Node* object, std::size_t offset);

  /// The value of a key that is about to be read, which makes it known; nullptr: absent or null.
  const Node* look_up(std::string_view key);
  [[nodiscard]] const Node* object() const { return object_; }
  std::shared_ptr<SectionReader> nested(std::string_view key);

  void problem(std::string_view key, std::string text) { add(findings_.problems, key, std::move(text)); }
  void warning(std::string_view key, std::string text) { add(findings_.warnings, key, std::move(text)); }
  void wrong_type(std::string_view key, std::string_view wanted);

  /// Reports the keys that nobody asked for, here and in nested objects.
  void report_unknown_keys();

  static SectionReader& of(ConfigSection& section) { return *section.reader_; }
  /// A ConfigSection on this reader.
  ConfigSection section() { return ConfigSection(shared_from_this()); }

 private:
  void add(std::vector<ConfigProblem>& to, std::string_view key, std::string text) const;

  Findings& findings_;
  const std::string broker_;
  const std::string section_;
  const std::string key_prefix_;
  const std::string pointer_;
  const Node* const object_;
  const std::size_t offset_;
  std::set<std::string, std::less<>> known_;
  std::vector<std::shared_ptr<SectionReader>> nested_;
};

/// "Did you mean 'queue'?", or the list of what there is.
std::string suggestion(std::string_view wrong, const std::set<std::string, std::less<>>& known);

/// For an error text: the value as the file has it, or *** if it came from a substitution.
std::string shown(const Node& node);

}  // namespace action_triggers::detail
