// SPDX-License-Identifier: MIT
/// What a TriggerDispatcher is made of: shared with its open commit scopes, which may outlive it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/trace_context.hpp"
#include "triggers/dispatcher_access.hpp"
#include "triggers/emitter.hpp"

namespace action_triggers {

class TriggerDispatcher::Impl {
 public:
  Impl(Config&& config, const BrokerRegistry& with_registry, DispatcherOptions options);

  ReloadReport reload(Config&& given, std::chrono::nanoseconds drain);
  /// Counts what `load_and_reload` throws as a reload that failed.
  template <class LoadAndReload>
  ReloadReport counted(LoadAndReload&& load_and_reload);
  void add_to(Stats& stats) const;

  // For DispatcherAccess.
  [[nodiscard]] std::shared_ptr<const Config> config() const;
  void attach(detail::Companion* companion);  // nullptr: it has none any more

  const BrokerRegistry registry;
  detail::Emitter emitter;  // lasts longer than the lanes, which tell its triggers of outcomes
  const bool is_traced;     // whether hooks have a trace context
  detail::Dispatcher dispatcher;

  // See TriggerDispatcher. What is traced is apart, so that the others need not keep its registers.
  Delivery fire(std::string_view name, const detail::MessageParts& parts, DeliveryCallback&& callback) {
    if (is_traced) [[unlikely]]
      return fire_traced(name, parts, std::move(callback));
    return dispatcher.fire(name, parts, std::move(callback));
  }
  Emission emit(std::string_view event, const detail::MessageParts& parts, const DeliveryCallback& callback,
                detail::RecordList* scope = nullptr) {
    if (is_traced) [[unlikely]]
      return emit_traced(event, parts, callback, scope);
    return emitter.emit(event, parts, callback, scope);
  }
  /// In a commit scope.
  Delivery fire(std::string_view name, const detail::MessageParts& parts, DeliveryCallback&& callback,
                detail::RecordList& scope) {
    if (is_traced) [[unlikely]]
      return fire_traced(name, parts, std::move(callback), scope);
    return dispatcher.fire(name, parts, std::move(callback), scope);
  }

 private:
  template <class... Scope>
  [[gnu::noinline]] Delivery fire_traced(std::string_view name, const detail::MessageParts& parts,
                                         DeliveryCallback&& callback, Scope&... scope) {
    const detail::TracedParts traced(parts, dispatcher.callbacks());
    return dispatcher.fire(name, traced.parts(), std::move(callback), scope...);
  }
  [[gnu::noinline]] Emission emit_traced(std::string_view event, const detail::MessageParts& parts,
                                         const DeliveryCallback& callback, detail::RecordList* scope) {
    const detail::TracedParts traced(parts, dispatcher.callbacks());
    return emitter.emit(event, traced.parts(), callback, scope);
  }

  void log_warnings(const Config& config);

  mutable std::mutex companion_mutex_;  // held while it is called
  detail::Companion* companion_ = nullptr;

  mutable std::mutex mutex_;
  std::shared_ptr<const Config> config_;  // under mutex_, as is what follows
  std::uint64_t reloads_ = 0;
  std::uint64_t failed_reloads_ = 0;
  std::string last_reload_error_;
};

}  // namespace action_triggers
