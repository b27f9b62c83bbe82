// SPDX-License-Identifier: MIT
/// A broker that confirms at once: what is left is the hook's and the lane's own cost.
#pragma once

#include <memory>

#include "action_triggers/action_triggers.hpp"

namespace action_triggers::bench {

class InstantBroker final : public Broker {
 public:
  /// The built-in types, and this one as "none".
  static BrokerRegistry registry() {
    BrokerRegistry registry = BrokerRegistry::builtin();
    registry.add("none", [](const BrokerConfig&) { return std::make_unique<InstantBroker>(); });
    return registry;
  }

  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override {
    for (const OutboundMessage* message : batch) events.complete(*message, Outcome::persisted());
    return batch.size();
  }
};

}  // namespace action_triggers::bench
