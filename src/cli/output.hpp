#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "action_triggers/config.hpp"
#include "action_triggers/delivery.hpp"

namespace action_triggers::cli {

/// Loads a file, or says what is wrong with it (as a compiler does, or as JSON) and sets `exit_status`.
std::optional<Config> load(const std::string& file, bool json, int& exit_status);

/// file:line:column: error: broker.section.key: text
std::string line_of(const std::string& file, const char* severity, const ConfigProblem& problem);
nlohmann::json to_json(const ConfigProblem& problem);
nlohmann::json to_json(const DeliveryReport& report);

/// Compact, whatever bytes the strings contain.
std::string dump(const nlohmann::json& value);

std::string milliseconds_text(std::chrono::nanoseconds time);

}  // namespace action_triggers::cli
