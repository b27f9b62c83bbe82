// SPDX-License-Identifier: MIT
#include "action_triggers/outbox.hpp"

#include <chrono>
#include <stdexcept>
#include <utility>

#include "action_triggers/trigger_dispatcher.hpp"
#include "base/fork.hpp"
#include "base/message_id.hpp"
#include "base/readers.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/later.hpp"
#include "dispatch/trace_context.hpp"
#include "outbox/outbox_config.hpp"
#include "outbox/outbox_driver.hpp"
#include "outbox/outbox_row.hpp"
#include "outbox/relay.hpp"
#include "outbox/row_codec.hpp"
#include "triggers/dispatcher_access.hpp"

namespace action_triggers {
namespace {

std::shared_ptr<const detail::OutboxConfig> config_of(const detail::DispatcherAccess& access,
                                                      const detail::OutboxDriver& driver) {
  auto config = access.config()->shared_section<detail::OutboxConfig>();
  if (config == nullptr || config->type != driver.type) {
    throw std::invalid_argument("the configuration has no 'outbox' of \"type\": \"" + std::string(driver.name) + "\"");
  }
  return config;
}

}  // namespace

class Outbox::Impl final : public detail::Companion {
 public:
  Impl(TriggerDispatcher& dispatcher, const detail::OutboxDriver& with_driver)
      : access(dispatcher),
        driver(with_driver),
        config(config_of(access, driver)),
        process_(detail::fork_generation()) {
    auto store = driver.store(*config);
    const detail::OutboxInfo info = store->reopen();
    if (config->relay) relay_ = std::make_unique<detail::Relay>(access, *config, std::move(store), info);
    access.attach(*this);
  }
  ~Impl() {
    if (is_in_child()) {
      static_cast<void>(relay_.release());  // its thread is the parent's
      return;
    }
    access.detach();
  }

  [[nodiscard]] detail::NewRow row_of(std::string_view destination, const detail::MessageParts& message) const {
    const detail::ReadSection reading;
    if (destination.starts_with(detail::event_prefix)) {
      throw std::invalid_argument("a destination whose name begins with 'event:' cannot be in an outbox");
    }
    if (access.dispatcher().find(destination) == nullptr) {
      throw std::invalid_argument(access.dispatcher().why_unknown(destination));
    }
    return new_row(std::string(destination), message);
  }
  [[nodiscard]] detail::NewRow event_row_of(std::string_view event, const detail::MessageParts& message) const {
    if (event.empty()) throw std::invalid_argument("an event needs a name");
    return new_row(std::string(detail::event_prefix) + std::string(event), message);
  }

  /// nullptr: it does not run here.
  [[nodiscard]] detail::Relay* relay() const noexcept { return is_in_child() ? nullptr : relay_.get(); }

  // Companion
  void check_reload(const Config& next) const override {
    const auto* const section = next.section<detail::OutboxConfig>();
    if (section == nullptr || !(*section == *config)) {
      throw std::invalid_argument("the section 'outbox' cannot change while the program runs; start it anew");
    }
  }
  void reloaded() noexcept override {
    if (relay() != nullptr) relay()->configuration_changed();
  }
  void add_to(Stats& stats) const override {
    if (relay() != nullptr) stats.outbox = relay()->stats();
  }

  const detail::DispatcherAccess access;
  const detail::OutboxDriver& driver;
  const std::shared_ptr<const detail::OutboxConfig> config;

 private:
  [[nodiscard]] bool is_in_child() const noexcept { return process_ != detail::fork_generation(); }
  /// On the hook's thread, whose trace the row keeps.
  [[nodiscard]] detail::NewRow new_row(std::string target, const detail::MessageParts& message) const {
    detail::Callbacks& callbacks = access.dispatcher().callbacks();
    if (!callbacks.options.trace_context) return untraced_row(std::move(target), message);
    return untraced_row(std::move(target), detail::TracedParts(message, callbacks).parts());
  }
  static detail::NewRow untraced_row(std::string target, const detail::MessageParts& message) {
    std::string id;
    if (detail::Payload::has_own_id(message)) {
      id = message.rest->id;
    } else {
      id.resize(detail::MessageId::text_size);
      detail::next_message_id(detail::coarse_unix_ms()).write_text(id.data());
    }
    return detail::to_row(std::move(target), message, std::move(id));
  }

  const std::uint32_t process_;  // fork_generation() of the process that made this
  std::unique_ptr<detail::Relay> relay_;
};

// ------------------------------------------------------------------------------------------------------------- outbox

namespace {

OutboxValues values_of(detail::NewRow&& row) {
  OutboxValues values;
  values.message_id = *row.message_id;
  values.values = {std::move(row.target),     std::move(row.body),         std::move(row.key),
                   std::move(row.message_id), std::move(row.content_type), std::move(row.headers),
                   std::move(row.properties)};
  return values;
}

}  // namespace

Outbox::Outbox(TriggerDispatcher& dispatcher, const detail::OutboxDriver& driver)
    : impl_(std::make_unique<Impl>(dispatcher, driver)) {}

Outbox::~Outbox() { close_within(std::chrono::seconds(5)); }

std::string Outbox::insert_statement() const { return impl_->driver.insert_statement(*impl_->config); }

OutboxValues Outbox::row(std::string_view destination, const Message& message) const {
  return values_of(impl_->row_of(destination, {message.body, &message}));
}

OutboxValues Outbox::event_row(std::string_view event, const Message& message) const {
  return values_of(impl_->event_row_of(event, {message.body, &message}));
}

void Outbox::committed() noexcept {
  if (impl_->relay() != nullptr) impl_->relay()->committed();
}

bool Outbox::empty_within(std::chrono::nanoseconds timeout) {
  return impl_->relay() != nullptr && impl_->relay()->wait_until_empty(detail::later(timeout));
}

void Outbox::close_within(std::chrono::nanoseconds timeout) {
  if (impl_->relay() != nullptr) impl_->relay()->close(detail::later(timeout));
}

const detail::OutboxConfig& Outbox::config() const noexcept { return *impl_->config; }

// -------------------------------------------------------------------------------------------------------- transaction

OutboxTransaction::OutboxTransaction(Outbox& outbox) : outbox_(outbox) {}
OutboxTransaction::~OutboxTransaction() = default;

detail::NewRow& OutboxTransaction::add(detail::NewRow&& row) {
  if (rows_.empty()) rows_.reserve(8);  // a row that moves costs as much as a short one that is made
  return rows_.emplace_back(std::move(row));
}

std::string OutboxTransaction::fire(std::string_view destination, const Message& message) {
  return *add(outbox_.impl_->row_of(destination, {message.body, &message})).message_id;
}

std::string OutboxTransaction::fire(std::string_view destination, std::string_view body) {
  return *add(outbox_.impl_->row_of(destination, {body, nullptr})).message_id;
}

std::string OutboxTransaction::emit(std::string_view event, const Message& message) {
  return *add(outbox_.impl_->event_row_of(event, {message.body, &message})).message_id;
}

std::string OutboxTransaction::emit(std::string_view event, std::string_view payload) {
  return *add(outbox_.impl_->event_row_of(event, {payload, nullptr})).message_id;
}

std::size_t OutboxTransaction::size() const noexcept { return rows_.size(); }
void OutboxTransaction::clear() noexcept { rows_.clear(); }
void OutboxTransaction::keep(std::size_t count) noexcept {
  if (count < rows_.size()) rows_.erase(rows_.begin() + static_cast<std::ptrdiff_t>(count), rows_.end());
}

}  // namespace action_triggers
