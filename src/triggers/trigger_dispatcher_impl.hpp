// SPDX-License-Identifier: MIT
/// What a TriggerDispatcher is made of: shared with its open commit scopes, which may outlive it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "dispatch/dispatcher.hpp"
#include "triggers/dispatcher_access.hpp"
#include "triggers/emitter.hpp"

namespace action_triggers {

class TriggerDispatcher::Impl {
 public:
  Impl(Config&& config, const BrokerRegistry& with_registry, DispatcherOptions options);

  ReloadReport reload(Config&& config, std::chrono::nanoseconds drain);
  /// Counts what `load_and_reload` throws as a reload that failed.
  template <class LoadAndReload>
  ReloadReport counted(LoadAndReload&& load_and_reload);
  void add_to(Stats& stats) const;

  // For DispatcherAccess.
  [[nodiscard]] std::shared_ptr<const Config> config() const;
  void attach(detail::Companion* companion);  // nullptr: it has none any more

  const BrokerRegistry registry;
  detail::Emitter emitter;  // lasts longer than the lanes, which tell its triggers of outcomes
  detail::Dispatcher dispatcher;

 private:
  void log_warnings(const Config& config);
  void set_config(Config&& config);

  mutable std::mutex companion_mutex_;  // held while it is called
  detail::Companion* companion_ = nullptr;

  mutable std::mutex mutex_;
  std::shared_ptr<const Config> config_;  // under mutex_, as is what follows
  std::uint64_t reloads_ = 0;
  std::uint64_t failed_reloads_ = 0;
  std::string last_reload_error_;
};

}  // namespace action_triggers
