// SPDX-License-Identifier: MIT
// Problems with their positions, and sections that are read as a ConfigSection.
#include "config/load_context.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/suggestion.hpp"
#include "config/json_text.hpp"

namespace action_triggers::detail {

void LoadContext::add_problem(std::size_t offset, ConfigProblem problem) {
  if (findings.full()) return;
  positions.locate(offset, problem);
  findings.problems.push_back(std::move(problem));
}

void LoadContext::add_warning(std::size_t offset, ConfigProblem warning) {
  positions.locate(offset, warning);
  findings.warnings.push_back(std::move(warning));
}

void LoadContext::add_unknown_field(const Member& member, const std::string& pointer,
                                    const std::set<std::string, std::less<>>& known, const std::string& broker) {
  if (findings.full()) return;  // a suggestion costs something
  add_problem(member.key_offset, {.broker = broker,
                                  .key = member.key,
                                  .pointer = pointer_to(pointer, member.key),
                                  .text = "Unknown field '" + member.key + "'. " + suggestion(member.key, known)});
}

bool LoadContext::check_object(const Member& member, const std::string& pointer) {
  if (member.value.is(Node::Kind::object)) return true;
  if (!member.value.is(Node::Kind::null)) {
    add_problem(member.value.offset,
                {.key = member.key, .pointer = pointer, .text = "The field '" + member.key + "' must be an object."});
  }
  return false;
}

std::string_view LoadContext::digits_of(const Node& number) const { return first_word(text.substr(number.offset)); }

void LoadContext::substitute_in(Node& object, const std::string& broker, const std::string& section,
                                const std::string& pointer, Braces braces) {
  std::vector<std::string> files = substitute(
      object, options, pointer,
      [&](const std::string& at, std::size_t offset, std::string said, bool is_problem) {
        std::string key = at.substr(pointer.size() + 1);
        std::replace(key.begin(), key.end(), '/', '.');
        ConfigProblem finding{
            .broker = broker, .section = section, .key = std::move(key), .pointer = at, .text = std::move(said)};
        if (is_problem) {
          add_problem(offset, std::move(finding));
        } else {
          add_warning(offset, std::move(finding));
        }
      },
      braces);
  config.files.insert(config.files.end(), files.begin(), files.end());
}

void LoadContext::read_section(Member& member, const std::string& pointer,
                               const std::function<void(ConfigSection&)>& read) {
  if (!check_object(member, pointer)) return;
  substitute_in(member.value, {}, member.key, pointer);
  SectionPlace place{
      .broker = {}, .section = member.key, .key_prefix = {}, .pointer = pointer, .offset = member.value.offset};
  const auto reader = std::make_shared<SectionReader>(findings, std::move(place), &member.value);
  ConfigSection section = reader->section();
  read(section);
  reader->report_unknown_keys();
}

}  // namespace action_triggers::detail
