// SPDX-License-Identifier: MIT
// action-triggers fire: one message, or one for each line of standard input.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/clock.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "cli/commands.hpp"
#include "cli/load.hpp"
#include "cli/output.hpp"

namespace action_triggers::cli {
namespace {

constexpr std::size_t most_without_outcome = 10'000;
constexpr std::chrono::seconds progress_after{1};
constexpr std::chrono::milliseconds progress_every{200};

volatile std::sig_atomic_t interrupted = 0;

/// Counts outcomes, and holds the reader back while too many are missing: however long the input is, memory is bounded
/// and the destination's bounds are not reached.
class Outcomes {
 public:
  explicit Outcomes(const BrokerConfig& broker)
      : most_waiting_(std::min(most_without_outcome, broker.max_queued_messages)),
        most_bytes_(broker.max_queued_bytes / 2) {}

  void wait_for_capacity(std::size_t bytes) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock,
                  [&] { return waiting_ == 0 || (waiting_ < most_waiting_ && waiting_bytes_ + bytes <= most_bytes_); });
    ++waiting_;
    waiting_bytes_ += bytes;
    ++fired_;
  }
  void report(const DeliveryReport& report, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    --waiting_;
    waiting_bytes_ -= bytes;
    if (report.status.ok()) {
      ++delivered_;
    } else {
      Failure& failure = failures_[std::string(to_string(report.status.code()))];
      if (++failure.count == 1) failure.first = report.status.message();
    }
    changed_.notify_all();
  }
  void show_progress(Clock::time_point since) {
    const std::lock_guard lock(mutex_);
    const double seconds = std::chrono::duration<double>(Clock::now() - since).count();
    std::cerr << "\r" << fired_ << " fired, " << delivered_ << " confirmed, "
              << static_cast<std::uint64_t>(static_cast<double>(delivered_) / seconds) << "/s " << std::flush;
  }
  [[nodiscard]] bool all_ok() {
    const std::lock_guard lock(mutex_);
    return fired_ == delivered_;
  }
  [[nodiscard]] nlohmann::json json() {
    const std::lock_guard lock(mutex_);
    nlohmann::json failed = nlohmann::json::object();
    for (const auto& [status, failure] : failures_) failed[status] = failure.count;
    return {{"fired", fired_}, {"delivered", delivered_}, {"failed", failed}};
  }
  void print() {
    const std::lock_guard lock(mutex_);
    std::cout << fired_ << " fired, " << delivered_ << " confirmed\n";
    for (const auto& [status, failure] : failures_) {
      std::cout << "  " << std::setw(8) << failure.count << "  " << status << ": " << failure.first << '\n';
    }
  }

 private:
  struct Failure {
    std::uint64_t count = 0;
    std::string first;
  };
  const std::size_t most_waiting_;
  const std::size_t most_bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t waiting_ = 0;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t fired_ = 0;
  std::uint64_t delivered_ = 0;
  std::map<std::string, Failure> failures_;
};

void fire_lines(TriggerDispatcher& dispatcher, const std::string& name, Message message, Outcomes& outcomes) {
  const bool on_terminal = isatty(STDERR_FILENO) != 0;
  const auto begin = Clock::now();
  auto next_progress = begin + progress_after;
  bool shown = false;
  while (interrupted == 0 && std::getline(std::cin, message.body)) {
    const std::size_t bytes = message.body.size();
    outcomes.wait_for_capacity(bytes);
    dispatcher.fire(name, message,
                    [&outcomes, bytes](const DeliveryReport& report) { outcomes.report(report, bytes); });
    if (on_terminal && Clock::now() >= next_progress) {
      outcomes.show_progress(begin);
      next_progress = Clock::now() + progress_every;
      shown = true;
    }
  }
  // Every message has a deadline, so this ends.
  while (interrupted == 0 && !dispatcher.flush(progress_every)) {
    if (on_terminal && Clock::now() >= next_progress) {
      outcomes.show_progress(begin);
      shown = true;
    }
  }
  if (shown) std::cerr << '\n';
}

/// The message that the options describe, without its body; nothing, and a line on standard error, if they are wrong.
std::optional<Message> message_of(const FireOptions& options) {
  Message message;
  message.key = options.key;
  message.content_type = options.content_type;
  message.id = options.id;
  for (const std::string& header : options.headers) {
    const std::size_t equals = header.find('=');
    if (equals == 0 || equals == std::string::npos) {
      std::cerr << "--header wants NAME=VALUE, not '" << header << "'\n";
      return std::nullopt;
    }
    message.headers.push_back({header.substr(0, equals), header.substr(equals + 1)});
  }
  return message;
}

ExitCode fire_one(TriggerDispatcher& dispatcher, const FireOptions& options, const Message& message) {
  const DeliveryReport report = dispatcher.fire(options.name, message).wait();
  if (options.json) {
    std::cout << dump(to_json(report)) << '\n';
  } else {
    std::cout << report.status << "  " << options.name << "  id=" << report.message_id;
    if (report.offset >= 0) std::cout << "  partition=" << report.partition << "  offset=" << report.offset;
    std::cout << "  attempts=" << report.attempts << "  latency=" << milliseconds_text(report.latency) << '\n';
  }
  return report.status.ok() ? ExitCode::success : ExitCode::failure;
}

ExitCode fire_all(TriggerDispatcher& dispatcher, const FireOptions& options, Message message, Outcomes& outcomes) {
  // Without SA_RESTART, so that a read from the terminal ends.
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  sigaction(SIGINT, &action, nullptr);
  fire_lines(dispatcher, options.name, std::move(message), outcomes);
  dispatcher.close(std::chrono::seconds(5));
  if (options.json) {
    std::cout << dump(outcomes.json()) << '\n';
  } else {
    outcomes.print();
  }
  return interrupted == 0 && outcomes.all_ok() ? ExitCode::success : ExitCode::failure;
}

}  // namespace

ExitCode fire(const FireOptions& options) {
  const auto [config, exit_code] = load(options.file, options.json);
  if (!config) return exit_code;
  const auto broker = config->brokers.find(options.name);
  if (broker == config->brokers.end()) {
    std::cerr << options.file << ": there is no broker '" << options.name << "'\n";
    return ExitCode::wrong_usage;
  }
  std::optional<Message> message = message_of(options);
  if (!message) return ExitCode::wrong_usage;
  Config only;
  only.settings = config->settings;
  only.brokers.insert(*broker);
  DispatcherOptions dispatcher_options;
  if (options.verbose) {
    dispatcher_options.log = [](LogLevel level, std::string_view component, std::string_view text) {
      std::cerr << std::string(to_string(level)) + " " + std::string(component) + ": " + std::string(text) + "\n";
    };
  }
  Outcomes outcomes(*broker->second);  // outlives the dispatcher, whose callbacks use it
  TriggerDispatcher dispatcher(std::move(only), BrokerRegistry::builtin(), std::move(dispatcher_options));
  if (!options.body) return fire_all(dispatcher, options, std::move(*message), outcomes);
  message->body = *options.body;
  return fire_one(dispatcher, options, *message);
}

}  // namespace action_triggers::cli
