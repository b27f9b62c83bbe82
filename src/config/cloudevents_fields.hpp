// SPDX-License-Identifier: MIT
/// The keys of params by which a destination sends CloudEvents: `envelope`, and the attributes in `cloudevents`.
#pragma once

#include <string_view>
#include <vector>

#include "action_triggers/cloudevents.hpp"
#include "action_triggers/config_section.hpp"

namespace action_triggers::detail {

/// For the reference page.
std::vector<const FieldInfo*> cloudevents_fields();

/// Whether it can be the name of an attribute: lower-case letters and digits.
[[nodiscard]] bool is_attribute_name(std::string_view name) noexcept;
/// Whether CloudEvents itself has said what it means: no extension has it, and its value is text.
[[nodiscard]] bool is_reserved_attribute(std::string_view name) noexcept;

/// Reads them. `prefix`: before an attribute's name in a header of this broker type. `content_type`: of messages that
/// bring none.
void read_cloudevents(ConfigSection& params, std::string_view prefix, std::string_view content_type,
                      CloudEventsSupport& to);

}  // namespace action_triggers::detail
