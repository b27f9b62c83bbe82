// SPDX-License-Identifier: MIT
// What destinations in trouble cost the healthy ones beside them, on one connection to RabbitMQ. bench/neighbours.py
// brings the trouble about, and compares.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "action_triggers/action_triggers.hpp"
#include "measure.hpp"

using namespace action_triggers::bench;
namespace at = action_triggers;

namespace {

constexpr std::size_t healthy = 10;
constexpr auto pause = std::chrono::milliseconds(1);  // between two fires of each kind

std::string destination(const Options& options, const std::string& name, const std::string& params) {
  return "\"" + name + R"(": {"broker_type": "rabbitmq", "conn_details": {"host": ")" + options.host() +
         R"(", "port": )" + std::to_string(options.port()) + R"(}, "params": {)" + params + "}}";
}

/// In trouble: what is named after the work, `names` of them.
std::string params_in_trouble(const Options& options, std::size_t i) {
  const std::string queue = R"("queue": ")" + options.destination + "\"";
  if (options.work == "undeclared") return queue + R"(, "declare": {"durable": true})";
  if (options.work == "missing") return R"("exchange": "missing-)" + std::to_string(i) + R"(", "routing_key": "k")";
  return queue;
}

at::Config config_of(const Options& options) {
  std::string brokers;
  for (std::size_t i = 0; i < healthy; ++i) {
    const std::string name = "healthy-" + std::to_string(i);
    brokers += destination(options, name, R"("queue": ")" + name + R"(", "declare": {"durable": true})") + ",";
  }
  for (std::size_t i = 0; i < options.names; ++i) {
    brokers += destination(options, "trouble-" + std::to_string(i), params_in_trouble(options, i)) +
               (i + 1 < options.names ? "," : "");
  }
  return at::parse_config(R"({"brokers": {)" + brokers + "}}");
}

/// From fire to report, of one message after the other at the healthy destinations, in ns, sorted.
std::vector<std::uint32_t> latencies(at::TriggerDispatcher& dispatcher, const Options& options) {
  const std::string body(options.size, 'x');
  std::vector<std::uint32_t> all;
  auto next = Clock::now();
  const auto end = next + std::chrono::duration<double>(options.seconds);
  for (std::size_t i = 0; Clock::now() < end; ++i) {
    const at::Delivery delivery = dispatcher.fire("healthy-" + std::to_string(i % healthy), body);
    const at::DeliveryReport& report = delivery.wait();
    if (!report.status.ok()) throw std::runtime_error("a healthy destination: " + report.status.to_string());
    all.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>(report.latency.count(), UINT32_MAX)));
    std::this_thread::sleep_until(next += pause);
  }
  std::sort(all.begin(), all.end());
  return all;
}

nlohmann::json measure(const Options& options) {
  at::TriggerDispatcher dispatcher(config_of(options));
  if (dispatcher.stats().lanes != 1) throw std::runtime_error("not one connection");
  for (std::size_t i = 0; i < healthy; ++i) dispatcher.fire("healthy-" + std::to_string(i), "first").wait();
  const auto usual = latencies(dispatcher, options);
  std::jthread trouble([&](const std::stop_token& stop) {
    auto next = Clock::now();
    for (std::size_t i = 0; !stop.stop_requested(); ++i) {
      dispatcher.fire("trouble-" + std::to_string(i % options.names), "x");
      std::this_thread::sleep_until(next += pause);
    }
  });
  const auto beside = latencies(dispatcher, options);
  trouble.request_stop();
  trouble.join();
  std::uint64_t ok = 0;
  for (std::size_t i = 0; i < options.names; ++i) {
    ok += dispatcher.stats().brokers.at("trouble-" + std::to_string(i)).delivered;
  }
  if (ok > 0) throw std::runtime_error("the destinations in trouble are well");
  dispatcher.close(std::chrono::seconds(0));
  return {{"usual", quantiles(usual)}, {"beside", quantiles(beside)}};
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse(argc, argv, "What destinations in trouble cost the healthy ones on their connection.",
                                  {{"silent", "DESTINATION is a queue that confirms nothing"},
                                   {"undeclared", "declaring the queue DESTINATION is never answered"},
                                   {"missing", "NAMES exchanges that do not exist"}});
    return report(options, "ours", measure(options));
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
