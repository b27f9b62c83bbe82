// SPDX-License-Identifier: MIT
// action-triggers ping: connects, authenticates, and proves that destinations exist.
#include <algorithm>
#include <chrono>
#include <cstddef>
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

/// Pings the brokers of one file, or those of them that are named; prints as it goes, unless as JSON.
nlohmann::json ping_all(const Config& config, const PingCommandOptions& options, const std::string& before_each) {
  const BrokerRegistry registry = BrokerRegistry::builtin();
  const PingOptions ping_options{
      .timeout = std::chrono::milliseconds(static_cast<std::int64_t>(options.timeout_secs * 1000)),
      .send = options.send};
  bool all_ok = true;
  nlohmann::json results = nlohmann::json::array();
  const std::vector<std::string>& only = options.names;
  for (const auto& [name, broker] : config.brokers) {
    if (!only.empty() && std::find(only.begin(), only.end(), name) == only.end()) continue;
    const BrokerType* entry = registry.find(broker->broker_type);
    const PingReport report =
        entry->ping ? entry->ping(*broker, ping_options) : ping_through_dispatcher(config, name, ping_options);
    all_ok = all_ok && report.status.ok();
    results.push_back(to_json(*broker, report));
    if (options.json) continue;
    std::cout << before_each;
    print(*broker, report);
  }
  return {{"ok", all_ok}, {"brokers", results}};
}

/// Whether the words are meant as the command takes them; if not, says so. `known`: every broker of the files.
bool are_understood(const PingCommandOptions& options, const std::vector<Loaded>& loaded, const Names& known) {
  for (std::size_t i = 0; i < loaded.size(); ++i) {
    if (loaded[i].unreadable.empty() || !known.contains(options.files[i])) continue;
    std::cerr << options.files[i] << ": there is no such file; to ping one broker, write --only " << options.files[i]
              << '\n';
    return false;
  }
  for (const std::string& name : options.names) {
    if (known.contains(name)) continue;
    report_no_broker(options.files.size() == 1 ? name_of(options.files.front()) : "the files", name, known);
    return false;
  }
  return true;
}

}  // namespace

ExitCode ping(const PingCommandOptions& options) {
  std::vector<Loaded> loaded;
  for (const std::string& file : options.files) loaded.push_back(read_config(file));
  Names known;
  for (const Loaded& one : loaded) {
    if (one.config) known.merge(names_in(*one.config));
  }
  if (!known.empty() && !are_understood(options, loaded, known)) return ExitCode::wrong_usage;
  ExitCode worst = ExitCode::success;
  nlohmann::json all = nlohmann::json::array();
  for (std::size_t i = 0; i < loaded.size(); ++i) {
    const std::string& file = options.files[i];
    if (loaded[i].config) {
      all.push_back(ping_all(*loaded[i].config, options, loaded.size() == 1 ? "" : name_of(file) + ": "));
      if (!all.back()["ok"]) worst = std::max(worst, ExitCode::failure);
      continue;
    }
    worst = std::max(worst, exit_code_of(loaded[i]));
    all.push_back(to_json(*loaded[i].error));
    if (!options.json) print_problems(file, loaded[i]);
  }
  if (options.json) print_json(options.files, std::move(all), worst);
  return worst;
}

}  // namespace action_triggers::cli
