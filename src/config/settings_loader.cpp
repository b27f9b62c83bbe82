// SPDX-License-Identifier: MIT
// The keys of `settings`.
#include "config/settings_loader.hpp"

#include <chrono>
#include <cstdint>
#include <string>

#include "config/field_table.hpp"

namespace action_triggers::detail {
namespace {

void read_settings(ConfigSection& section, Settings& settings) {
  const FieldInfo timeout{.section = {},
                          .key = "max_broker_timeout",
                          .aliases = {"MAX_BROKER_TIMEOUT"},  // as the reference writes it
                          .type = {},
                          .default_value = {},
                          .description = {},
                          .required = false,
                          .values = {}};
  if (const auto seconds = read_seconds(section, spelling_of(timeout, section))) settings.max_broker_timeout = *seconds;
  settings.require_tls = section.boolean("require_tls").value_or(settings.require_tls);
}

}  // namespace

RootSection settings_section() {
  return {.key = "settings",
          .aliases = {},
          .order = 0,
          .missing = {},
          .read = [](LoadContext& context, Member& member, const std::string& pointer) {
            context.read_section(member, pointer,
                                 [&](ConfigSection& section) { read_settings(section, context.config.settings); });
          }};
}

}  // namespace action_triggers::detail
