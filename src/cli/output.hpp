// SPDX-License-Identifier: MIT
/// Results as JSON and as text.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "action_triggers/config.hpp"
#include "action_triggers/delivery.hpp"
#include "cli/exit_code.hpp"

namespace action_triggers::cli {

nlohmann::json to_json(const ConfigProblem& problem);
nlohmann::json to_json(const ConfigError& error);
nlohmann::json to_json(const DeliveryReport& report);

/// What a command found in each of the files; of a single one without its name.
void print_json(const std::vector<std::string>& files, nlohmann::json results, ExitCode exit_code);

/// Compact, whatever bytes the strings contain.
std::string dump(const nlohmann::json& value);

std::string milliseconds_text(std::chrono::nanoseconds time);

}  // namespace action_triggers::cli
