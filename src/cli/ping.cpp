#include <algorithm>
#include <iostream>
#include <thread>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "cli/commands.hpp"
#include "cli/output.hpp"

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
    message.headers = {{"action-triggers-ping", "1"}};
    const Delivery delivery = dispatcher.fire(name, message);
    const DeliveryReport* report = delivery.wait_for(options.timeout);
    if (report == nullptr) return {{StatusCode::timed_out, "the test message was not confirmed in time"}, {}};
    return {report->status, "test message " + report->message_id + " confirmed"};
  }
  const auto deadline = Clock::now() + options.timeout;
  while (dispatcher.stats().brokers.at(name).state != ConnectionState::connected) {
    if (Clock::now() > deadline) return {{StatusCode::unavailable, dispatcher.stats().brokers.at(name).last_error}, {}};
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return {{}, "connected"};
}

}  // namespace

int ping(const PingCommandOptions& options) {
  int exit_status = all_well;
  const std::optional<Config> config = load(options.file, options.json, exit_status);
  if (!config) return exit_status;
  std::vector<std::string> names = options.names;
  if (names.empty()) {
    for (const auto& [name, broker] : config->brokers) names.push_back(name);
  }
  for (const std::string& name : names) {
    if (config->find(name) != nullptr) continue;
    std::cerr << options.file << ": there is no broker '" << name << "'; there are:";
    for (const auto& [known, broker] : config->brokers) std::cerr << " " << known;
    std::cerr << '\n';
    return wrong_usage;
  }
  const BrokerRegistry registry = BrokerRegistry::builtin();
  const PingOptions ping_options{
      .timeout = std::chrono::milliseconds(static_cast<std::int64_t>(options.timeout_secs * 1000)),
      .send = options.send};
  nlohmann::json results = nlohmann::json::array();
  for (const std::string& name : names) {
    const BrokerConfig& broker = *config->find(name);
    const BrokerRegistry::Entry* entry = registry.find(broker.broker_type);
    const PingReport report =
        entry->ping ? entry->ping(broker, ping_options) : ping_through_dispatcher(*config, name, ping_options);
    if (!report.status.ok()) exit_status = not_succeeded;
    if (options.json) {
      results.push_back({{"name", name},
                         {"type", broker.broker_type},
                         {"status", to_string(report.status.code())},
                         {"message", report.status.message()},
                         {"detail", report.detail}});
    } else {
      std::cout << (report.status.ok() ? "ok    " : "FAIL  ") << name << " (" << broker.broker_type
                << "): " << (report.status.ok() ? report.detail : report.status.to_string())
                << std::endl;  // as it goes
    }
  }
  if (options.json) std::cout << dump({{"ok", exit_status == all_well}, {"brokers", results}}) << '\n';
  return exit_status;
}

}  // namespace action_triggers::cli
