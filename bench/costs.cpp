// SPDX-License-Identifier: MIT
// Costs that grew with something they have nothing to do with, once each. bench/costs.py compares and has the goals.
#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <latch>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "action_triggers/action_triggers.hpp"
#include "measure.hpp"

using namespace action_triggers::bench;
namespace at = action_triggers;

namespace {

/// Confirms at most `at_once` messages each `period`.
class SlowBroker final : public at::Broker {
 public:
  SlowBroker(std::chrono::microseconds period, std::size_t at_once) : period_(period), at_once_(at_once) {}

  std::size_t send(std::span<const at::OutboundMessage* const> batch, at::BrokerEvents& events) override {
    if (held_.empty()) next_ = events.now() + period_;
    held_.insert(held_.end(), batch.begin(), batch.end());
    return batch.size();
  }
  void poll(at::BrokerEvents& events) override {
    if (held_.empty() || events.now() < next_) return;
    next_ = events.now() + period_;
    for (std::size_t i = 0; i < at_once_ && !held_.empty(); ++i) {
      const at::OutboundMessage* message = held_.front();
      held_.pop_front();
      events.complete(*message, at::Outcome::persisted());
    }
  }
  [[nodiscard]] at::WaitRequest wait_request() const override {
    at::WaitRequest request;
    if (!held_.empty()) request.at = next_;
    return request;
  }

 private:
  std::chrono::microseconds period_;
  std::size_t at_once_;
  std::deque<const at::OutboundMessage*> held_;
  at::TimePoint next_{};
};

/// Confirms what goes to "good" at once, and refuses everything else.
class RefusingBroker final : public at::Broker {
 public:
  std::size_t send(std::span<const at::OutboundMessage* const> batch, at::BrokerEvents& events) override {
    for (const at::OutboundMessage* message : batch) {
      const bool good = message->destination().name == "good";
      events.complete(*message,
                      good ? at::Outcome::persisted() : at::Outcome::failed({at::StatusCode::rejected, "no"}));
    }
    return batch.size();
  }
};

at::BrokerRegistry registry_of(const at::BrokerRegistry::Make& make) {
  at::BrokerRegistry registry;
  registry.add("memory", make);
  return registry;
}

/// Adds a destination to the one connection of the configuration.
at::MemoryConfig& add(at::Config& config, const std::string& name) {
  const auto added = std::make_shared<at::MemoryConfig>();
  added->name = name;
  added->broker_type = "memory";
  added->connection_key = "the same";
  added->timeout = std::chrono::hours(1);
  config.brokers[name] = added;
  return *added;
}

void sleep_for(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

/// Calls `call` from many threads, over and over, and measures the middle of it: what one call costs.
nlohmann::json cost_of_a_call(const Options& options, const std::function<void()>& call) {
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> calls{0};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < options.threads; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        call();
        calls.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  sleep_for(0.3);
  const std::size_t before = calls;
  const Stopwatch watch;
  sleep_for(options.seconds);
  nlohmann::json result = rates(std::max<std::size_t>(calls - before, 1), watch);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  return result;
}

/// Threads that each fire and wait, with a broker that confirms after two milliseconds.
nlohmann::json waiters(const Options& options) {
  at::Config config;
  add(config, "one");
  at::TriggerDispatcher dispatcher(config, registry_of([](const at::BrokerConfig&) {
                                     return std::make_unique<SlowBroker>(std::chrono::milliseconds(2),
                                                                         std::size_t{1'000'000});
                                   }));
  return cost_of_a_call(options, [&] { dispatcher.fire("one", "x").wait(); });
}

/// Threads that wait in fire() for capacity, which comes 50 messages at a time, beside options.names - 1 destinations
/// that nobody fires at.
nlohmann::json idle_destination(const Options& options) {
  at::Config config;
  at::MemoryConfig& busy = add(config, "busy");
  busy.overflow = at::Overflow::block;
  busy.max_block = std::chrono::hours(1);
  busy.max_queued_messages = 10'000;
  for (std::size_t i = 1; i < options.names; ++i) add(config, "idle-" + std::to_string(i));
  at::TriggerDispatcher dispatcher(config, registry_of([](const at::BrokerConfig&) {
                                     return std::make_unique<SlowBroker>(std::chrono::microseconds(200),
                                                                         std::size_t{50});
                                   }));
  return cost_of_a_call(options, [&] { dispatcher.fire("busy", "x"); });
}

/// A connection that takes nothing, a backlog of 300 messages for each destination, and options.rate fires a second.
nlohmann::json blocked(const Options& options) {
  constexpr int backlog = 300;
  at::InMemoryBroker broker;
  at::Config config;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < options.names; ++i) add(config, names.emplace_back("name-" + std::to_string(i)));
  at::TriggerDispatcher dispatcher(config, registry_of(broker.maker()));
  dispatcher.fire(names[0], "x").wait();
  broker.block();
  for (int round = 0; round < backlog; ++round) {
    for (const std::string& name : names) dispatcher.fire(name, "x");
  }
  sleep_for(0.5);  // until the lane has all of it
  const Stopwatch watch;
  const auto fires = static_cast<std::size_t>(options.seconds * double(options.rate));
  time_each(1, fires, options.rate, [&](std::size_t) { dispatcher.fire(names[0], "x"); });
  const double percent = watch.cpu_seconds() / watch.seconds() * 100;
  dispatcher.close(std::chrono::seconds(0));
  return {{"cpu_percent", percent}};
}

/// A message of a healthy destination beside options.names others, which are all paused.
nlohmann::json paused(const Options& options) {
  at::Config config;
  add(config, "good");
  std::vector<std::string> names;
  for (std::size_t i = 0; i < options.names; ++i) {
    at::MemoryConfig& bad = add(config, names.emplace_back("bad-" + std::to_string(i)));
    bad.retry.initial_backoff = bad.retry.max_backoff = std::chrono::hours(1);
  }
  const Stopwatch since_start;
  at::TriggerDispatcher dispatcher(
      config, registry_of([](const at::BrokerConfig&) { return std::make_unique<RefusingBroker>(); }));
  const double start = since_start.seconds();
  for (const std::string& name : names) dispatcher.fire(name, "x");
  sleep_for(0.3);  // until they are paused
  nlohmann::json result = cost_of_a_call(options, [&] { dispatcher.fire("good", "x").wait(); });
  const Stopwatch since_end;
  dispatcher.close(std::chrono::seconds(0));
  result["start_seconds"] = start;
  result["close_seconds"] = since_end.seconds();
  return result;
}

/// What resident memory grows by when threads fire options.count messages each of several sizes, one thread after the
/// other, and then live on without firing. With a count of 0: what the threads themselves take.
nlohmann::json idle_threads(const Options& options) {
  at::Config config;
  add(config, "one");
  at::TriggerDispatcher dispatcher(config, registry_of([](const at::BrokerConfig&) {
                                     return std::make_unique<SlowBroker>(std::chrono::microseconds(0),
                                                                         std::size_t{1'000'000});
                                   }));
  std::vector<std::string> bodies;  // made here, so that the threads allocate nothing themselves
  for (const std::size_t size : {10U, 600U, 1'500U, 3'500U}) bodies.emplace_back(size, 'x');
  std::latch end(1);
  std::vector<std::thread> threads;
  const std::size_t before = resident_bytes();
  for (std::size_t i = 0; i < options.threads; ++i) {
    std::latch fired(1);
    threads.emplace_back([&] {
      for (std::size_t k = 0; k < options.count; ++k) {
        for (const std::string& body : bodies) dispatcher.fire("one", body);
      }
      fired.count_down();
      end.wait();
    });
    fired.wait();
    dispatcher.flush(std::chrono::minutes(1));
  }
  const double grown = double(resident_bytes()) - double(before);
  end.count_down();
  for (std::thread& thread : threads) thread.join();
  return {{"bytes", grown}};
}

/// Configurations of `bytes` bytes at most, each full of one kind of mistake: what it is -> the text.
std::map<std::string, std::string> mistaken(std::size_t bytes) {
  const auto filled = [&](const std::string& before, const std::function<std::string(std::size_t)>& item,
                          const std::string& after) {
    std::string text = before;
    for (std::size_t i = 0;; ++i) {
      const std::string next = (i == 0 ? "" : ",") + item(i);
      if (text.size() + next.size() + after.size() > bytes) return text + after;
      text += next;
    }
  };
  const auto number = [](std::size_t i) { return std::to_string(i); };
  const std::string kafka = R"("broker_type":"kafka","conn_details":{"bootstrap_servers":"h:1")";
  const std::string params = R"({"brokers":{"a":{"broker_type":"memory","params":{)";
  const auto field = [](const std::string& key, const std::string& value) { return "\"" + key + "\":" + value; };
  return {
      {"unknown keys", filled(
                           params, [&](std::size_t i) { return field("k" + number(i), "1"); }, "}}}}")},
      {"unknown top-level keys", filled(
                                     "{", [&](std::size_t i) { return field("k" + number(i), "{}"); }, "}")},
      {"keys that look like known ones",
       filled(
           params, [&](std::size_t i) { return field("max_queued_mesages" + number(i), "1"); }, "}}}}")},
      {"one key over and over", filled(
                                    params, [&](std::size_t) { return field("topic", "1"); }, "}}}}")},
      {"pairs of the same key", filled(
                                    params, [&](std::size_t i) { return field("k" + number(i / 2), "1"); }, "}}}}")},
      {"librdkafka's unknown properties",
       filled(R"({"brokers":{"a":{)" + kafka + ",", [&](std::size_t i) { return field("a.b" + number(i), "1"); },
              R"(},"params":{"topic":"t"}}}})")},
      {"destinations of an unknown type",
       filled(R"({"brokers":{)", [&](std::size_t i) { return field("d" + number(i), R"({"broker_type":"kafkaa"})"); },
              "}}")},
      {"destinations that lack everything",
       filled(R"({"brokers":{)", [&](std::size_t i) { return field("d" + number(i), R"({"broker_type":"kafka"})"); },
              "}}")},
      {"destinations that are no objects",
       filled(R"({"brokers":{)", [&](std::size_t i) { return field("d" + number(i), "1"); }, "}}")},
      {"destinations with one mistake",
       filled(R"({"brokers":{)",
              [&](std::size_t i) {
                return field("d" + number(i), R"({"broker_type":"memory","params":{"timeout_secs":"x"}})");
              },
              "}}")},
      {"lists of the wrong type", filled(R"({"brokers":{"a":{"broker_type":"rabbitmq","conn_details":{"hosts":[)",
                                         [](std::size_t) { return std::string("1"); }, "]}}}}")},
      {"variables that are not set",
       filled(
           params, [&](std::size_t i) { return field("k" + number(i), "\"${NOT_SET_" + number(i) + "}\""); }, "}}}}")},
      {"many unset variables in one text",
       filled(
           params + R"("topic":")", [&](std::size_t i) { return "${NOT_SET_" + number(i) + "}"; }, R"("}}}})")},
      {"unknown names in braces",
       filled(
           params, [&](std::size_t i) { return field("k" + number(i), "\"{{ n" + number(i) + " }}\""); }, "}}}}")},
      {"a long unknown key", params + field(std::string(bytes - 100, 'k'), "1") + "}}}}"},
      {"a long unknown type", R"({"brokers":{"a":{"broker_type":")" + std::string(bytes - 100, 'k') + R"("}}})"},
      {"no end", filled(
                     params, [&](std::size_t i) { return field("k" + number(i), "1"); }, "")},
      {"deep nesting", std::string(bytes, '[')},
      {"no JSON", std::string(bytes, '}')},
      {"only comments", filled(
                            "", [](std::size_t) { return std::string("/**/#\n"); }, "")},
      {"correct, for comparison",
       filled(R"({"brokers":{)", [&](std::size_t i) { return field("d" + number(i), R"({"broker_type":"memory"})"); },
              "}}")},
  };
}

/// How long it takes to say what is wrong with each: text and all.
nlohmann::json mistakes(const Options& options) {
  nlohmann::json seconds;
  double longest = 0;
  for (const auto& [what, text] : mistaken(options.size)) {
    const Stopwatch watch;
    try {
      at::parse_config(text);
    } catch (const at::ConfigError& error) {
      static_cast<void>(error.to_json());
    }
    seconds[what] = watch.seconds();
    longest = std::max(longest, watch.seconds());
  }
  return {{"longest_seconds", longest}, {"seconds", seconds}};
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, std::function<nlohmann::json(const Options&)>> works = {
      {"waiters", waiters}, {"idle-destination", idle_destination}, {"blocked", blocked},
      {"paused", paused},   {"idle-threads", idle_threads},         {"mistakes", mistakes}};
  const Options options = parse(argc, argv, "Measures costs that must not come back.",
                                {{"waiters", "THREADS that fire and wait"},
                                 {"idle-destination", "THREADS that wait for capacity, NAMES destinations"},
                                 {"blocked", "RATE fires a second, NAMES with a backlog on a blocked connection"},
                                 {"paused", "THREADS that fire and wait, beside NAMES that are paused"},
                                 {"idle-threads", "memory of THREADS that fired COUNT times four messages"},
                                 {"mistakes", "time to find what is wrong in SIZE bytes of configuration"}});
  try {
    return report(options, "action_triggers", works.at(options.work)(options));
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
