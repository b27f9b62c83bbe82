// SPDX-License-Identifier: MIT
/// A target's `body`: JSON, or a text, with placeholders.
#pragma once

#include <string>

#include "triggers/template_reader.hpp"
#include "triggers/template_renderer.hpp"

namespace action_triggers::detail {

/// An object, list, number, boolean or null becomes JSON without blanks: valid JSON whatever the event holds, if
/// rendering succeeds. A string that is one placeholder becomes the value with its type and its digits. A body that is
/// itself a string is a text: what it becomes stands in no quotes.
///
/// Threads: any, at once.
class BodyTemplate {
 public:
  BodyTemplate() = default;  ///< The empty text.
  /// Of any value of the configuration; what is wrong with it becomes a problem of `where`.
  BodyTemplate(TemplateReader& reader, const Node& node, const ConfigProblem& where);

  /// False: a text.
  [[nodiscard]] bool is_json() const noexcept { return is_json_; }
  [[nodiscard]] bool needs_json() const noexcept { return detail::needs_json(pieces_); }
  /// As detail::render.
  bool render(EventView& event, std::string& to, std::string& error) const {
    return detail::render(pieces_, event, to, error);
  }

 private:
  TemplatePieces pieces_;
  bool is_json_ = false;
};

}  // namespace action_triggers::detail
