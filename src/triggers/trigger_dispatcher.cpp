// SPDX-License-Identifier: MIT
#include "action_triggers/trigger_dispatcher.hpp"

#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "config/loader.hpp"
#include "dispatch/later.hpp"
#include "triggers/cloudevents_broker.hpp"
#include "triggers/dispatcher_access.hpp"
#include "triggers/trigger_config.hpp"
#include "triggers/trigger_dispatcher_impl.hpp"

namespace action_triggers {
namespace {

detail::MoreDestinations more_destinations(const Config& config) {
  const auto* const triggers = config.section<detail::TriggersConfig>();
  if (triggers == nullptr) return {};
  return {.derived = triggers->derived, .incomplete = triggers->incomplete};
}

/// For the log.
std::string text_of(const ReloadReport& report) {
  std::string text;
  const auto add = [&](const char* what, const std::vector<std::string>& names) {
    if (names.empty()) return;
    text += (text.empty() ? "" : ", ") + std::string(what);
    for (const std::string& name : names) text += (&name == &names.front() ? " " : ", ") + name;
  };
  add("added", report.added);
  add("changed", report.changed);
  add("removed", report.removed);
  return "the configuration was reloaded: " + (text.empty() ? "the same destinations" : text);
}

}  // namespace

TriggerDispatcher::Impl::Impl(Config&& config, const BrokerRegistry& with_registry, DispatcherOptions options)
    : registry(detail::with_envelopes(with_registry)),
      is_traced(options.trace_context != nullptr),
      dispatcher(config.brokers, registry, std::move(options), more_destinations(config)) {
  emitter.bind(dispatcher, config.shared_section<detail::TriggersConfig>());
  log_warnings(config);
  config_ = std::make_shared<const Config>(std::move(config));
}

std::shared_ptr<const Config> TriggerDispatcher::Impl::config() const {
  const std::lock_guard lock(mutex_);
  return config_;
}

void TriggerDispatcher::Impl::attach(detail::Companion* companion) {
  const std::lock_guard lock(companion_mutex_);
  if (companion != nullptr && companion_ != nullptr)
    throw std::logic_error("the dispatcher has an outbox already; use that one");
  companion_ = companion;
}

void TriggerDispatcher::Impl::log_warnings(const Config& config) {
  for (const ConfigProblem& warning : config.warnings) {
    dispatcher.callbacks().log(LogLevel::warning, "config",
                               warning.broker.empty() ? warning.text : warning.broker + ": " + warning.text);
  }
}

ReloadReport TriggerDispatcher::Impl::reload(Config&& given, std::chrono::nanoseconds drain) {
  const auto next = std::make_shared<const Config>(std::move(given));
  const Config& config = *next;
  const auto with_companion = [this](const auto& call) {
    const std::lock_guard lock(companion_mutex_);
    if (companion_ != nullptr) call(*companion_);
  };
  with_companion([&](const detail::Companion& companion) { companion.check_reload(config); });
  detail::Emitter::Table old;  // freed at the end, when nobody can be using it
  std::shared_ptr<const Config> replaced = next;
  const auto rebind = [&](const detail::Dispatcher::FindNew& find) {
    const auto find_target = [&](const detail::TargetConfig& target) {
      const BrokerConfig* const wanted = target.derived != nullptr ? target.derived.get() : config.find(target.broker);
      return wanted == nullptr ? nullptr : find(*wanted);
    };
    auto table = std::make_shared<detail::Emitter::Table>(
        emitter.make_table(config.shared_section<detail::TriggersConfig>(), find_target));
    return detail::Dispatcher::Rebound{table->get(), [&, table] {
                                         old = emitter.swap(std::move(*table));
                                         const std::lock_guard lock(mutex_);
                                         config_.swap(replaced);
                                       }};
  };
  ReloadReport report =
      dispatcher.reload(config.brokers, more_destinations(config), registry, detail::later(drain), rebind);
  log_warnings(config);
  with_companion([](detail::Companion& companion) { companion.reloaded(); });
  return report;
}

template <class LoadAndReload>
ReloadReport TriggerDispatcher::Impl::counted(LoadAndReload&& load_and_reload) {
  try {
    ReloadReport report = load_and_reload();
    {
      const std::lock_guard lock(mutex_);
      ++reloads_;
    }
    dispatcher.callbacks().log(LogLevel::info, "config", text_of(report));
    return report;
  } catch (const std::exception& error) {
    {
      const std::lock_guard lock(mutex_);
      ++failed_reloads_;
      last_reload_error_ = error.what();
    }
    dispatcher.callbacks().log(
        LogLevel::error, "config",
        std::string("the configuration was not reloaded, the one before stays: ") + error.what());
    throw;
  }
}

void TriggerDispatcher::Impl::add_to(Stats& stats) const {
  emitter.add_to(stats);
  {
    const std::lock_guard lock(companion_mutex_);
    if (companion_ != nullptr) companion_->add_to(stats);
  }
  const std::lock_guard lock(mutex_);
  stats.reloads = reloads_;
  stats.failed_reloads = failed_reloads_;
  stats.last_reload_error = last_reload_error_;
}

TriggerDispatcher::TriggerDispatcher(Config config)
    : TriggerDispatcher(std::move(config), BrokerRegistry::builtin(), DispatcherOptions()) {}

TriggerDispatcher::TriggerDispatcher(Config config, const BrokerRegistry& registry, DispatcherOptions options)
    : impl_(std::make_shared<Impl>(std::move(config), registry, std::move(options))) {}

TriggerDispatcher::TriggerDispatcher(Config config, DispatcherOptions options)
    : TriggerDispatcher(std::move(config), BrokerRegistry::builtin(), std::move(options)) {}

TriggerDispatcher::TriggerDispatcher(TriggerDispatcher&&) noexcept = default;
TriggerDispatcher& TriggerDispatcher::operator=(TriggerDispatcher&& other) noexcept {
  TriggerDispatcher taken(std::move(other));
  std::swap(impl_, taken.impl_);  // the one before ends with `taken`
  return *this;
}
TriggerDispatcher::~TriggerDispatcher() {
  if (impl_ != nullptr) impl_->dispatcher.shut_down();  // open commit scopes may share it
}

Delivery TriggerDispatcher::fire(std::string_view broker, const Message& message) {
  return impl_->fire(broker, {message.body, &message}, {});
}

Delivery TriggerDispatcher::fire(std::string_view broker, std::string_view body) {
  return impl_->fire(broker, {body, nullptr}, {});
}

Delivery TriggerDispatcher::fire(std::string_view broker, const Message& message, DeliveryCallback callback) {
  return impl_->fire(broker, {message.body, &message}, std::move(callback));
}

Delivery TriggerDispatcher::fire(std::string_view broker, std::string_view body, DeliveryCallback callback) {
  return impl_->fire(broker, {body, nullptr}, std::move(callback));
}

Emission TriggerDispatcher::emit(std::string_view event, const Message& message) {
  return impl_->emit(event, {message.body, &message}, {});
}

Emission TriggerDispatcher::emit(std::string_view event, std::string_view payload) {
  return impl_->emit(event, {payload, nullptr}, {});
}

Emission TriggerDispatcher::emit(std::string_view event, const Message& message, const DeliveryCallback& callback) {
  return impl_->emit(event, {message.body, &message}, callback);
}

Emission TriggerDispatcher::emit(std::string_view event, std::string_view payload, const DeliveryCallback& callback) {
  return impl_->emit(event, {payload, nullptr}, callback);
}

void TriggerDispatcher::on(std::string_view pattern, std::string_view name, EventFunction function) {
  impl_->emitter.on(pattern, name, std::move(function));
}
bool TriggerDispatcher::off(std::string_view name) { return impl_->emitter.off(name); }

ReloadReport TriggerDispatcher::reload(Config config) {
  return reload_within(std::move(config), impl_->dispatcher.callbacks().options.close_timeout);
}

ReloadReport TriggerDispatcher::reload_within(Config config, std::chrono::nanoseconds drain) {
  return impl_->counted([&] { return impl_->reload(std::move(config), drain); });
}

ReloadReport TriggerDispatcher::reload_file(const std::string& path, const ConfigOptions& options) {
  std::vector<std::string> files;
  return reload_file(path, options, files);
}

ReloadReport TriggerDispatcher::reload_file(const std::string& path, const ConfigOptions& options,
                                            std::vector<std::string>& files) {
  const auto drain = impl_->dispatcher.callbacks().options.close_timeout;
  return impl_->counted([&] {
    Config config = detail::load_file(path, impl_->registry, options, &files);
    return impl_->reload(std::move(config), drain);
  });
}

bool TriggerDispatcher::flush_within(std::chrono::nanoseconds timeout) { return impl_->dispatcher.flush(timeout); }
CloseReport TriggerDispatcher::close_within(std::chrono::nanoseconds timeout) {
  return impl_->dispatcher.close(timeout);
}
bool TriggerDispatcher::connected_within(std::chrono::nanoseconds timeout) {
  return impl_->dispatcher.wait_until_connected(timeout);
}
bool TriggerDispatcher::connected_within(std::string_view destination, std::chrono::nanoseconds timeout) {
  return impl_->dispatcher.wait_until_connected(destination, timeout);
}
CloseReport TriggerDispatcher::close() {
  return impl_->dispatcher.close(impl_->dispatcher.callbacks().options.close_timeout);
}
Stats TriggerDispatcher::stats() const {
  Stats stats = impl_->dispatcher.stats();
  if (!stats.in_child_of_fork) impl_->add_to(stats);  // which locks what another thread may have had at the fork
  return stats;
}

Health TriggerDispatcher::health() const { return health_of(stats()); }

// ------------------------------------------------------------------------------------------------- for the outbox

namespace detail {

DispatcherAccess::DispatcherAccess(TriggerDispatcher& dispatcher) noexcept : impl_(dispatcher.impl_.get()) {}
Dispatcher& DispatcherAccess::dispatcher() const noexcept { return impl_->dispatcher; }
Emitter& DispatcherAccess::emitter() const noexcept { return impl_->emitter; }
std::shared_ptr<const Config> DispatcherAccess::config() const { return impl_->config(); }
void DispatcherAccess::attach(Companion& companion) const { impl_->attach(&companion); }
void DispatcherAccess::detach() const noexcept { impl_->attach(nullptr); }

}  // namespace detail
}  // namespace action_triggers
