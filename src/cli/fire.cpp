// SPDX-License-Identifier: MIT
// action-triggers fire: one message, or one for each line of standard input.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <future>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/clock.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "cli/commands.hpp"
#include "cli/early_end.hpp"
#include "cli/interrupts.hpp"
#include "cli/line_reader.hpp"
#include "cli/load.hpp"
#include "cli/metrics_server.hpp"
#include "cli/output.hpp"
#include "cli/reloading.hpp"

namespace action_triggers::cli {
namespace {

constexpr std::size_t most_without_outcome = 10'000;
constexpr std::chrono::seconds progress_after{1};
constexpr std::chrono::milliseconds progress_every{200};

/// Counts outcomes, and holds the reader back while too many are missing: however long the input is, memory is bounded
/// and the destination's bounds are not reached.
class Outcomes {
 public:
  explicit Outcomes(const BrokerConfig& broker) { bound(broker); }

  /// From now on these are the destination's bounds.
  void bound(const BrokerConfig& broker) {
    const std::lock_guard lock(mutex_);
    most_waiting_ = std::min(most_without_outcome, broker.max_queued_messages);
    most_bytes_ = broker.max_queued_bytes / 2;
    changed_.notify_all();
  }

  /// False: stop() was called.
  bool wait_for_capacity(std::size_t bytes) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      return stopped_ || waiting_ == 0 || (waiting_ < most_waiting_ && waiting_bytes_ + bytes <= most_bytes_);
    });
    if (stopped_) return false;
    ++waiting_;
    waiting_bytes_ += bytes;
    ++fired_;
    return true;
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
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
    nlohmann::json json{{"fired", fired_}, {"delivered", delivered_}, {"failed", failed}};
    if (waiting_ > 0) json["without_outcome"] = waiting_;
    return json;
  }
  void print() {
    const std::lock_guard lock(mutex_);
    std::cout << fired_ << " fired, " << delivered_ << " confirmed\n";
    for (const auto& [status, failure] : failures_) {
      std::cout << "  " << std::setw(8) << failure.count << "  " << status << ": " << failure.first << '\n';
    }
    if (waiting_ > 0) std::cout << "  " << std::setw(8) << waiting_ << "  have no outcome yet\n";
  }

 private:
  struct Failure {
    std::uint64_t count = 0;
    std::string first;
  };
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t most_waiting_ = 0;  // under mutex_, as is what follows
  std::size_t most_bytes_ = 0;
  bool stopped_ = false;
  std::size_t waiting_ = 0;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t fired_ = 0;
  std::uint64_t delivered_ = 0;
  std::map<std::string, Failure> failures_;
};

/// What the destination will count for the message, and a little more, so that its bounds are not reached.
std::size_t counted_bytes(const Message& message) {
  constexpr std::size_t for_an_id = 36;
  constexpr std::size_t for_each_header = 8;
  std::size_t bytes = message.body.size() + message.key.size() + message.content_type.size() + for_an_id;
  for (const Header& header : message.headers) bytes += header.name.size() + header.value.size() + for_each_header;
  return bytes;
}

/// Fires what `next` puts into the message's body, until it returns false.
class Firing {
 public:
  Firing(TriggerDispatcher& dispatcher, const FireOptions& options, const Interrupts& interrupts, Outcomes& outcomes)
      : dispatcher_(dispatcher), options_(options), interrupts_(interrupts), outcomes_(outcomes) {}

  template <class Next>
  void run(Message message, Next next) {
    const auto begin = Clock::now();
    next_progress_ = begin + progress_after;
    for (std::uint64_t fired = 0; interrupts_.signal() == 0 && (!options_.count || fired < *options_.count); ++fired) {
      if (!next(message.body)) break;
      if (options_.rate) {
        interrupts_.wait_until(begin + std::chrono::duration_cast<Clock::duration>(
                                           std::chrono::duration<double>(static_cast<double>(fired) / *options_.rate)));
      }
      const std::size_t bytes = counted_bytes(message);
      if (!outcomes_.wait_for_capacity(bytes)) break;
      dispatcher_.fire(options_.name, message, [&outcomes = outcomes_, bytes](const DeliveryReport& report) {
        outcomes.report(report, bytes);
      });
      show_progress(begin);
    }
    // Every message has a deadline, so this ends.
    while (interrupts_.signal() == 0 && !dispatcher_.flush(progress_every)) show_progress(begin);
    if (shown_) std::cerr << '\n';
  }

 private:
  void show_progress(Clock::time_point begin) {
    if (!on_terminal_ || Clock::now() < next_progress_) return;
    outcomes_.show_progress(begin);
    next_progress_ = Clock::now() + progress_every;
    shown_ = true;
  }

  TriggerDispatcher& dispatcher_;
  const FireOptions& options_;
  const Interrupts& interrupts_;
  Outcomes& outcomes_;
  const bool on_terminal_ = isatty(STDERR_FILENO) != 0;
  Clock::time_point next_progress_;
  bool shown_ = false;
};

void print(const FireOptions& options, const DeliveryReport& report) {
  if (options.json) {
    std::cout << dump(to_json(report)) << '\n';
    return;
  }
  std::cout << report.status << "  " << options.name << "  id=" << report.message_id;
  if (report.offset >= 0) std::cout << "  partition=" << report.partition << "  offset=" << report.offset;
  std::cout << "  attempts=" << report.attempts << "  latency=" << milliseconds_text(report.latency) << '\n';
}

ExitCode fire_one(TriggerDispatcher& dispatcher, const FireOptions& options, const Message& message,
                  const Interrupts& interrupts) {
  const Delivery delivery = dispatcher.fire(options.name, message);
  const DeliveryReport* report = nullptr;
  while (report == nullptr && interrupts.signal() == 0) report = delivery.wait_for(progress_every);
  if (report == nullptr) {
    end_early(dispatcher, interrupts, [&] {
      if (const DeliveryReport* last = delivery.wait_for(std::chrono::milliseconds(0))) print(options, *last);
    });
  }
  print(options, *report);
  return report->status.ok() ? ExitCode::success : ExitCode::failure;
}

/// The configuration with nothing but the one destination, which the options may change.
Config only_one(const Config& config, const FireOptions& options) {
  Config only;
  only.settings = config.settings;
  const auto broker = config.brokers.find(options.name);
  only.brokers.insert(*broker);
  if (options.timeout_secs) {
    // The loader made it for this command, and nobody else sees it.
    std::const_pointer_cast<BrokerConfig>(broker->second)->timeout =
        std::chrono::milliseconds(static_cast<std::int64_t>(*options.timeout_secs * 1000));
  }
  return only;
}

ExitCode fire_all(TriggerDispatcher& dispatcher, const FireOptions& options, Message message, Outcomes& outcomes,
                  const Interrupts& interrupts, Reloading& reloading) {
  reloading.begin([&](const Config& config) {
    const BrokerConfig* const broker = config.find(options.name);
    if (broker == nullptr) throw std::runtime_error("there is no broker '" + options.name + "' any more");
    dispatcher.reload(only_one(config, options));
    outcomes.bound(*broker);
  });
  Firing firing(dispatcher, options, interrupts, outcomes);
  LineReader lines(STDIN_FILENO, interrupts.descriptor());
  if (options.body) {
    message.body = *options.body;
    firing.run(std::move(message), [](const std::string& /*body*/) { return true; });
  } else {
    firing.run(std::move(message), [&](std::string& body) { return lines.next(body); });
  }
  const auto print_all = [&] {
    if (options.json) {
      std::cout << dump(outcomes.json()) << '\n';
    } else {
      outcomes.print();
    }
  };
  if (interrupts.signal() != 0) end_early(dispatcher, interrupts, print_all);
  reloading.end();
  dispatcher.close(std::chrono::seconds(5));
  print_all();
  if (lines.error() != 0) {
    std::cerr << "action-triggers: standard input cannot be read: " << std::generic_category().message(lines.error())
              << '\n';
  }
  return lines.error() == 0 && outcomes.all_ok() ? ExitCode::success : ExitCode::failure;
}

}  // namespace

ExitCode fire(const FireOptions& options) {
  if (options.file == "-" && !options.body) {
    std::cerr << "Standard input is the configuration, so the message needs --body\n";
    return ExitCode::wrong_usage;
  }
  const auto [config, exit_code, text] = load(options.file, options.json);
  if (!config) return exit_code;
  if (config->find(options.name) == nullptr) {
    report_no_broker(name_of(options.file), options.name, names_in(*config));
    return ExitCode::wrong_usage;
  }
  std::optional<Message> message = message_of(options);
  if (!message) return ExitCode::wrong_usage;
  Outcomes outcomes(*config->find(options.name));  // outlives the dispatcher, whose callbacks use it
  const bool many = !options.body || options.count;
  Reloading reloading(options.file);
  std::function<void()> hang_up;
  if (many && options.file != "-") hang_up = [&reloading] { reloading.ask(); };
  const Interrupts interrupts([&outcomes] { outcomes.stop(); }, std::move(hang_up));
  TriggerDispatcher dispatcher(only_one(*config, options), BrokerRegistry::builtin(),
                               dispatcher_options(options.verbose));
  const MetricsServer metrics([&] { return reloading.added_to(dispatcher.stats()); }, options.metrics);
  if (many) return fire_all(dispatcher, options, std::move(*message), outcomes, interrupts, reloading);
  message->body = *options.body;
  return fire_one(dispatcher, options, *message, interrupts);
}

}  // namespace action_triggers::cli
