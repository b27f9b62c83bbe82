// SPDX-License-Identifier: MIT
// The dispatcher below TriggerDispatcher: destinations that come and go while messages flow.
#include "dispatch/dispatcher.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "action_triggers/memory.hpp"
#include "support/gate.hpp"
#include "support/registries.hpp"
#include "support/waiting_call.hpp"
#include "unit/configs.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;

TimePoint in_a_minute() { return Clock::now() + 1min; }

struct Heard final : OutcomeObserver {
  void resolved(const Record&, StatusCode code, Persistence) noexcept override {
    ++outcomes;
    last = code;
  }
  void resolved_late(const Record&, StatusCode, Persistence) noexcept override { ++late; }
  std::atomic<int> outcomes{0};
  std::atomic<int> late{0};
  std::atomic<StatusCode> last{StatusCode::ok};
};

class InternalDispatcherTest : public ::testing::Test {
 protected:
  static std::shared_ptr<const BrokerConfig> config_of(const std::string& name, const std::string& connection) {
    return tests::config_of({name}, [&](BrokerConfig& config) { config.connection_key = connection; }).brokers.at(name);
  }
  void make(std::initializer_list<std::string> names, const std::function<void(BrokerConfig&)>& adjust = {}) {
    dispatcher_ = std::make_unique<Dispatcher>(tests::config_of(names, adjust).brokers, registry_, DispatcherOptions());
  }
  Destination& add(const std::string& name, const std::string& connection = "shared") {
    return dispatcher_->add(config_of(name, connection), registry_);
  }
  Delivery fire(std::string_view name, std::string_view body = "x", OutcomeObserver* observer = nullptr) {
    if (observer == nullptr) return dispatcher_->fire(name, {body, nullptr}, {});
    FireOrigin origin{.observer = observer};
    return dispatcher_->fire(*dispatcher_->find(name), {body, nullptr}, {}, origin);
  }
  /// As wait(), but a test that fails does not hang.
  static StatusCode outcome_of(const Delivery& delivery) {
    const DeliveryReport* const report = delivery.wait_for(1min);
    return report == nullptr ? StatusCode::internal : report->status.code();
  }
  StatusCode outcome_of_fire(std::string_view name) { return outcome_of(fire(name)); }

  const std::shared_ptr<InMemoryBroker> memory_ = std::make_shared<InMemoryBroker>();
  const BrokerRegistry registry_ = tests::registry_of(memory_->maker());
  std::unique_ptr<Dispatcher> dispatcher_;
};

TEST_F(InternalDispatcherTest, FindsItsDestinations) {
  make({"a", "b"});
  ASSERT_NE(dispatcher_->find("a"), nullptr);
  EXPECT_EQ(dispatcher_->find("a")->name, "a");
  EXPECT_EQ(dispatcher_->find("c"), nullptr);
  EXPECT_EQ(outcome_of_fire("a"), StatusCode::ok);
  EXPECT_EQ(outcome_of_fire("c"), StatusCode::not_found);
  EXPECT_EQ(dispatcher_->stats().unknown_broker, 1U);
}

struct Counted final : OutcomeObserver {
  void resolved(const Record&, StatusCode, Persistence) noexcept override { ++outcomes; }
  void resolved_late(const Record&, StatusCode, Persistence) noexcept override {}
  [[nodiscard]] std::string_view trigger() const noexcept override { return "paid"; }
  std::atomic<int> outcomes{0};
};

TEST_F(InternalDispatcherTest, OneMessageToSeveralDestinationsHasOneIdAndOnePayload) {
  make({"a", "b", "full"}, [](BrokerConfig& config) {
    if (config.name == "full") config.max_queued_bytes = 1;
  });
  Counted counted;
  FireOrigin origin{.observer = &counted, .shared = true};
  std::vector<Delivery> deliveries;
  for (const char* name : {"full", "a", "b"}) {
    deliveries.push_back(dispatcher_->fire(*dispatcher_->find(name), {"the body", nullptr}, {}, origin));
  }
  EXPECT_EQ(outcome_of(deliveries[0]), StatusCode::too_large);
  EXPECT_EQ(outcome_of(deliveries[1]), StatusCode::ok);
  EXPECT_EQ(outcome_of(deliveries[2]), StatusCode::ok);
  EXPECT_EQ(deliveries[1].wait().message_id, deliveries[2].wait().message_id);
  EXPECT_EQ(deliveries[2].wait().trigger, "paid");
  EXPECT_EQ(deliveries[0].wait().trigger, "paid");
  EXPECT_EQ(memory_->messages("a").at(0).body, "the body");
  EXPECT_EQ(memory_->messages("b").at(0).body, "the body");
  EXPECT_EQ(counted.outcomes, 3);
}

TEST_F(InternalDispatcherTest, ItsCallerMayRefuseAMessage) {
  make({"a"});
  Counted counted;
  MessageId id = next_message_id(coarse_unix_ms());
  const FireOrigin origin{.observer = &counted, .id = &id};
  const Delivery delivery =
      dispatcher_->refuse(*dispatcher_->find("a"), {"x", nullptr}, {}, origin, {StatusCode::invalid_argument, "no"});
  ASSERT_TRUE(delivery.done());
  EXPECT_EQ(delivery.wait().status.message(), "no");
  EXPECT_EQ(delivery.wait().broker, "a");
  std::string text(MessageId::text_size, ' ');
  id.write_text(text.data());
  EXPECT_EQ(delivery.wait().message_id, text);
  EXPECT_EQ(dispatcher_->stats().brokers.at("a").failed, 1U);
  EXPECT_EQ(counted.outcomes, 1);
  EXPECT_TRUE(memory_->messages("a").empty());
}

/// A registry whose brokers take their time until the gate opens.
BrokerRegistry slow_registry(InMemoryBroker& memory, tests::Gate& made) {
  return tests::registry_of([make = memory.maker(), &made](const BrokerConfig& config) {
    made.wait();
    return make(config);
  });
}

TEST_F(InternalDispatcherTest, ARegistryThatTakesItsTimeHoldsUpTheAdditionOnly) {
  make({"a"});
  tests::Gate made;
  const BrokerRegistry slow = slow_registry(*memory_, made);
  tests::WaitingCall adding([&] { dispatcher_->add(config_of("b", "of its own"), slow); });
  ASSERT_TRUE(adding.waits());
  EXPECT_EQ(dispatcher_->stats().brokers.size(), 1U);
  EXPECT_EQ(outcome_of_fire("a"), StatusCode::ok);
  EXPECT_TRUE(dispatcher_->flush(1min));
  EXPECT_TRUE(dispatcher_->wait_until_connected(1min));
  EXPECT_FALSE(adding.returned()) << "the others waited for the registry";
  made.open();
  adding.join();
  EXPECT_EQ(outcome_of_fire("b"), StatusCode::ok);
}

TEST_F(InternalDispatcherTest, WhatIsAddedWhileTheDispatcherIsClosedIsClosed) {
  make({"a"});
  tests::Gate made;
  const BrokerRegistry slow = slow_registry(*memory_, made);
  tests::WaitingCall adding([&] { dispatcher_->add(config_of("b", "of its own"), slow); });
  ASSERT_TRUE(adding.waits());
  EXPECT_TRUE(dispatcher_->close(1min).complete());
  EXPECT_FALSE(adding.returned()) << "close() waited for the registry";
  made.open();
  adding.join();
  EXPECT_EQ(outcome_of_fire("b"), StatusCode::closed);
  dispatcher_.reset();  // ends the lane that came late, too
}

TEST_F(InternalDispatcherTest, ABrokerThatCannotBeMadeLeavesNothingBehind) {
  make({"a"});
  const BrokerRegistry broken = tests::registry_of(
      [](const BrokerConfig&) -> std::unique_ptr<Broker> { throw std::runtime_error("no broker today"); });
  EXPECT_THROW(dispatcher_->add(config_of("b", "of its own"), broken), std::runtime_error);
  EXPECT_EQ(dispatcher_->find("b"), nullptr);
  EXPECT_EQ(dispatcher_->stats().brokers.count("b"), 0U);
  EXPECT_EQ(dispatcher_->stats().lanes, 1U);
  add("b", "of its own");
  EXPECT_EQ(outcome_of_fire("b"), StatusCode::ok);
}

/// An entry of the brokers map is a destination, the broker is the server (docs/glossary.md).
TEST_F(InternalDispatcherTest, WhatItSaysOfADestinationCallsItOne) {
  make({"a"});
  EXPECT_EQ(fire("b").wait().status.message(), "no destination is named 'b' in the configuration. Did you mean 'a'?");
  const auto said = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const std::exception& error) {
      return error.what();
    }
    return "nothing";
  };
  EXPECT_EQ(said([&] { add("a"); }), "there is a destination named 'a' already");
  const auto made_with = [&](const std::string& name, const std::shared_ptr<const BrokerConfig>& config,
                             const BrokerRegistry& registry) {
    return said([&] { const Dispatcher other({{name, config}}, registry, DispatcherOptions()); });
  };
  EXPECT_EQ(made_with("b", nullptr, registry_), "destination 'b' has no configuration (nullptr)");
  EXPECT_EQ(made_with("b", config_of("c", "x"), registry_), "destination 'b' has a configuration of another name, 'c'");
  EXPECT_THAT(made_with("b", config_of("b", "x"), BrokerRegistry()),
              ::testing::StartsWith("destination 'b': the registry"));
}

TEST_F(InternalDispatcherTest, ADestinationMoreOnAConnectionThatThereIs) {
  make({"a"});
  Destination& b = add("b");
  EXPECT_EQ(dispatcher_->find("b"), &b);
  EXPECT_EQ(outcome_of_fire("b"), StatusCode::ok);
  EXPECT_EQ(dispatcher_->stats().lanes, 1U);
  EXPECT_EQ(memory_->messages("b").size(), 1U);
}

TEST_F(InternalDispatcherTest, ADestinationMoreOnANewConnection) {
  make({"a"});
  add("b", "another");
  EXPECT_EQ(outcome_of_fire("b"), StatusCode::ok);
  EXPECT_EQ(dispatcher_->stats().lanes, 2U);
}

TEST_F(InternalDispatcherTest, ANameThatIsTakenIsRefused) {
  make({"a"});
  EXPECT_THROW(add("a"), std::invalid_argument);
  EXPECT_THROW(add("a", "another"), std::invalid_argument);
  EXPECT_EQ(outcome_of_fire("a"), StatusCode::ok);
}

TEST_F(InternalDispatcherTest, ATypeThatNobodyMakesLeavesEverythingAsItWas) {
  make({"a"});
  EXPECT_THROW(dispatcher_->add(config_of("b", "another"), BrokerRegistry()), std::runtime_error);
  EXPECT_EQ(dispatcher_->find("b"), nullptr);
  EXPECT_EQ(dispatcher_->stats().lanes, 1U);
  add("b", "another");
  EXPECT_EQ(outcome_of_fire("b"), StatusCode::ok);
}

TEST_F(InternalDispatcherTest, WhatWasFiredBeforeARemovalIsDelivered) {
  make({"a", "b"});
  memory_->hold();
  std::vector<Delivery> fired;
  for (int i = 0; i < 100; ++i) fired.push_back(fire("a"));
  Destination& removed = *dispatcher_->find("a");
  ASSERT_TRUE(dispatcher_->remove("a", in_a_minute()));
  EXPECT_FALSE(dispatcher_->remove("a", in_a_minute()));
  EXPECT_EQ(outcome_of_fire("a"), StatusCode::not_found);
  FireOrigin origin;
  EXPECT_EQ(outcome_of(dispatcher_->fire(removed, {"x", nullptr}, {}, origin)), StatusCode::closed)
      << "found just before";
  memory_->release();
  for (const Delivery& delivery : fired) EXPECT_EQ(outcome_of(delivery), StatusCode::ok);
  EXPECT_EQ(memory_->messages("a").size(), 100U);
  EXPECT_EQ(outcome_of_fire("b"), StatusCode::ok);
  EXPECT_EQ(dispatcher_->stats().brokers.count("a"), 0U);
}

TEST_F(InternalDispatcherTest, WhatIsLeftAtARemovalsDeadlineIsClosed) {
  make({"a", "b"});
  memory_->hold();
  Heard heard;
  const Delivery left = fire("a", "x", &heard);
  const Delivery other = fire("b");
  ASSERT_TRUE(dispatcher_->remove("a", Clock::now()));
  EXPECT_EQ(outcome_of(left), StatusCode::closed);
  EXPECT_EQ(heard.outcomes, 1);
  EXPECT_EQ(heard.last, StatusCode::closed);
  memory_->release();
  EXPECT_EQ(outcome_of(other), StatusCode::ok);
}

TEST_F(InternalDispatcherTest, ALaneWithoutDestinationsEnds) {
  make({"a"});
  add("b", "another");
  const Delivery last = fire("b");
  ASSERT_TRUE(dispatcher_->remove("b", in_a_minute()));
  EXPECT_EQ(dispatcher_->stats().lanes, 1U);
  EXPECT_EQ(outcome_of(last), StatusCode::ok);
  EXPECT_TRUE(dispatcher_->flush(1min));
  EXPECT_EQ(outcome_of_fire("a"), StatusCode::ok);
}

TEST_F(InternalDispatcherTest, ANameMayComeBack) {
  make({"a", "b"});
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(dispatcher_->remove("a", in_a_minute()));
    add("a", i % 2 == 0 ? "another" : "shared");
    ASSERT_EQ(outcome_of_fire("a"), StatusCode::ok);
  }
  EXPECT_EQ(memory_->messages("a").size(), 20U);
  EXPECT_EQ(dispatcher_->stats().brokers.at("a").fired, 20U) << "its counts go on";
}

TEST_F(InternalDispatcherTest, ANameComesBackWhileItsPredecessorStillDrains) {
  make({"a", "b"});
  memory_->hold();
  const Delivery old = fire("a", "old");
  ASSERT_TRUE(dispatcher_->remove("a", in_a_minute()));
  add("a");
  const Delivery young = fire("a", "new");
  memory_->release();
  EXPECT_EQ(outcome_of(old), StatusCode::ok);
  EXPECT_EQ(outcome_of(young), StatusCode::ok);
}

TEST_F(InternalDispatcherTest, DestinationsComeAndGoWhileThreadsFire) {
  make({"a"});
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::atomic<int> delivered{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      const std::string name = i == 0 ? "a" : "passing";
      while (!stop) {
        const StatusCode code = outcome_of_fire(name);
        if (code == StatusCode::ok) ++delivered;
        if (code != StatusCode::ok && (i == 0 || (code != StatusCode::not_found && code != StatusCode::closed)))
          ++wrong;
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    add("passing", i % 4 == 0 ? "another" : "shared");
    EXPECT_EQ(outcome_of_fire("passing"), StatusCode::ok);
    const Stats stats = dispatcher_->stats();
    EXPECT_LE(stats.brokers.at("passing").delivered, stats.brokers.at("passing").fired);
    EXPECT_TRUE(dispatcher_->remove("passing", in_a_minute()));
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  ASSERT_TRUE(dispatcher_->flush(1min));
  EXPECT_EQ(memory_->size(), static_cast<std::size_t>(delivered) + 200);
  const Stats stats = dispatcher_->stats();
  EXPECT_EQ(stats.brokers.at("a").fired, stats.brokers.at("a").delivered);
  EXPECT_EQ(stats.brokers.at("a").queued, 0U);
  EXPECT_TRUE(dispatcher_->close(1min).complete());
}

TEST_F(InternalDispatcherTest, ACloseReportsWhatARemovedDestinationStillHas) {
  make({"a", "b"});
  memory_->hold();
  const Delivery one = fire("a");
  const Delivery other = fire("b");
  ASSERT_TRUE(dispatcher_->remove("a", in_a_minute()));
  const CloseReport report = dispatcher_->close(0s);
  EXPECT_EQ(report.abandoned, 2U);
  EXPECT_EQ(report.abandoned_by_broker.at("a"), 1U);
  EXPECT_EQ(outcome_of(one), StatusCode::closed);
  EXPECT_EQ(outcome_of(other), StatusCode::closed);
}

TEST_F(InternalDispatcherTest, ACloseDoesNotCountWhatALaneDeliveredThatEndedBefore) {
  make({"a"});
  add("b", "another");
  memory_->hold();
  const Delivery of_the_removal = fire("b");
  ASSERT_TRUE(dispatcher_->remove("b", in_a_minute()));
  memory_->release();
  ASSERT_EQ(outcome_of(of_the_removal), StatusCode::ok);
  ASSERT_TRUE(dispatcher_->flush(1min));
  EXPECT_EQ(dispatcher_->close(1min).delivered, 0U) << "nothing was waiting";
}

TEST_F(InternalDispatcherTest, NothingCanBeAddedAfterClose) {
  make({"a"});
  EXPECT_TRUE(dispatcher_->close(1min).complete());
  EXPECT_ANY_THROW(add("b"));
  EXPECT_ANY_THROW(add("c", "another"));
  EXPECT_EQ(outcome_of_fire("a"), StatusCode::closed);
}

// Hangs: add() holds the dispatcher's mutex while it waits for the lane's thread, which waits for that mutex.
TEST_F(InternalDispatcherTest, ACallbackMayAskForStatsWhileADestinationIsAdded) {
  make({"a"});
  tests::Gate in_callback;
  tests::Gate adding;
  const Delivery fired = dispatcher_->fire("a", {"x", nullptr}, [&](const DeliveryReport&) {
    in_callback.open();
    adding.wait();
    EXPECT_EQ(dispatcher_->stats().lanes, 1U);
  });
  ASSERT_TRUE(in_callback.wait());
  tests::WaitingCall call([&] { add("b"); });
  EXPECT_TRUE(call.waits());
  adding.open();
  call.join();
  EXPECT_EQ(outcome_of_fire("b"), StatusCode::ok);
}

TEST_F(InternalDispatcherTest, NothingChangesAfterClose) {
  make({"a", "b"});
  EXPECT_TRUE(dispatcher_->close(1min).complete());
  EXPECT_THROW(dispatcher_->remove("a", in_a_minute()), std::logic_error);
  EXPECT_THROW(add("c"), std::logic_error);
  EXPECT_TRUE(dispatcher_->close(1min).complete());
}

TEST_F(InternalDispatcherTest, AnObserverHearsARefusedFireInside) {
  make({"a"}, [](BrokerConfig& config) { config.max_queued_bytes = 3; });
  Heard heard;
  EXPECT_EQ(outcome_of(fire("a", "1234", &heard)), StatusCode::too_large);
  EXPECT_EQ(heard.outcomes, 1);
  EXPECT_EQ(heard.last, StatusCode::too_large);
  EXPECT_EQ(outcome_of(fire("a", "123", &heard)), StatusCode::ok);
  EXPECT_EQ(heard.outcomes, 2);
  EXPECT_EQ(heard.late, 0);
}

}  // namespace
}  // namespace action_triggers::detail
