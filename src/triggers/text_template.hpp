// SPDX-License-Identifier: MIT
/// A text with placeholders: a target's key, a header's value, a content type.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "triggers/template_reader.hpp"
#include "triggers/template_renderer.hpp"

namespace action_triggers::detail {

/// Threads: any, at once.
class TextTemplate {
 public:
  TextTemplate() = default;  ///< The empty text.
  /// From a string of the configuration; what is wrong with it becomes a problem of `where`.
  TextTemplate(TemplateReader& reader, const Node& node, const ConfigProblem& where);

  [[nodiscard]] bool needs_json() const noexcept { return detail::needs_json(pieces_); }
  /// The text of a template without placeholders; nullptr: it has some.
  [[nodiscard]] const std::string* constant() const noexcept;
  /// As detail::render.
  bool render(EventView& event, std::string& to, std::string& error) const {
    return detail::render(pieces_, event, to, error);
  }

 private:
  TemplatePieces pieces_{TemplatePiece()};
};

}  // namespace action_triggers::detail
