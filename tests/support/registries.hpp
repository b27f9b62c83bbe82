// SPDX-License-Identifier: MIT
/// Registries for tests::config_of(), whose names are all of the type "subject".
#pragma once

#include <memory>
#include <utility>

#include "action_triggers/broker_registry.hpp"

namespace action_triggers::tests {

inline BrokerRegistry registry_of(BrokerRegistry::Make make) {
  BrokerRegistry registry;
  registry.add("subject", std::move(make));
  return registry;
}

/// Each lane gets a broker of its own, made of the same `arguments`.
template <class Subject, class... Arguments>
BrokerRegistry registry_of(Arguments... arguments) {
  return registry_of([arguments...](const BrokerConfig&) { return std::make_unique<Subject>(arguments...); });
}

}  // namespace action_triggers::tests
