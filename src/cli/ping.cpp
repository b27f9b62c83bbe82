// SPDX-License-Identifier: MIT
// action-triggers ping: connects, authenticates, and proves that destinations exist.
#include <chrono>
#include <cstdint>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/clock.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "cli/commands.hpp"
#include "cli/load.hpp"
#include "cli/output.hpp"
#include "core/ping_message.hpp"

namespace action_triggers::cli {
namespace {

/// For types that bring no ping of their own: connects, and fires a marked message if asked to.
PingReport ping_through_dispatcher(const Config& all, const std::string& name, const PingOptions& options) {
  Config config;
  config.brokers[name] = all.brokers.at(name);
  TriggerDispatcher dispatcher(std::move(config), BrokerRegistry::builtin());
  if (options.send) {
    Message message;
    message.body = R"({"action_triggers_ping": true})";
    message.headers = {{detail::ping_header, "1"}};
    const Delivery delivery = dispatcher.fire(name, message);
    const DeliveryReport* report = delivery.wait_for(options.timeout);
    if (report == nullptr) return {{StatusCode::timed_out, "the test message was not confirmed in time"}, {}};
    if (!report->status.ok()) return {report->status, {}};
    return {{}, "test message " + report->message_id + " confirmed"};
  }
  const auto deadline = Clock::now() + options.timeout;
  while (dispatcher.stats().brokers.at(name).state != ConnectionState::connected) {
    if (Clock::now() > deadline) return {{StatusCode::unavailable, dispatcher.stats().brokers.at(name).last_error}, {}};
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return {{}, "connected"};
}

nlohmann::json to_json(const BrokerConfig& broker, const PingReport& report) {
  return {{"name", broker.name},
          {"type", broker.broker_type},
          {"status", to_string(report.status.code())},
          {"message", report.status.message()},
          {"detail", report.detail}};
}

void print(const BrokerConfig& broker, const PingReport& report) {
  std::cout << (report.status.ok() ? "ok    " : "FAIL  ") << broker.name << " (" << broker.broker_type
            << "): " << (report.status.ok() ? report.detail : report.status.to_string()) << std::endl;  // as it goes
}

}  // namespace

ExitCode ping(const PingCommandOptions& options) {
  const auto [config, exit_code] = load(options.file, options.json);
  if (!config) return exit_code;
  for (const std::string& name : options.names) {
    if (!has_broker(*config, options.file, name)) return ExitCode::wrong_usage;
  }
  std::vector<std::string> names = options.names;
  if (names.empty()) {
    for (const auto& [name, broker] : config->brokers) names.push_back(name);
  }
  const BrokerRegistry registry = BrokerRegistry::builtin();
  const PingOptions ping_options{
      .timeout = std::chrono::milliseconds(static_cast<std::int64_t>(options.timeout_secs * 1000)),
      .send = options.send};
  bool all_ok = true;
  nlohmann::json results = nlohmann::json::array();
  for (const std::string& name : names) {
    const BrokerConfig& broker = *config->find(name);
    const BrokerType* entry = registry.find(broker.broker_type);
    const PingReport report =
        entry->ping ? entry->ping(broker, ping_options) : ping_through_dispatcher(*config, name, ping_options);
    all_ok = all_ok && report.status.ok();
    if (options.json) {
      results.push_back(to_json(broker, report));
    } else {
      print(broker, report);
    }
  }
  if (options.json) std::cout << dump({{"ok", all_ok}, {"brokers", results}}) << '\n';
  return all_ok ? ExitCode::success : ExitCode::failure;
}

}  // namespace action_triggers::cli
