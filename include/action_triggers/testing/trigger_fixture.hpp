// SPDX-License-Identifier: MIT
/// What would reach which broker: the application's real configuration and triggers, without a server.
///
///     auto fixture = at::testing::TriggerFixture::load("brokers.json");
///     EXPECT_THAT(fixture.emitted("order.paid", R"({"id": 42})"),
///                 ElementsAre(Sent("order_mails", BodyIsJson(R"({"order": 42})"), KeyIs("order-42"))));
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"
#include "action_triggers/kafka.hpp"
#include "action_triggers/rabbitmq.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "action_triggers/trigger_dispatcher.hpp"

namespace action_triggers::testing {

/// A message as a broker gets it, with the content type of `params` where it brings none of its own; or, if its status
/// is not ok, that none went there, and why. The matchers for messages (matchers.hpp) take it as well.
struct SentMessage : Message {
  std::string broker{};   ///< The destination.
  std::string trigger{};  ///< Empty: fired; or not known, see TriggerFixture::sent().
  Status status{};
  /// Where it went, with the params that a target of a trigger adds. nullptr if it went nowhere. Valid as long as the
  /// fixture.
  const BrokerConfig* destination = nullptr;
};

inline void PrintTo(const SentMessage& sent, std::ostream* out) {
  *out << (sent.status.ok() ? "to '" : "nothing to '") << sent.broker << "'";
  if (!sent.trigger.empty()) *out << " by trigger '" << sent.trigger << "'";
  *out << ": ";
  if (sent.status.ok()) {
    PrintTo(static_cast<const Message&>(sent), out);
  } else {
    *out << sent.status;
  }
}

namespace detail_of_fixture {

/// What the brokers of a fixture got, in the order of arrival, and what was reported as failed.
class Arrivals {
 public:
  /// Returns its index.
  std::size_t add(SentMessage message) {
    const std::lock_guard lock(mutex_);
    messages_.push_back(std::move(message));
    return messages_.size() - 1;
  }
  SentMessage at(std::size_t index) {
    const std::lock_guard lock(mutex_);
    return messages_.at(index);
  }
  /// All since the call before.
  std::vector<SentMessage> take() {
    const std::lock_guard lock(mutex_);
    const auto first = messages_.begin() + static_cast<std::ptrdiff_t>(std::exchange(taken_, messages_.size()));
    return {first, messages_.end()};
  }

 private:
  std::mutex mutex_;
  std::vector<SentMessage> messages_;
  std::size_t taken_ = 0;
};

/// Confirms everything at once. A message's index among the arrivals is its report's offset.
class RecordingBroker final : public Broker {
 public:
  explicit RecordingBroker(std::shared_ptr<Arrivals> arrivals) : arrivals_(std::move(arrivals)) {}
  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override {
    for (const OutboundMessage* message : batch) {
      SentMessage sent;
      static_cast<Message&>(sent) = message->copy();
      sent.destination = &message->destination();
      sent.broker = sent.destination->name;
      if (sent.content_type.empty()) sent.content_type = default_content_type(*sent.destination);
      const std::size_t index = arrivals_->add(std::move(sent));
      events.complete(*message, Outcome::persisted(-1, static_cast<std::int64_t>(index)));
    }
    return batch.size();
  }

 private:
  static std::string default_content_type(const BrokerConfig& destination) {
    if (const auto* kafka = dynamic_cast<const KafkaConfig*>(&destination)) return kafka->content_type;
    if (const auto* rabbitmq = dynamic_cast<const RabbitMqConfig*>(&destination)) return rabbitmq->content_type;
    return {};
  }

  const std::shared_ptr<Arrivals> arrivals_;
};

/// The same types, read by their own parsers, with other brokers behind them.
inline BrokerRegistry recording(BrokerRegistry registry, const std::shared_ptr<Arrivals>& arrivals) {
  for (const std::string& type : registry.types()) {
    registry.add(type, [arrivals](const BrokerConfig&) { return std::make_unique<RecordingBroker>(arrivals); });
  }
  return registry;
}

}  // namespace detail_of_fixture

/// A real dispatcher with the application's configuration, whose brokers are in memory and confirm everything at once.
/// All else is what runs in production: the loader, the triggers, the destinations with their capacity. No call sleeps.
///
/// Threads: one at a time, apart from dispatcher(), whose members have rules of their own.
class TriggerFixture {
 public:
  /// As load_config() and parse_config(), and throws as they do. The placeholders `${…}` of the file must have values:
  /// set the variables before. `registry`: with the application's own broker types; their makers are not used.
  static TriggerFixture load(const std::string& path, const BrokerRegistry& registry = BrokerRegistry::builtin(),
                             const ConfigOptions& options = {}) {
    return TriggerFixture(load_config(path, registry_to_load(registry), options), registry);
  }
  static TriggerFixture parse(std::string_view text, const BrokerRegistry& registry = BrokerRegistry::builtin(),
                              const ConfigOptions& options = {}) {
    return TriggerFixture(parse_config(text, registry_to_load(registry), options), registry);
  }

  /// With a configuration that the application has loaded itself.
  explicit TriggerFixture(Config config, const BrokerRegistry& registry = BrokerRegistry::builtin())
      : arrivals_(std::make_shared<detail_of_fixture::Arrivals>()),
        dispatcher_(std::move(config), detail_of_fixture::recording(registry, arrivals_), remembering(arrivals_)) {}

  /// Emits, and says what each target of each trigger made of the event, in the configuration's order. Targets that
  /// cannot make their message are in it, with their status; those whose condition does not hold are not. Empty: no
  /// trigger sends the event anywhere.
  std::vector<SentMessage> emitted(std::string_view event, std::string_view payload) {
    return emitted_by(dispatcher_.emit(event, payload));
  }
  std::vector<SentMessage> emitted(std::string_view event, const Message& message) {
    return emitted_by(dispatcher_.emit(event, message));
  }
  template <ConvertibleToMessage T>
  std::vector<SentMessage> emitted(std::string_view event, const T& payload) {
    return emitted_by(dispatcher_.emit(event, payload));
  }

  /// For the application's own code, which fires and emits.
  TriggerDispatcher& dispatcher() noexcept { return dispatcher_; }

  /// What that code has sent since the last call of sent() or emitted(): destination after destination, by name, each
  /// in the order of arrival. Of messages that arrived it is not known which trigger sent them.
  std::vector<SentMessage> sent() {
    dispatcher_.flush();
    std::vector<SentMessage> all = arrivals_->take();
    std::stable_sort(all.begin(), all.end(),
                     [](const SentMessage& a, const SentMessage& b) { return a.broker < b.broker; });
    return all;
  }

 private:
  /// With types that this build has no backend for.
  static BrokerRegistry registry_to_load(const BrokerRegistry& registry) {
    return detail_of_fixture::recording(registry, nullptr);
  }
  static DispatcherOptions remembering(const std::shared_ptr<detail_of_fixture::Arrivals>& arrivals) {
    DispatcherOptions options;
    options.on_failure = [arrivals](const DeliveryReport& report) { arrivals->add(failed(report)); };
    return options;
  }
  static SentMessage failed(const DeliveryReport& report) {
    SentMessage nothing;
    nothing.id = report.message_id;
    nothing.broker = report.broker;
    nothing.trigger = report.trigger;
    nothing.status = report.status;
    return nothing;
  }
  std::vector<SentMessage> emitted_by(const Emission& emission) {
    std::vector<SentMessage> all;
    for (const DeliveryReport& report : emission.wait()) {
      if (report.status.ok()) {
        all.push_back(arrivals_->at(static_cast<std::size_t>(report.offset)));
        all.back().trigger = report.trigger;
      } else {
        all.push_back(failed(report));
      }
    }
    static_cast<void>(sent());
    return all;
  }

  std::shared_ptr<detail_of_fixture::Arrivals> arrivals_;
  TriggerDispatcher dispatcher_;
};

// Matchers of a SentMessage.

namespace detail_of_fixture {

MATCHER_P2(Went, broker, is_sent,
           std::string(negation ? "is not " : "is ") + (is_sent ? "sent to '" : "nothing to '") + broker + "'") {
  if (arg.broker != broker) {
    *result_listener << "whose broker is '" << arg.broker << "'";
    return false;
  }
  if (arg.status.ok() != is_sent) *result_listener << (is_sent ? "which was not sent" : "which was sent");
  return arg.status.ok() == is_sent;
}

template <class Config>
class DestinationMatcher {
 public:
  using is_gtest_matcher = void;
  explicit DestinationMatcher(::testing::Matcher<const Config&> matcher) : matcher_(std::move(matcher)) {}
  bool MatchAndExplain(const SentMessage& sent, ::testing::MatchResultListener* listener) const {
    const auto* const config = dynamic_cast<const Config*>(sent.destination);
    if (config == nullptr) {
      *listener << "which has no destination of that type";
      return false;
    }
    return matcher_.MatchAndExplain(*config, listener);
  }
  void DescribeTo(std::ostream* out) const {
    *out << "destination ";
    matcher_.DescribeTo(out);
  }
  void DescribeNegationTo(std::ostream* out) const {
    *out << "destination ";
    matcher_.DescribeNegationTo(out);
  }

 private:
  ::testing::Matcher<const Config&> matcher_;
};

}  // namespace detail_of_fixture

/// A message that this broker gets, and all that `matchers` say of it.
template <class... Matchers>
::testing::Matcher<const SentMessage&> Sent(std::string_view broker, const Matchers&... matchers) {
  return ::testing::AllOf(detail_of_fixture::Went(std::string(broker), true), matchers...);
}
/// A message that should have gone to this broker, and could not be made or was refused: `HasCode` says why.
template <class... Matchers>
::testing::Matcher<const SentMessage&> NotSent(std::string_view broker, const Matchers&... matchers) {
  return ::testing::AllOf(detail_of_fixture::Went(std::string(broker), false), matchers...);
}
MATCHER_P(FromTrigger, name, detail_of_matchers::described("trigger", std::string(name), negation)) {
  if (arg.trigger != name) *result_listener << "whose trigger is '" << arg.trigger << "'";
  return arg.trigger == name;
}

/// The destination's configuration, with what the target of a trigger adds:
/// `DestinationIs<at::RabbitMqConfig>(Field("exchange", &at::RabbitMqConfig::exchange, "orders"))`.
template <class Config, class Matcher>
detail_of_fixture::DestinationMatcher<Config> DestinationIs(const Matcher& matcher) {
  return detail_of_fixture::DestinationMatcher<Config>(::testing::SafeMatcherCast<const Config&>(matcher));
}
/// The topic on Kafka.
MATCHER_P(TopicIs, matcher, detail_of_matchers::described("topic", matcher, negation)) {
  const auto* const kafka = dynamic_cast<const KafkaConfig*>(arg.destination);
  *result_listener << (kafka == nullptr ? "which does not go to Kafka" : "whose topic is '" + kafka->topic + "'");
  return kafka != nullptr && ::testing::Matches(matcher)(kafka->topic);
}
/// What RabbitMQ routes it by: the message's key where the destination says so, its routing key, or its queue's name.
MATCHER_P(RoutingKeyIs, matcher, detail_of_matchers::described("routing key", matcher, negation)) {
  const auto* const rabbitmq = dynamic_cast<const RabbitMqConfig*>(arg.destination);
  if (rabbitmq == nullptr) {
    *result_listener << "which does not go to RabbitMQ";
    return false;
  }
  const bool by_key = rabbitmq->key_as_routing_key && !arg.key.empty();
  const std::string& used = by_key                    ? static_cast<const std::string&>(arg.key)
                            : rabbitmq->queue.empty() ? rabbitmq->routing_key
                                                      : rabbitmq->queue;
  *result_listener << "whose routing key is '" << used << "'";
  return ::testing::Matches(matcher)(used);
}

}  // namespace action_triggers::testing
