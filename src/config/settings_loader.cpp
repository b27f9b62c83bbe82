// SPDX-License-Identifier: MIT
// The keys of `settings`.
#include "config/settings_loader.hpp"

#include "config/field_table.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::string_view in_settings = "settings";

const FieldTable<Settings>& fields() {
  static const FieldTable<Settings> table{
      custom_field<Settings>(in_settings, "max_broker_timeout", "float", "0.001 to 31536000", "",
                             "Seconds: caps every `timeout_secs`, and is that of destinations that have none.",
                             [](ConfigSection& from, std::string_view key, Settings& settings) {
                               if (const auto seconds = read_seconds(from, key)) settings.max_broker_timeout = *seconds;
                             })
          .alias("MAX_BROKER_TIMEOUT"),  // as the reference writes it
      flag_field<Settings>(in_settings, "require_tls", &Settings::require_tls, "false",
                           "true: plaintext to a host other than loopback is an error, not a warning."),
  };
  return table;
}

void read_settings(ConfigSection& section, Settings& settings) {
  for (const Field<Settings>& field : fields()) {
    const std::string name = spelling_of(field, section);
    if (section.has(name)) field.read(section, name, settings);
  }
}

}  // namespace

std::vector<const FieldInfo*> settings_fields() { return infos(fields()); }

RootSection settings_section() {
  return {.key = "settings",
          .aliases = {},
          .order = 0,
          .missing = {},
          .description = "What holds for all destinations.",
          .fields = settings_fields,
          .read = [](LoadContext& context, Member& member, const std::string& pointer) {
            context.read_section(member, pointer,
                                 [&](ConfigSection& section) { read_settings(section, context.config.settings); });
          }};
}

}  // namespace action_triggers::detail
