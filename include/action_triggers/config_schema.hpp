// SPDX-License-Identifier: MIT
/// Optional: the JSON schema of configuration files, for editors and for checks without this library.
#pragma once

#include <string>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/export.hpp"

namespace action_triggers {

/// The schema (draft-07) as JSON text, UTF-8. It is made of what the registry's types say of their fields
/// (BrokerType::fields); of a type that says nothing, conn_details and params may be any objects.
///
/// What it refuses load_config() refuses too. The reverse does not hold: what two keys together must be like, and what
/// `${…}` stands for, only load_config() knows. Thread-safe as long as nobody changes the registry.
ACTION_TRIGGERS_EXPORT std::string config_schema(const BrokerRegistry& registry);

}  // namespace action_triggers
