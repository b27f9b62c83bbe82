// SPDX-License-Identifier: MIT
// What config.hpp declares.
#include "action_triggers/config.hpp"

#include <map>
#include <utility>

#include "config/document.hpp"
#include "config/loader.hpp"
#include "config/problem_line.hpp"

namespace action_triggers {
namespace {

std::string describe(const std::string& source, const std::vector<ConfigProblem>& problems) {
  std::string text;
  for (const ConfigProblem& problem : problems) {
    text += (text.empty() ? "" : "\n") + detail::problem_line(source, "", problem);
  }
  return text;
}

}  // namespace

ConfigError::ConfigError(const std::string& source, std::vector<ConfigProblem> problems)
    : std::runtime_error(describe(source, problems)),
      problems_(std::make_shared<const std::vector<ConfigProblem>>(std::move(problems))) {}

std::string ConfigError::to_json() const {
  using Texts = std::vector<std::string>;
  std::map<std::string, std::map<std::string, std::map<std::string, Texts>>> grouped;
  for (const ConfigProblem& problem : *problems_) {
    const std::string section = problem.section == "conn_details" ? "connection_params" : problem.section;
    grouped[problem.broker][section][problem.key].push_back(problem.text);
  }
  const auto object = [](const auto& map, const auto& value_text) {
    std::string text = "{";
    for (const auto& [key, value] : map) {
      text += (text.size() > 1 ? "," : "") + detail::quote_json(key) + ":" + value_text(value);
    }
    return text + "}";
  };
  const auto list = [](const Texts& texts) {
    std::string text = "[";
    for (const std::string& item : texts) text += (text.size() > 1 ? "," : "") + detail::quote_json(item);
    return text + "]";
  };
  return object(grouped, [&](const auto& sections) {
    return object(sections, [&](const auto& keys) { return object(keys, list); });
  });
}

const BrokerConfig* Config::find(std::string_view name) const noexcept {
  const auto found = brokers.find(name);
  return found == brokers.end() ? nullptr : found->second.get();
}

Config parse_config(std::string_view text, const BrokerRegistry& registry, const ConfigOptions& options) {
  return detail::load(text, {}, registry, options);
}

Config parse_config(std::string_view text) { return parse_config(text, BrokerRegistry::builtin()); }

Config load_config(const std::string& path, const BrokerRegistry& registry, const ConfigOptions& options) {
  return detail::load_file(path, registry, options);
}

Config load_config(const std::string& path) { return load_config(path, BrokerRegistry::builtin()); }

}  // namespace action_triggers
