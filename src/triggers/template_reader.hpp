// SPDX-License-Identifier: MIT
/// From the strings of a configuration to the pieces of templates. At load; what is wrong becomes a ConfigProblem.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/load_context.hpp"
#include "triggers/template_piece.hpp"

namespace action_triggers::detail {

/// The text of all templates of one configuration.
inline constexpr std::size_t max_template_bytes = 1024UL * 1024UL;

/// One for all templates of a configuration. In a string, `{{ … }}` is a placeholder, and `{{{{` stands for the
/// characters `{{`.
class TemplateReader {
 public:
  explicit TemplateReader(LoadContext& context);

  /// Appends the pieces of a text: key, headers, content type. `where` says which value it is (broker, section, key,
  /// pointer), for problems.
  void read_text(const Node& node, const ConfigProblem& where, TemplatePieces& to);
  /// Appends the pieces of a JSON value; the strings in it may hold placeholders.
  void read_json(const Node& node, const ConfigProblem& where, TemplatePieces& to);

  void add_problem(const Node& node, const ConfigProblem& where, std::string text, std::string hint = {});

 private:
  /// What stands between two others in a string.
  struct Part {
    bool is_placeholder = false;
    std::string text;  // without braces and the blanks inside them
  };

  std::optional<std::vector<Part>> split(const Node& node, const ConfigProblem& where, std::string_view text);
  void read_json_string(const Node& node, const ConfigProblem& where, TemplatePieces& to);
  void read_json_object(const Node& node, const ConfigProblem& where, TemplatePieces& to);
  void add_key(const Member& member, const ConfigProblem& where, TemplatePieces& to);
  void add_placeholder(const Node& node, const ConfigProblem& where, const std::string& inside, TemplatePlace place,
                       TemplatePieces& to);
  /// False: that is a problem, or, where unknown names are allowed, a warning.
  bool find_kind(const Node& node, const ConfigProblem& where, TemplatePiece& piece);
  bool read_pointer(const Node& node, const ConfigProblem& where, TemplatePiece& piece);
  void report_unknown(const Node& node, const ConfigProblem& where, const std::string& name);
  void add_escaped(const Node& node, const ConfigProblem& where, std::string_view text, TemplatePieces& to);
  /// False: there is too much of it by now.
  bool count(const Node& node, const ConfigProblem& where, std::size_t bytes);

  LoadContext& context_;
  std::set<std::string, std::less<>> known_;  // placeholders, but for pointers
  std::size_t bytes_ = 0;
};

}  // namespace action_triggers::detail
