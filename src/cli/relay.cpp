// SPDX-License-Identifier: MIT
// action-triggers relay: sends what applications write to their outbox, as a service in the foreground.
#include <chrono>
#include <iostream>
#include <memory>
#include <mutex>
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
#include "config/problem_line.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::cli {
namespace {

constexpr std::chrono::milliseconds signal_every{200};
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

/// A service waits for its database; nullptr: until a signal came. One that is to end says what it lacks.
std::unique_ptr<Outbox> open_outbox(TriggerDispatcher& dispatcher, const detail::OutboxDriver& driver, bool once,
                                    const Interrupts& interrupts) {
  std::string said;
  while (interrupts.signal() == 0) {
    try {
      return std::make_unique<AnyOutbox>(dispatcher, driver);
    } catch (const detail::StoreError& error) {
      if (once) throw;
      if (said != error.what()) std::cerr << "outbox: " << detail::printable(error.what()) << "; it is tried again\n";
      said = error.what();
    }
    interrupts.wait_until(std::chrono::steady_clock::now() + open_every);
  }
  return nullptr;
}

}  // namespace

ExitCode relay(const RelayOptions& options) {
  const OutboxOfFile of = load_outbox(options.file, false);
  if (of.settings == nullptr) return of.exit_code;
  Reloading reloading(options.file);
  const Interrupts interrupts([] {}, [&reloading] { reloading.ask(); });
  TriggerDispatcher dispatcher(with_relay(of.config), BrokerRegistry::builtin(), options_with_log(options.verbose));
  const std::unique_ptr<Outbox> outbox = open_outbox(dispatcher, *of.driver, options.once, interrupts);
  if (outbox == nullptr) return ExitCode::success;
  const MetricsServer metrics(dispatcher, options.metrics);
  reloading.begin([&](const Config& config) { dispatcher.reload(with_relay(config)); });
  bool is_empty = false;
  while (interrupts.signal() == 0 && !is_empty) {
    if (options.once) {
      is_empty = outbox->wait_until_empty(signal_every);
    } else {
      interrupts.wait_until(std::chrono::steady_clock::now() + std::chrono::hours(1));
    }
  }
  reloading.end();
  outbox->close(std::chrono::duration<double>(options.close_secs));
  return ExitCode::success;
}

}  // namespace action_triggers::cli
