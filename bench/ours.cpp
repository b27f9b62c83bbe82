// SPDX-License-Identifier: MIT
// action_triggers as applications use it: fire() with a callback for every report, defaults for the rest.
#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

#include "action_triggers/action_triggers.hpp"
#include "instant_broker.hpp"
#include "measure.hpp"
#include "support/mock_cluster.hpp"

using namespace action_triggers::bench;
namespace at = action_triggers;

namespace {

std::vector<std::string> names_of(const Options& options) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < options.names; ++i) names.push_back("broker-" + std::to_string(i));
  return names;
}

at::Config config_of(const Options& options, const std::string& bootstrap, const at::BrokerRegistry& registry) {
  nlohmann::json brokers;
  for (const std::string& name : names_of(options)) {
    nlohmann::json& broker = brokers[name];
    broker["broker_type"] = options.broker_type;
    nlohmann::json& params = broker["params"];
    // Room for everything, and a hook that waits rather than fails where there is none.
    params["max_queued_messages"] =
        options.work == "throughput" ? std::max<std::size_t>(100'000, options.in_flight) : 4'000'000;
    params["max_queued_bytes"] = 2'000'000'000;
    params["timeout_secs"] = 300;
    params["overflow"] = "block";
    params["max_block_ms"] = 60'000;
    if (options.broker_type == "kafka") {
      broker["conn_details"] = {{"bootstrap_servers", bootstrap}, {"linger_ms", options.linger_ms}};
      params["topic"] = options.destination;
      if (!options.with_id) params["message_id_header"] = nullptr;
    } else if (options.broker_type == "rabbitmq") {
      broker["conn_details"] = {{"host", options.host()}, {"port", options.port()}};
      params["queue"] = options.destination;
    }
    if (options.in_flight != 0) params["max_in_flight"] = options.in_flight;
  }
  return at::parse_config(nlohmann::json{{"brokers", brokers}}.dump(), registry);
}

class Reports {
 public:
  at::DeliveryCallback callback() {
    return [this](const at::DeliveryReport& report) {
      (report.status.ok() ? ok_ : failed_).fetch_add(1, std::memory_order_release);
    };
  }
  [[nodiscard]] std::size_t ok() const {
    if (failed_ > 0) throw std::runtime_error("messages failed");
    return ok_.load(std::memory_order_acquire);
  }
  /// The same, after a moment in which more may come.
  [[nodiscard]] std::size_t look() const {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    return ok();
  }

 private:
  std::atomic<std::size_t> ok_{0};
  std::atomic<std::size_t> failed_{0};
};

/// What a queued message costs beyond its body. Nobody listens.
nlohmann::json memory(const Options& options, at::TriggerDispatcher& dispatcher,
                      const std::function<void(std::size_t)>& fire) {
  const std::size_t before = resident_bytes();
  for (std::size_t i = 0; i < options.count; ++i) fire(i);
  std::this_thread::sleep_for(std::chrono::seconds(1));  // until the lane has all of it
  const double each = double(resident_bytes() - before) / double(options.count);
  dispatcher.close(std::chrono::seconds(0));
  return {{"bytes_per_message", each}, {"over_the_body", each - double(options.size)}};
}

nlohmann::json measure(const Options& options, const std::string& bootstrap,
                       std::optional<action_triggers::tests::MockCluster>& mock, const Stopwatch& since_start) {
  if (options.work == "clock") return quantiles(time_each(1, options.count, 0, [](std::size_t) {}));
  const at::BrokerRegistry registry = at::bench::InstantBroker::registry();
  const std::vector<std::string> names = names_of(options);
  const std::string body(options.size, 'x');
  Reports reports;
  at::TriggerDispatcher dispatcher(config_of(options, bootstrap, registry), registry);
  const auto fire = [&](std::size_t i) { dispatcher.fire(names[i % names.size()], body); };
  const auto fire_and_hear = [&](std::size_t i) { dispatcher.fire(names[i % names.size()], body, reports.callback()); };
  const auto fire_and_wait = [&](std::size_t i) {
    const at::Delivery delivery = dispatcher.fire(names[i % names.size()], body);
    if (!delivery.wait().status.ok()) throw std::runtime_error(delivery.wait().status.to_string());
  };
  const auto flush = [&] {
    if (!dispatcher.flush(std::chrono::minutes(5))) throw std::runtime_error("not everything got through");
  };
  if (options.work == "memory") return memory(options, dispatcher, fire);
  fire_and_wait(0);
  if (options.work == "first") return {{"seconds", since_start.seconds()}};
  if (options.work == "throughput" || options.work == "burst") {
    const Stopwatch watch;
    if (options.threads == 1) {
      for (std::size_t i = 0; i < options.count; ++i) fire_and_hear(i);
    } else {
      time_each(options.threads, options.count, 0, fire_and_hear);
    }
    flush();
    if (reports.ok() != options.count) throw std::runtime_error("reports are missing");
    return rates(options.count, watch);
  }
  if (options.work == "backlog") {
    return queue_and_drain(options, {[&](auto time) { mock.value().set_round_trip(time); }, fire_and_hear,
                                     [&] { return reports.look(); }});
  }
  if (options.work == "latency") {
    return quantiles(time_each(1, options.count, 0, fire_and_wait));
  }
  if (options.work == "hook" || options.work == "paced") {
    const auto times = time_each(options.threads, options.count, options.work == "paced" ? options.rate : 0, fire);
    flush();
    return quantiles(times);
  }
  return idle(options);
}

}  // namespace

int main(int argc, char** argv) {
  const Stopwatch since_start;
  Works works = common_works;
  works.emplace_back("clock", "time each call of nothing");
  works.emplace_back("memory", "what a queued message costs while the broker is away");
  const Options options = parse(argc, argv, "Measures action_triggers.", works);
  try {
    std::optional<action_triggers::tests::MockCluster> mock;
    if (options.broker == "mock") mock.emplace().create_topic(options.destination);
    return report(options, "action_triggers",
                  measure(options, mock ? mock->bootstrap() : options.broker, mock, since_start));
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
