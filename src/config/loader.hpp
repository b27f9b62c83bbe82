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

/// Throws ConfigError, with the problems in the text's order; `source` names the file, or is empty. `files`: gets those
/// that `${file:…}` read, or should have been, also if this throws.
Config load(std::string_view text, const std::string& source, const BrokerRegistry& registry,
            const ConfigOptions& options, const std::vector<RootSection>& sections = root_sections(),
            std::vector<std::string>* files = nullptr);

/// load_config().
Config load_file(const std::string& path, const BrokerRegistry& registry, const ConfigOptions& options,
                 std::vector<std::string>* files = nullptr);

}  // namespace action_triggers::detail
