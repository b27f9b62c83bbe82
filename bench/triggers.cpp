// SPDX-License-Identifier: MIT
// What emit() costs on the calling thread, beside fire(), and what a reload costs. bench/triggers.py compares.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "action_triggers/action_triggers.hpp"
#include "measure.hpp"
#include "triggers/trigger_config.hpp"
#include "triggers/trigger_selection.hpp"

using namespace action_triggers::bench;
namespace at = action_triggers;

namespace {

/// Confirms at once.
class InstantBroker final : public at::Broker {
 public:
  std::size_t send(std::span<const at::OutboundMessage* const> batch, at::BrokerEvents& events) override {
    for (const at::OutboundMessage* message : batch) events.complete(*message, at::Outcome::persisted());
    return batch.size();
  }
};

at::BrokerRegistry registry() {
  at::BrokerRegistry instant;
  instant.add("instant", [](const at::BrokerConfig&) { return std::make_unique<InstantBroker>(); });
  return instant;
}

std::string brokers(std::size_t count, const std::string& extra = {}) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += (i == 0 ? "\"b" : ",\"b") + std::to_string(i) + R"(": {"broker_type": "instant"})";
  }
  return R"({"brokers": {)" + text + "}" + extra + "}";
}

/// `count` triggers of which `same_event` decides whether all are for one event. Two match: the first and the last.
/// The others are short: a configuration has 1 MiB at most.
std::string triggers(std::size_t count, bool same_event, const std::string& target) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    const bool matches = i == 0 || i + 1 == count;
    const std::string event = same_event || matches ? "order.paid" : "order.paid" + std::to_string(i);
    text += (i == 0 ? "\"t" : ",\"t") + std::to_string(i) + R"(": {"events": [")" + event +
            R"("], "when": {"status": [")" + (matches ? "paid" : "state-" + std::to_string(i)) +
            R"("]}, "targets": [)" + (matches ? target : "\"b0\"") + "]}";
  }
  return R"(, "triggers": {)" + text + "}";
}

const std::string shaped = R"({"broker": "b0", "body": {"id": "{{ /id }}", "status": "{{ /status }}",
  "total": "{{ /total }}", "mail": "{{ /customer/mail }}", "text": "Order {{ /id }} is paid"}})";

/// An order of about so many bytes.
std::string order(std::size_t bytes) {
  std::string text = R"({"id": 42, "status": "paid", "total": 99.90, "currency": "EUR", "customer": {"id": 7, )"
                     R"("mail": "someone@example.org", "country": "DE"}, "lines": [)";
  for (int i = 0; text.size() + 60 < bytes; ++i) {
    text +=
        (i == 0 ? "" : ", ") + (R"({"sku": "A-)" + std::to_string(1000 + i)) + R"(", "quantity": 2, "price": 12.50})";
  }
  text += "]";
  if (text.size() + 16 < bytes) text += R"(, "note": ")" + std::string(bytes - text.size() - 14, 'x') + "\"";
  return text + "}";
}

/// Processor time of the calling thread for one call, in ns: the median of batches.
template <class Call, class Between>
double cost_of(std::size_t count, const Call& call, const Between& between) {
  constexpr std::size_t batch = 1000;
  std::vector<double> batches;
  for (std::size_t done = 0; done < count; done += batch) {
    const double before = thread_cpu();
    for (std::size_t i = 0; i < batch; ++i) call();
    batches.push_back((thread_cpu() - before) / batch);
    between();
  }
  std::nth_element(batches.begin(), batches.begin() + static_cast<std::ptrdiff_t>(batches.size() / 2), batches.end());
  return batches[batches.size() / 2];
}

/// The same; the lane gets the time to take its messages between the batches.
template <class Call>
double cost_of(at::TriggerDispatcher& dispatcher, std::size_t count, const Call& call) {
  return cost_of(count, call, [&] { dispatcher.flush(); });
}

nlohmann::json emits(const Options& options) {
  const at::BrokerRegistry instant = registry();
  const std::string body = order(options.size);
  const auto dispatcher_of = [&](const std::string& extra) {
    return at::TriggerDispatcher(at::parse_config(brokers(3, extra), instant), instant);
  };
  nlohmann::json result;
  {
    auto dispatcher = dispatcher_of(R"(, "triggers": {"one": {"events": ["one"], "targets": ["b0"]},
                                       "three": {"events": ["three"], "targets": ["b0", "b1", "b2"]}})");
    result["fire_ns"] = cost_of(dispatcher, options.count, [&] { dispatcher.fire("b0", body); });
    result["emit_ns"] = cost_of(dispatcher, options.count, [&] { dispatcher.emit("one", body); });
    result["three_fires_ns"] = cost_of(dispatcher, options.count, [&] {
      for (const char* name : {"b0", "b1", "b2"}) dispatcher.fire(name, body);
    });
    result["emit_three_ns"] = cost_of(dispatcher, options.count, [&] { dispatcher.emit("three", body); });
  }
  for (const std::size_t count : {std::size_t{2}, std::size_t{100}, options.names}) {
    for (const bool same_event : {false, true}) {
      auto dispatcher = dispatcher_of(triggers(count, same_event, shaped));
      const std::string name = (same_event ? "same_event_" : "other_events_") +
                               (count == options.names ? "many" : std::to_string(count)) + "_ns";
      result[name] = cost_of(dispatcher, options.count / 10, [&] { dispatcher.emit("order.paid", body); });
    }
  }
  return result;
}

/// `count` conditions of which two hold for an order(): alone, as event-ruler takes them.
std::vector<std::string> conditions(std::size_t count) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string status = i == 0 || i + 1 == count ? "paid" : "state-" + std::to_string(i);
    all.push_back(R"({"status": [")" + status +
                  R"("], "total": [{"numeric": [">=", 10]}], "customer": {"country": ["DE", "FR"]}})");
  }
  return all;
}

/// What the other side gets.
nlohmann::json given(const Options& options) {
  return {{"event", order(options.size)}, {"conditions", conditions(options.names)}};
}

/// From the event's bytes to the triggers whose conditions hold.
nlohmann::json matches(const Options& options) {
  const at::BrokerRegistry instant = registry();
  std::string text;
  for (const std::string& condition : conditions(options.names)) {
    text += (text.empty() ? "\"t" : ", \"t") + std::to_string(text.size()) +
            R"(": {"events": ["order.paid"], "targets": ["b0"], "when": )" + condition + "}";
  }
  const at::Config config = at::parse_config(brokers(1, R"(, "triggers": {)" + text + "}"), instant);
  std::vector<const at::detail::TriggerConfig*> triggers;
  for (const auto& trigger : config.section<at::detail::TriggersConfig>()->triggers) triggers.push_back(&trigger);
  const at::detail::TriggerSelection selection(triggers);
  at::detail::TriggerSelection::Search search;
  const std::string event = order(options.size);
  std::size_t matching = 0;
  const auto match = [&] {
    matching = 0;
    for (const std::uint32_t index : selection.find("order.paid", event, search)) {
      if (triggers[index]->when->matches(search.json.root())) ++matching;
    }
  };
  const double nanoseconds = cost_of(options.count, match, [] {});
  return {{"matching", matching}, {"per_second", 1e9 / nanoseconds}};
}

/// NAMES destinations, nothing changed: how long a reload takes, and the longest fire() meanwhile and without one: in
/// processor time of its thread, which leaves out when the scheduler lets others run, and how often one has waited.
nlohmann::json reloads(const Options& options) {
  const at::BrokerRegistry instant = registry();
  const at::Config config = at::parse_config(brokers(options.names), instant);
  at::TriggerDispatcher dispatcher(config, instant);
  const auto waits = [] {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
  };
  struct Fires {
    double longest_ms = 0;
    long waits = 0;
  };
  const auto fires = [&](const auto& meanwhile) {
    std::atomic<bool> stop{false};
    Fires all;
    std::thread firing([&] {
      for (int i = 0; i < 1'000; ++i)
        dispatcher.fire("b0", "x");  // a thread's first ones seed its ids, and fetch memory
      const long before = waits();
      while (!stop) {
        const double begin = thread_cpu();
        dispatcher.fire("b0", "x");
        all.longest_ms = std::max(all.longest_ms, (thread_cpu() - begin) / 1e6);
      }
      all.waits = waits() - before;
    });
    meanwhile();
    stop = true;
    firing.join();
    return all;
  };
  nlohmann::json result;
  std::vector<double> times;
  const Fires meanwhile = fires([&] {
    for (int i = 0; i < 20; ++i) {
      const Stopwatch one;
      dispatcher.reload(config);
      times.push_back(one.seconds() * 1e3);
    }
  });
  std::sort(times.begin(), times.end());
  result["reload_ms"] = times[times.size() / 2];
  const double all = times.back() * static_cast<double>(times.size());
  const Fires without = fires([&] { std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(all)); });
  result["longest_fire_ms"] = meanwhile.longest_ms;
  result["longest_fire_without_ms"] = without.longest_ms;
  result["waits"] = meanwhile.waits;
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv, "Measures emit() and reload().",
                                {{"emit", "COUNT calls of each kind, with SIZE bytes of JSON and up to NAMES triggers"},
                                 {"conditions", "prints an event of SIZE bytes and NAMES conditions"},
                                 {"match", "COUNT times these conditions on that event, without any message"},
                                 {"reload", "of NAMES destinations"}});
  try {
    const auto run = options.work == "emit"         ? emits
                     : options.work == "conditions" ? given
                     : options.work == "match"      ? matches
                                                    : reloads;
    return report(options, "action_triggers", run(options));
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
