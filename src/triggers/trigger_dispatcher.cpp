// SPDX-License-Identifier: MIT
#include "action_triggers/trigger_dispatcher.hpp"

#include <utility>

#include "action_triggers/broker_registry.hpp"
#include "dispatch/dispatcher.hpp"
#include "triggers/emitter.hpp"
#include "triggers/trigger_config.hpp"

namespace action_triggers {
namespace {

detail::MoreDestinations more_destinations(const Config& config) {
  const auto* const triggers = config.section<detail::TriggersConfig>();
  if (triggers == nullptr) return {};
  return {.derived = triggers->derived, .incomplete = triggers->incomplete};
}

}  // namespace

class TriggerDispatcher::Impl {
 public:
  Impl(Config&& config, const BrokerRegistry& registry, DispatcherOptions options)
      : dispatcher(config.brokers, registry, std::move(options), more_destinations(config)) {
    emitter.bind(dispatcher, config.shared_section<detail::TriggersConfig>());
    for (const ConfigProblem& warning : config.warnings) {
      dispatcher.callbacks().log(LogLevel::warning, "config",
                                 warning.broker.empty() ? warning.text : warning.broker + ": " + warning.text);
    }
  }

  detail::Emitter emitter;  // lasts longer than the lanes, which tell its triggers of outcomes
  detail::Dispatcher dispatcher;
};

TriggerDispatcher::TriggerDispatcher(Config config)
    : TriggerDispatcher(std::move(config), BrokerRegistry::builtin(), DispatcherOptions()) {}

TriggerDispatcher::TriggerDispatcher(Config config, const BrokerRegistry& registry, DispatcherOptions options)
    : impl_(std::make_unique<Impl>(std::move(config), registry, std::move(options))) {}

TriggerDispatcher::TriggerDispatcher(Config config, DispatcherOptions options)
    : TriggerDispatcher(std::move(config), BrokerRegistry::builtin(), std::move(options)) {}

TriggerDispatcher::TriggerDispatcher(TriggerDispatcher&&) noexcept = default;
TriggerDispatcher& TriggerDispatcher::operator=(TriggerDispatcher&&) noexcept = default;
TriggerDispatcher::~TriggerDispatcher() = default;

Delivery TriggerDispatcher::fire(std::string_view broker, const Message& message) {
  return impl_->dispatcher.fire(broker, {message.body, &message}, {});
}

Delivery TriggerDispatcher::fire(std::string_view broker, std::string_view body) {
  return impl_->dispatcher.fire(broker, {body, nullptr}, {});
}

Delivery TriggerDispatcher::fire(std::string_view broker, const Message& message, DeliveryCallback callback) {
  return impl_->dispatcher.fire(broker, {message.body, &message}, std::move(callback));
}

Delivery TriggerDispatcher::fire(std::string_view broker, std::string_view body, DeliveryCallback callback) {
  return impl_->dispatcher.fire(broker, {body, nullptr}, std::move(callback));
}

Emission TriggerDispatcher::emit(std::string_view event, const Message& message) {
  return impl_->emitter.emit(event, {message.body, &message}, {});
}

Emission TriggerDispatcher::emit(std::string_view event, std::string_view payload) {
  return impl_->emitter.emit(event, {payload, nullptr}, {});
}

Emission TriggerDispatcher::emit(std::string_view event, const Message& message, DeliveryCallback callback) {
  return impl_->emitter.emit(event, {message.body, &message}, callback);
}

Emission TriggerDispatcher::emit(std::string_view event, std::string_view payload, DeliveryCallback callback) {
  return impl_->emitter.emit(event, {payload, nullptr}, callback);
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
  impl_->emitter.add_to(stats);
  return stats;
}

}  // namespace action_triggers
