// SPDX-License-Identifier: MIT
/// A condition from the text of its `when`, and whether a payload matches it.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "config/json_parser.hpp"
#include "config/load_context.hpp"
#include "triggers/condition.hpp"
#include "triggers/condition_reader.hpp"
#include "triggers/payload_json.hpp"

namespace action_triggers::tests {

/// What the text of a `when` comes to. `text` must stay until read() was called.
class ConditionText {
 public:
  explicit ConditionText(std::string_view text) : context_(text, registry_, options_) {
    when_ = detail::parse_document(text, context_.positions, context_.findings.problems);
    if (context_.findings.problems.empty()) {
      condition = detail::read_condition(context_, when_, {.key = "when", .pointer = "/when"});
    }
  }

  [[nodiscard]] const std::vector<ConfigProblem>& problems() const { return context_.findings.problems; }

  std::optional<detail::Condition> condition{};

 private:
  const BrokerRegistry registry_{};
  const ConfigOptions options_{};
  detail::LoadContext context_;
  detail::Node when_;
};

inline detail::Condition condition_of(std::string_view text) {
  ConditionText read(text);
  if (!read.condition) {
    throw std::runtime_error(std::string(text) + ": " +
                             (read.problems().empty() ? "no condition" : read.problems().front().text));
  }
  return std::move(*read.condition);
}

inline bool matches(const detail::Condition& condition, std::string_view payload) {
  detail::PayloadJson json;
  if (!json.read(payload)) throw std::runtime_error(std::string(payload) + ": " + json.error().text);
  return condition.matches(json.root());
}

inline std::string why_not(const detail::Condition& condition, std::string_view payload) {
  detail::PayloadJson json;
  if (!json.read(payload)) throw std::runtime_error(std::string(payload) + ": " + json.error().text);
  return condition.why_not(json.root());
}

}  // namespace action_triggers::tests
