// SPDX-License-Identifier: MIT
/// A broker type of the application's own: each message becomes an entry of a Redis stream.
///
///     at::BrokerRegistry registry = at::BrokerRegistry::builtin().add(redis_streams_type());
///     at::TriggerDispatcher dispatcher(at::load_config("brokers.json", registry), registry);
#pragma once

#include <action_triggers/broker_type.hpp>

/// The type "redis_streams". Its keys are in README.md.
action_triggers::BrokerType redis_streams_type();
