// SPDX-License-Identifier: MIT
/// action_triggers: trigger-driven messages to Kafka and RabbitMQ, without blocking the hook and without losing any.
///
///     #include <action_triggers/action_triggers.hpp>
///     namespace at = action_triggers;
///
///     at::TriggerDispatcher dispatcher(at::load_config("brokers.json"));
///     dispatcher.fire("orders", R"({"order": 42})");                              // fire and forget
///     at::Delivery delivery = dispatcher.fire("orders", {.body = "…", .key = "customer-7"});
///     if (!delivery.wait().status.ok()) { … }                                     // or a callback
///
/// The headers, in reading order: config.hpp (with kafka.hpp, rabbitmq.hpp, memory.hpp), message.hpp,
/// trigger_dispatcher.hpp, delivery.hpp, status.hpp, stats.hpp, health.hpp, callback_scope.hpp, commit_scope.hpp;
/// broker.hpp and broker_registry.hpp to add a broker; testing/ to test. Optional: json.hpp, async.hpp,
/// config_watcher.hpp, config_schema.hpp, preview.hpp, prometheus.hpp and prometheus_cpp.hpp. postgresql.hpp and
/// sqlite.hpp have libraries of their own.
#pragma once

#include "action_triggers/broker.hpp"
#include "action_triggers/broker_registry.hpp"
#include "action_triggers/callback_scope.hpp"
#include "action_triggers/commit_scope.hpp"
#include "action_triggers/config.hpp"
#include "action_triggers/delivery.hpp"
#include "action_triggers/health.hpp"
#include "action_triggers/kafka.hpp"
#include "action_triggers/memory.hpp"
#include "action_triggers/message.hpp"
#include "action_triggers/rabbitmq.hpp"
#include "action_triggers/secret.hpp"
#include "action_triggers/stats.hpp"
#include "action_triggers/status.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
