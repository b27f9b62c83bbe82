// SPDX-License-Identifier: MIT
// action-triggers emit: one event, or one for each line of standard input, to the targets of all triggers that it
// matches.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <iomanip>
#include <iostream>
#include <limits>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "cli/commands.hpp"
#include "cli/early_end.hpp"
#include "cli/interrupts.hpp"
#include "cli/line_reader.hpp"
#include "cli/load.hpp"
#include "cli/metrics_server.hpp"
#include "cli/output.hpp"
#include "cli/reloading.hpp"
#include "config/problem_line.hpp"
#include "triggers/trigger_config.hpp"

namespace action_triggers::cli {
namespace {

constexpr std::chrono::milliseconds signal_every{200};
constexpr std::size_t most_events_waiting = 1'000;

nlohmann::json json_of(const DeliveryReport& report) {
  nlohmann::json json = to_json(report);
  json["trigger"] = report.trigger;
  return json;
}

void print(const DeliveryReport& report) {
  std::cout << detail::printable(report.status.to_string()) << "  " << detail::printable(report.trigger) << " -> "
            << detail::printable(report.broker) << "  id=" << report.message_id;
  if (report.offset >= 0) std::cout << "  partition=" << report.partition << "  offset=" << report.offset;
  std::cout << "  attempts=" << report.attempts << "  latency=" << milliseconds_text(report.latency) << '\n';
}

/// Why an event reached nobody, as far as its name says.
std::string why_nobody(const EmitOptions& options, const Stats& stats) {
  const std::string event = "'" + detail::printable(options.event) + "'";
  return stats.unmatched_events > 0 ? "no active trigger is for the event " + event
                                    : "no condition of the triggers for the event " + event + " matches the payload";
}

// ---------------------------------------------------------------------------------------------------------- one event

ExitCode emit_one(TriggerDispatcher& dispatcher, const EmitOptions& options, const Message& message,
                  const Interrupts& interrupts) {
  const Emission emission = dispatcher.emit(options.event, message);
  while (interrupts.signal() == 0 && !emission.wait_for(signal_every)) continue;
  const auto print_all = [&] {
    nlohmann::json reports = nlohmann::json::array();
    bool all_ok = true;
    for (std::size_t i = 0; i < emission.size(); ++i) {
      const DeliveryReport* const report = emission[i].wait_for(std::chrono::milliseconds(0));
      all_ok = all_ok && report != nullptr && report->status.ok();
      if (report == nullptr) continue;
      if (options.json) {
        reports.push_back(json_of(*report));
      } else {
        print(*report);
      }
    }
    if (options.json) {
      std::cout << dump({{"ok", all_ok}, {"event", options.event}, {"reports", reports}}) << '\n';
    } else if (emission.empty()) {
      std::cout << "nothing sent: " << why_nobody(options, dispatcher.stats()) << '\n';
    }
    return all_ok;
  };
  if (interrupts.signal() != 0) end_early(dispatcher, interrupts, [&] { print_all(); });
  return print_all() ? ExitCode::success : ExitCode::failure;
}

// --------------------------------------------------------------------------------------------------------- many events

/// How much may be without an outcome at once, so that the bounds of no destination are reached.
struct Bounds {
  std::size_t events = most_events_waiting;
  std::size_t bytes = std::numeric_limits<std::size_t>::max();

  explicit Bounds(const Config& config) {
    const auto* const triggers = config.section<detail::TriggersConfig>();
    if (triggers == nullptr) return;
    std::size_t targets = 1;
    for (const detail::TriggerConfig& trigger : triggers->triggers) targets += trigger.targets.size();
    const auto narrow = [&](const BrokerConfig& broker) {
      events = std::max<std::size_t>(1, std::min(events, broker.max_queued_messages / targets));
      bytes = std::min(bytes, broker.max_queued_bytes / 2 / targets);
    };
    for (const auto& [name, broker] : config.brokers) narrow(*broker);
    for (const auto& broker : triggers->derived) narrow(*broker);
  }
};

/// Emits lines, and counts what becomes of them.
class Lines {
 public:
  Lines(TriggerDispatcher& dispatcher, const Config& config, const EmitOptions& options, const Interrupts& interrupts)
      : dispatcher_(dispatcher), bounds_(config), options_(options), interrupts_(interrupts) {}

  /// Any thread.
  void reload(const Config& config) {
    dispatcher_.reload(config);
    const std::lock_guard lock(bounds_mutex_);
    bounds_ = Bounds(config);
  }

  ExitCode run(Message message) {
    LineReader lines(STDIN_FILENO, interrupts_.descriptor());
    while (interrupts_.signal() == 0 && lines.next(message.body)) {
      const std::size_t bytes = message.body.size();
      make_room(bytes);
      if (interrupts_.signal() != 0) break;
      emit(message, bytes);
    }
    while (!waiting_.empty() && interrupts_.signal() == 0) take_first();
    if (interrupts_.signal() != 0) end_early(dispatcher_, interrupts_, [&] { print_rest(); });
    print();
    if (lines.error() != 0) {
      std::cerr << "action-triggers: standard input cannot be read: " << std::generic_category().message(lines.error())
                << '\n';
    }
    return lines.error() == 0 && failed_.empty() ? ExitCode::success : ExitCode::failure;
  }

 private:
  struct Waiting {
    Emission emission;
    std::size_t bytes;
  };
  struct Failure {
    std::uint64_t count = 0;
    std::string first;
  };

  void emit(const Message& message, std::size_t bytes) {
    Emission emission = dispatcher_.emit(options_.event, message);
    ++emitted_;
    if (emission.empty()) {
      ++reached_nobody_;
      return;
    }
    waiting_bytes_ += bytes;
    waiting_.push_back({std::move(emission), bytes});
  }

  /// Waits for outcomes until one more event of this size may be under way.
  void make_room(std::size_t bytes) {
    while (!waiting_.empty() && interrupts_.signal() == 0 && !has_room(bytes)) take_first();
  }

  bool has_room(std::size_t bytes) {
    const std::lock_guard lock(bounds_mutex_);
    return waiting_.size() < bounds_.events && waiting_bytes_ + bytes <= bounds_.bytes;
  }

  void take_first() {
    if (!waiting_.front().emission.wait_for(signal_every)) return;
    count(waiting_.front().emission);
    waiting_bytes_ -= waiting_.front().bytes;
    waiting_.pop_front();
  }

  void count(const Emission& emission) {
    for (std::size_t i = 0; i < emission.size(); ++i) {
      ++messages_;
      const DeliveryReport* const report = emission[i].wait_for(std::chrono::milliseconds(0));
      if (report == nullptr) {
        ++without_outcome_;
      } else if (report->status.ok()) {
        ++delivered_;
      } else {
        Failure& failure = failed_[{report->trigger, report->broker, std::string(to_string(report->status.code()))}];
        if (++failure.count == 1) failure.first = report->status.message();
      }
    }
  }

  void print_rest() {
    for (const Waiting& one : waiting_) count(one.emission);
    print();
  }

  void print() const {
    if (options_.json) {
      nlohmann::json failed = nlohmann::json::array();
      for (const auto& [what, failure] : failed_) {
        const auto& [trigger, broker, status] = what;
        failed.push_back({{"trigger", trigger},
                          {"broker", broker},
                          {"status", status},
                          {"count", failure.count},
                          {"message", failure.first}});
      }
      nlohmann::json json{{"emitted", emitted_},
                          {"reached_nobody", reached_nobody_},
                          {"messages", messages_},
                          {"delivered", delivered_},
                          {"failed", failed}};
      if (without_outcome_ > 0) json["without_outcome"] = without_outcome_;
      std::cout << dump(json) << '\n';
      return;
    }
    std::cout << emitted_ << " emitted, " << messages_ << (messages_ == 1 ? " message, " : " messages, ") << delivered_
              << " confirmed\n";
    const auto line = [](std::uint64_t count, const std::string& what) {
      std::cout << "  " << std::setw(8) << count << "  " << what << '\n';
    };
    if (reached_nobody_ > 0) line(reached_nobody_, "reached nobody");
    for (const auto& [what, failure] : failed_) {
      const auto& [trigger, broker, status] = what;
      line(failure.count, detail::printable(trigger + " -> " + broker + ": " + status + ": " + failure.first));
    }
    if (without_outcome_ > 0) line(without_outcome_, "have no outcome yet");
  }

  TriggerDispatcher& dispatcher_;
  std::mutex bounds_mutex_;
  Bounds bounds_;
  const EmitOptions& options_;
  const Interrupts& interrupts_;
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t emitted_ = 0;
  std::uint64_t reached_nobody_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t without_outcome_ = 0;
  std::map<std::tuple<std::string, std::string, std::string>, Failure> failed_;  // by trigger, broker and status
};

}  // namespace

ExitCode emit(const EmitOptions& options) {
  const bool has_payload = options.body || !options.payload_file.empty();
  if (options.file == "-" && (!has_payload || options.payload_file == "-")) {
    std::cerr << "Standard input is the configuration, so the event needs --body, or --payload with a file\n";
    return ExitCode::wrong_usage;
  }
  if (!options.id.empty() && !has_payload) {
    std::cerr << "--id needs --body or --payload: events of several lines have ids of their own\n";
    return ExitCode::wrong_usage;
  }
  const LoadedConfig loaded = load(options.file, options.json);
  if (!loaded.config) return loaded.exit_code;
  std::optional<Message> message = message_of(options);
  if (!message) return ExitCode::wrong_usage;
  if (has_payload) {
    const std::optional<std::string> payload = options.body ? options.body : read_payload(options.payload_file);
    if (!payload) return ExitCode::wrong_usage;
    message->body = *payload;
  }
  Reloading reloading(options.file);
  std::function<void()> hang_up;
  if (!has_payload) hang_up = [&reloading] { reloading.ask(); };
  const Interrupts interrupts([] {}, std::move(hang_up));
  TriggerDispatcher dispatcher(*loaded.config, BrokerRegistry::builtin(), dispatcher_options(options.verbose));
  const MetricsServer metrics([&] { return reloading.added_to(dispatcher.stats()); }, options.metrics);
  if (has_payload) return emit_one(dispatcher, options, *message, interrupts);
  Lines lines(dispatcher, *loaded.config, options, interrupts);
  reloading.begin([&](const Config& config) { lines.reload(config); });
  const ExitCode exit_code = lines.run(std::move(*message));
  reloading.end();
  return exit_code;
}

}  // namespace action_triggers::cli
