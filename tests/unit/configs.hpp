// SPDX-License-Identifier: MIT
/// Configurations made by hand, for tests that are not about the loader.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "action_triggers/config.hpp"

namespace action_triggers::tests {

/// Names of type "subject" on one connection.
inline Config config_of(std::initializer_list<std::string> names,
                        const std::function<void(BrokerConfig&)>& adjust = {}) {
  Config config;
  for (const std::string& name : names) {
    auto broker = std::make_shared<BrokerConfig>();
    broker->name = name;
    broker->broker_type = "subject";
    broker->connection_key = "shared";
    broker->retry.initial_backoff = std::chrono::milliseconds(1);
    broker->retry.max_backoff = std::chrono::milliseconds(5);
    if (adjust) adjust(*broker);
    config.brokers.emplace(name, std::move(broker));
  }
  return config;
}

}  // namespace action_triggers::tests
