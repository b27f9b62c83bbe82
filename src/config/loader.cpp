// SPDX-License-Identifier: MIT
// The root of a file: finds its sections, has them read in order, and sorts what was wrong.
#include "config/loader.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <tuple>
#include <utility>

#include "config/json_parser.hpp"
#include "config/loaded_text.hpp"
#include "config/read_file.hpp"

namespace action_triggers::detail {
namespace {

/// A section of the file, and where it stands.
struct FoundSection {
  const RootSection* section;
  Member* member;
  std::string pointer;
};

/// Finds the sections of a file, and reads them in the order of the table.
class RootReader {
 public:
  RootReader(LoadContext& context, const std::vector<RootSection>& sections) : context_(context), sections_(sections) {}

  void read(Node& root) {
    if (!root.is(Node::Kind::object)) {
      context_.add_problem(root.offset, {.text = "The configuration must be a JSON object with a 'brokers' map."});
      return;
    }
    find_sections(root, "", /*is_top=*/true);
    for (const RootSection& section : sections_) {
      const auto is_section = [&](const FoundSection& found) { return found.section == &section; };
      if (!section.missing.empty() && std::none_of(found_.begin(), found_.end(), is_section)) {
        context_.add_problem(root.offset, {.text = section.missing});
      }
    }
    std::stable_sort(found_.begin(), found_.end(),
                     [](const FoundSection& a, const FoundSection& b) { return a.section->order < b.section->order; });
    for (const FoundSection& found : found_) context_.sections.insert(found.section->key);
    for (const FoundSection& found : found_) found.section->read(context_, *found.member, found.pointer);
    for (const auto& [name, problems] : context_.incomplete) {
      if (context_.completed.contains(name)) continue;
      auto& all = context_.findings.problems;
      all.insert(all.end(), problems.begin(), problems.end());
    }
  }

 private:
  void find_sections(Node& object, const std::string& pointer, bool is_top) {
    for (Member& member : object.members) {
      const std::string at = pointer_to(pointer, member.key);
      if (const RootSection* section = section_of(member.key, is_top)) {
        add_section(*section, member, at);
      } else if (is_top && member.key == schema_key) {
        if (!member.value.is(Node::Kind::string)) {
          context_.add_problem(member.value.offset,
                               {.key = member.key, .pointer = at, .text = "The field '$schema' must be of type str."});
        }
      } else if (!is_top || member.key != reference_root) {
        context_.add_unknown_field(member, pointer, known_keys(is_top));
      } else if (member.value.is(Node::Kind::object)) {
        find_sections(member.value, at, /*is_top=*/false);
      } else {
        context_.add_problem(
            member.value.offset,
            {.key = member.key, .pointer = at, .text = "The field 'ACTION_TRIGGERS' must be an object."});
      }
    }
  }

  void add_section(const RootSection& section, Member& member, const std::string& pointer) {
    const auto first = std::find_if(found_.begin(), found_.end(),
                                    [&](const FoundSection& found) { return found.section == &section; });
    const bool is_duplicate_key = first != found_.end() && first->pointer == pointer;  // the parser has said so
    if (first != found_.end() && !section.may_repeat && !is_duplicate_key) {
      context_.add_problem(member.key_offset, {.key = member.key,
                                               .pointer = pointer,
                                               .text = "The section '" + section.key +
                                                       "' stands in two places; it is " + first->pointer + " too."});
    }
    found_.push_back({&section, &member, pointer});
  }

  [[nodiscard]] const RootSection* section_of(const std::string& key, bool is_top) const {
    const auto found = std::find_if(sections_.begin(), sections_.end(), [&](const RootSection& section) {
      const auto& aliases = section.aliases;
      return section.key == key || (is_top && std::find(aliases.begin(), aliases.end(), key) != aliases.end());
    });
    return found == sections_.end() ? nullptr : &*found;
  }

  [[nodiscard]] std::set<std::string, std::less<>> known_keys(bool is_top) const {
    std::set<std::string, std::less<>> keys;
    for (const RootSection& section : sections_) {
      keys.insert(section.key);
      if (is_top) keys.insert(section.aliases.begin(), section.aliases.end());
    }
    if (is_top) keys.emplace(reference_root);
    return keys;
  }

  LoadContext& context_;
  const std::vector<RootSection>& sections_;
  std::vector<FoundSection> found_;
};

/// In the file's order, and no more than anybody reads.
void put_in_order(std::vector<ConfigProblem>& problems, const char* what) {
  std::stable_sort(problems.begin(), problems.end(), [](const ConfigProblem& a, const ConfigProblem& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  if (problems.size() <= max_config_problems) return;
  problems.resize(max_config_problems);
  problems.push_back({.text = std::string("There are more ") + what + "; these are " +
                              std::to_string(max_config_problems) + " of them."});
}

}  // namespace

Config load(std::string_view text, const std::string& source, const BrokerRegistry& registry,
            const ConfigOptions& options, const std::vector<RootSection>& sections, std::vector<std::string>* files) {
  LoadContext context(text, registry, options);
  Findings& findings = context.findings;
  if (text.size() > max_config_bytes) {
    context.add_problem(0, {.text = "The configuration is larger than 1 MiB."});
  } else {
    Node root = parse_document(text, context.positions, findings.problems);
    const bool is_broken = root.is(Node::Kind::null) && !findings.problems.empty();
    if (!is_broken) RootReader(context, sections).read(root);
  }
  put_in_order(findings.problems, "problems");
  put_in_order(findings.warnings, "warnings");
  if (files != nullptr) *files = context.config.files;
  if (!findings.problems.empty()) throw ConfigError(source, std::move(findings.problems));
  context.config.warnings = std::move(findings.warnings);
  context.config.set_section(std::make_shared<const LoadedText>(text));
  return std::move(context.config);
}

Config load_file(const std::string& path, const BrokerRegistry& registry, const ConfigOptions& options,
                 std::vector<std::string>* files) {
  const FileContent file = read_file(path);
  if (!file.bytes) throw ConfigError(path, {{.text = "The file cannot be read: " + file.why + "."}});
  return load(*file.bytes, path, registry, options, root_sections(), files);
}

}  // namespace action_triggers::detail
