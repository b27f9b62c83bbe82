// SPDX-License-Identifier: MIT
/// What the tests of templates share: a template from a configuration's text, and what it makes of an event.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"
#include "action_triggers/message.hpp"
#include "config/json_parser.hpp"
#include "config/load_context.hpp"
#include "triggers/event_view.hpp"
#include "triggers/template_reader.hpp"

namespace action_triggers::tests {

/// The template of a whole text, as if the text were the value of a configuration's field `field` at "/t".
template <class Template>
class LoadedTemplate {
 public:
  explicit LoadedTemplate(std::string json, ConfigOptions options = {})
      : text_(std::move(json)), options_(std::move(options)), context_(text_, registry_, options_) {
    const detail::Node node = detail::parse_document(text_, context_.positions, context_.findings.problems);
    detail::TemplateReader reader(context_);
    template_ = Template(reader, node, {.key = "field", .pointer = "/t"});
  }

  [[nodiscard]] const Template& get() const { return template_; }
  [[nodiscard]] const std::vector<ConfigProblem>& warnings() const { return context_.findings.warnings; }
  /// "line:column key pointer: text".
  [[nodiscard]] std::vector<std::string> problems() const {
    std::vector<std::string> result;
    for (const ConfigProblem& problem : context_.findings.problems) {
      result.push_back(std::to_string(problem.line) + ":" + std::to_string(problem.column) + " " + problem.key + " " +
                       problem.pointer + ": " + problem.text);
    }
    return result;
  }

  /// What it becomes, or "error: " and why not.
  [[nodiscard]] std::string render(const detail::EventParts& parts) const {
    if (!context_.findings.problems.empty()) return "problem: " + problems().front();
    detail::PayloadJson json;
    detail::EventView event(parts, json);
    std::string result;
    std::string error;
    return template_.render(event, result, error) ? result : "error: " + error;
  }
  [[nodiscard]] std::string render(const std::string& payload = "{}", const Message& message = {}) const {
    using namespace std::chrono_literals;
    return render({.name = "order.paid",
                   .id = "0190-id",
                   .time = std::chrono::sys_time<std::chrono::milliseconds>(1764158706007ms),
                   .body = payload,
                   .message = &message});
  }

 private:
  const std::string text_;
  const ConfigOptions options_;
  const BrokerRegistry registry_;
  detail::LoadContext context_;
  Template template_;
};

}  // namespace action_triggers::tests
