// SPDX-License-Identifier: MIT
// The one list of backends. What else a backend is stands in its folder; see docs/adding-a-broker.md.
#include "action_triggers/broker_registry.hpp"

// clang-format off
#define ACTION_TRIGGERS_BACKENDS(backend) \
  backend(kafka) \
  backend(rabbitmq) \
  backend(memory)
// clang-format on

namespace action_triggers {
namespace detail {

// Each defined in brokers/<backend>/<backend>_type.cpp.
#define ACTION_TRIGGERS_DECLARE(backend) BrokerType backend##_type();
ACTION_TRIGGERS_BACKENDS(ACTION_TRIGGERS_DECLARE)

}  // namespace detail

BrokerRegistry BrokerRegistry::builtin() {
  BrokerRegistry registry;
#define ACTION_TRIGGERS_ADD(backend) registry.add(detail::backend##_type());
  ACTION_TRIGGERS_BACKENDS(ACTION_TRIGGERS_ADD)
  return registry;
}

}  // namespace action_triggers
