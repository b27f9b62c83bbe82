// SPDX-License-Identifier: MIT
/// An outbox whose table and whose broker are in memory.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"
#include "action_triggers/memory.hpp"
#include "action_triggers/outbox.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "outbox/outbox_config.hpp"
#include "support/memory_outbox_store.hpp"

namespace action_triggers::tests {

class MemoryBackedOutbox : public Outbox {
 public:
  MemoryBackedOutbox(TriggerDispatcher& dispatcher, MemoryOutbox& table)
      : Outbox(dispatcher, memory_outbox_driver(table)) {}
};

class MemoryTransaction : public OutboxTransaction {
 public:
  explicit MemoryTransaction(Outbox& outbox) : OutboxTransaction(outbox) {}
  using OutboxTransaction::clear;
  using OutboxTransaction::keep;
  using OutboxTransaction::rows;

  void commit(MemoryOutbox& table) {
    for (const detail::NewRow& row : rows()) table.insert(row);
    clear();
    outbox().committed();
  }
};

class OutboxFixture : public ::testing::Test {
 protected:
  OutboxFixture() { registry_.add("memory", broker_->maker()); }

  /// Brokers orders and mails, with these params, and these triggers.
  Config config_of(const std::string& triggers = "{}", const std::string& params = "{}") const {
    const std::string broker = R"({"broker_type": "memory", "params": )" + params + "}";
    Config config = parse_config(
        R"({"brokers": {"orders": )" + broker + R"(, "mails": )" + broker + R"(}, "triggers": )" + triggers + "}",
        registry_);
    config.set_section<detail::OutboxConfig>(std::make_shared<const detail::OutboxConfig>(settings_));
    return config;
  }
  Outbox& make(const std::string& triggers = "{}", const std::string& params = "{}") {
    return make(config_of(triggers, params));
  }
  Outbox& make(Config config) {
    DispatcherOptions options;
    options.close_timeout = std::chrono::milliseconds(100);
    options.log = [this](LogLevel, std::string_view component, std::string_view text) {
      const std::lock_guard lock(log_mutex_);
      if (component == "outbox") log_.emplace_back(text);
    };
    options.on_failure = [this](const DeliveryReport& report) {
      const std::lock_guard lock(log_mutex_);
      failures_.push_back(report.trigger + " " + report.status.to_string());
    };
    options.trace_context = trace_context_;
    dispatcher_.emplace(std::move(config), registry_, std::move(options));
    outbox_.emplace(*dispatcher_, table_);
    return *outbox_;
  }
  [[nodiscard]] std::vector<std::string> log() const {
    const std::lock_guard lock(log_mutex_);
    return log_;
  }
  [[nodiscard]] std::vector<std::string> failures() const {
    const std::lock_guard lock(log_mutex_);
    return failures_;
  }
  bool wait_until_size_is(std::size_t size) {
    return table_.wait_until([size](const MemoryOutbox& table) { return table.size_locked() == size; });
  }
  bool wait_until_dead_are(std::size_t count) {
    return table_.wait_until([count](const MemoryOutbox& table) { return table.dead_locked() == count; });
  }
  [[nodiscard]] std::vector<std::string> bodies(const std::string& destination) const {
    std::vector<std::string> all;
    for (const Message& message : broker_->messages(destination)) all.push_back(message.body);
    return all;
  }

  static detail::OutboxConfig memory_settings() {
    detail::OutboxConfig settings;
    settings.type = detail::OutboxType::sqlite;
    settings.poll_min = std::chrono::milliseconds(1);
    settings.poll_max = std::chrono::milliseconds(5);
    return settings;
  }

  mutable std::mutex log_mutex_;
  std::vector<std::string> log_;
  std::vector<std::string> failures_;
  std::function<TraceContext()> trace_context_;  // for make()
  detail::OutboxConfig settings_ = memory_settings();
  const std::shared_ptr<InMemoryBroker> broker_ = std::make_shared<InMemoryBroker>();
  BrokerRegistry registry_ = BrokerRegistry::builtin();
  MemoryOutbox table_;
  std::optional<TriggerDispatcher> dispatcher_;
  std::optional<MemoryBackedOutbox> outbox_;
};

}  // namespace action_triggers::tests
