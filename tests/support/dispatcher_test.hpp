// SPDX-License-Identifier: MIT
/// A dispatcher whose names are all on one in-memory broker.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "action_triggers/memory.hpp"
#include "action_triggers/testing/in_memory_broker.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "support/registries.hpp"
#include "unit/configs.hpp"

namespace action_triggers::tests {

class DispatcherTest : public ::testing::Test {
 protected:
  TriggerDispatcher& make(std::initializer_list<std::string> names,
                          const std::function<void(BrokerConfig&)>& adjust = {}, DispatcherOptions options = {}) {
    dispatcher_.emplace(config_of(names, adjust), registry_of(memory_->maker()), std::move(options));
    return *dispatcher_;
  }

  const std::shared_ptr<InMemoryBroker> memory_ = std::make_shared<InMemoryBroker>();
  std::optional<TriggerDispatcher> dispatcher_;
};

inline DispatcherOptions hearing_failures(DeliveryCallback callback) {
  DispatcherOptions options;
  options.on_failure = std::move(callback);
  return options;
}

}  // namespace action_triggers::tests
