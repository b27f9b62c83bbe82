// SPDX-License-Identifier: MIT
#include "cli/early_end.hpp"

#include <chrono>
#include <cstdlib>
#include <future>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "cli/exit_code.hpp"

namespace action_triggers::cli {
namespace {

// What a signal leaves a command: less than a second in all.
constexpr std::chrono::milliseconds close_after_signal{700};
constexpr std::chrono::milliseconds end_after_signal{900};

}  // namespace

DispatcherOptions dispatcher_options(bool verbose) {
  DispatcherOptions options;
  if (verbose) {
    options.log = [](LogLevel level, std::string_view component, std::string_view text) {
      std::cerr << std::string(to_string(level)) + " " + std::string(component) + ": " + std::string(text) + "\n";
    };
  }
  return options;
}

void end_early(TriggerDispatcher& dispatcher, const Interrupts& interrupts, const std::function<void()>& print_rest) {
  auto closed = std::make_shared<std::promise<void>>();  // the thread may outlive this call, but not the process
  std::thread([&dispatcher, closed] {
    dispatcher.close(close_after_signal);
    closed->set_value();
  }).detach();
  closed->get_future().wait_for(end_after_signal);
  print_rest();
  std::cout.flush();
  std::cerr << "action-triggers: ended by " << interrupts.name() << std::endl;
  std::_Exit(exit_status_of_signals + interrupts.signal());
}

}  // namespace action_triggers::cli
