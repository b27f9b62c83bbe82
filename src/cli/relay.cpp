// SPDX-License-Identifier: MIT
// action-triggers relay: sends what applications write to their outbox, as a service in the foreground.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/outbox.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "cli/commands.hpp"
#include "cli/interrupts.hpp"
#include "cli/metrics_server.hpp"
#include "cli/outbox_driver_of.hpp"
#include "cli/reloading.hpp"
#include "cli/systemd.hpp"
#include "config/problem_line.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::cli {
namespace {

constexpr std::chrono::milliseconds look_every{200};
constexpr std::chrono::seconds open_every{1};

/// An outbox of whichever database the configuration has.
class AnyOutbox : public Outbox {
 public:
  AnyOutbox(TriggerDispatcher& dispatcher, const detail::OutboxDriver& driver) : Outbox(dispatcher, driver) {}
};

/// A file that applications use as well may say that they only write.
Config with_relay(Config config) {
  const auto* const section = config.section<detail::OutboxConfig>();
  if (section == nullptr) return config;
  auto settings = std::make_shared<detail::OutboxConfig>(*section);
  settings->relay = true;
  config.set_section<detail::OutboxConfig>(std::move(settings));
  return config;
}

/// What the outbox does goes to standard output, a line each; the rest, if it is wanted or a trouble, to standard
/// error.
DispatcherOptions options_with_log(bool verbose) {
  DispatcherOptions options;
  auto mutex = std::make_shared<std::mutex>();
  options.log = [mutex, verbose](LogLevel level, std::string_view component, std::string_view text) {
    const bool is_trouble = level == LogLevel::warning || level == LogLevel::error;
    const bool is_outbox = component == "outbox" && !is_trouble;
    if (!verbose && !is_trouble && !is_outbox) return;
    const std::lock_guard lock(*mutex);
    (is_outbox ? std::cout : std::cerr) << detail::printable(std::string(component) + ": " + std::string(text)) << '\n'
                                        << std::flush;
  };
  return options;
}

/// A service waits for its database. What it lacks meanwhile is for the log, systemd, and those who ask for its health.
class Lack {
 public:
  void is(const std::string& what) {
    const std::lock_guard lock(mutex_);
    if (what_ == what) return;
    if (what_.empty()) since_ = WallTime::clock::now();
    what_ = what;
    const std::string line = detail::printable(what);
    std::cerr << "outbox: " + line + (line.ends_with('.') ? " It" : "; it") + " is tried again\n";
    tell_systemd("STATUS=waits for the outbox's database: " + line);
  }
  void is_over() {
    const std::lock_guard lock(mutex_);
    what_.clear();
    tell_systemd("STATUS=runs");
  }
  [[nodiscard]] Stats added_to(Stats stats) const {
    const std::lock_guard lock(mutex_);
    if (what_.empty()) return stats;
    stats.outbox.emplace();
    stats.outbox->last_error = what_;
    stats.outbox->last_error_since = since_;
    return stats;
  }

 private:
  mutable std::mutex mutex_;
  std::string what_;  // under mutex_, as is since_; empty: nothing
  WallTime since_;
};

/// Tries until it is open. A relay that is to end throws what it lacks.
std::unique_ptr<Outbox> open_outbox(TriggerDispatcher& dispatcher, const detail::OutboxDriver* driver, bool once,
                                    Reloading& reloading, const Interrupts& interrupts, Lack& lack) {
  const Reloading::Use use = [&](const Config& config) {
    const detail::OutboxDriver* const next = outbox_driver_of(config);
    if (next == nullptr) throw std::runtime_error("there is no section 'outbox' any more");
    dispatcher.reload(with_relay(config));
    driver = next;
  };
  for (;;) {
    try {
      auto outbox = std::make_unique<AnyOutbox>(dispatcher, *driver);
      lack.is_over();
      return outbox;
    } catch (const detail::StoreError& error) {
      if (once) throw;
      lack.is(error.what());
    }
    interrupts.wait_until(std::chrono::steady_clock::now() + open_every);
    reloading.take(use);  // what it lacks may be a right line in the file
  }
}

}  // namespace

ExitCode relay(const RelayOptions& options) {
  const OutboxOfFile of = load_outbox(options.file, false);
  if (of.settings == nullptr) return of.exit_code;
  Reloading reloading(options.file);
  std::atomic<bool> is_opening{true};
  const Interrupts interrupts(
      [&] {
        // There is nothing to bring to an end yet, and a server that does not answer may hold up the opening.
        if (is_opening) std::_Exit(static_cast<int>(options.once ? ended_by(interrupts.signal()) : ExitCode::success));
      },
      [&reloading] { reloading.ask(); });
  TriggerDispatcher dispatcher(with_relay(of.config), BrokerRegistry::builtin(), options_with_log(options.verbose));
  Lack lack;
  const MetricsServer metrics([&] { return lack.added_to(reloading.added_to(dispatcher.stats())); }, options.metrics);
  tell_systemd("READY=1");  // it can be asked, and what it lacks it waits for
  const std::unique_ptr<Outbox> outbox = open_outbox(dispatcher, of.driver, options.once, reloading, interrupts, lack);
  is_opening = false;
  reloading.begin([&](const Config& config) { dispatcher.reload(with_relay(config)); });
  bool is_empty = false;
  while (interrupts.signal() == 0 && !is_empty) {
    if (options.once) {
      is_empty = outbox->wait_until_empty(look_every);
    } else {
      interrupts.wait_until(std::chrono::steady_clock::now() + std::chrono::hours(1));
    }
  }
  tell_systemd("STOPPING=1");
  reloading.end();
  outbox->close(std::chrono::duration<double>(options.close_secs));
  dispatcher.close(std::chrono::seconds(0));  // what is still under way stays in the table, whatever becomes of it
  if (!options.once || is_empty) return ExitCode::success;
  std::cerr << "action-triggers: ended by " << interrupts.name() << " before everything was sent\n";
  return ended_by(interrupts.signal());
}

}  // namespace action_triggers::cli
