// SPDX-License-Identifier: MIT
/// From a payload of django-action-triggers, which is a Django template, to the body of a target.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace action_triggers::cli {

struct DatPayload {
  nlohmann::ordered_json body;       // null: none, the event's payload is sent as it is
  std::vector<std::string> notes;    // where the body is not quite the same
  std::vector<std::string> missing;  // what has no equivalent here; the body is of no use then
};

/// The event's payload is what the package makes of an instance without a template: its fields, as Django's serializer
/// writes them. `{{ instance.number }}` becomes `{{ /number:- }}`.
DatPayload convert_dat_payload(const nlohmann::ordered_json& payload);

}  // namespace action_triggers::cli
