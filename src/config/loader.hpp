// SPDX-License-Identifier: MIT
/// From text to a Config, or to every problem of the text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"
#include "config/root_section.hpp"

namespace action_triggers::detail {

/// Throws ConfigError, with the problems in the text's order; `source` names the file, or is empty.
Config load(std::string_view text, const std::string& source, const BrokerRegistry& registry,
            const ConfigOptions& options, const std::vector<RootSection>& sections = root_sections());

}  // namespace action_triggers::detail
