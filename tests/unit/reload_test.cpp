// SPDX-License-Identifier: MIT
// TriggerDispatcher::reload(): another configuration while messages flow.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "action_triggers/action_triggers.hpp"
#include "support/bodies.hpp"
#include "support/gate.hpp"
#include "support/registries.hpp"
#include "triggers/dispatcher_access.hpp"
#include "unit/config_support.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ReloadTest : public ::testing::Test {
 protected:
  /// `brokers`: what is in the brokers map.
  Config config_of(const std::string& brokers, const std::string& triggers = "{}") {
    return parse_config(R"({"brokers": {)" + brokers + R"(}, "triggers": )" + triggers + "}", registry_);
  }
  /// One entry; equal connections share a lane.
  static std::string broker(const std::string& name, const std::string& connection = "1",
                            const std::string& params = "{}") {
    return "\"" + name + R"(": {"broker_type": "subject", "conn_details": {"host": ")" + connection +
           R"("}, "params": )" + params + "}";
  }
  void make(const std::string& brokers, const std::string& triggers = "{}") {
    dispatcher_ = std::make_unique<TriggerDispatcher>(config_of(brokers, triggers), registry_);
  }
  std::vector<std::string> bodies_at(std::string_view name) { return tests::bodies_at(*memory_, name); }

  const std::shared_ptr<InMemoryBroker> memory_ = std::make_shared<InMemoryBroker>();
  const BrokerRegistry registry_ = tests::registry_of(memory_->maker());
  std::unique_ptr<TriggerDispatcher> dispatcher_;
};

TEST_F(ReloadTest, WhatIsEqualStays) {
  make(broker("a") + "," + broker("b"));
  dispatcher_->fire("a", "before").wait();
  const ReloadReport report = dispatcher_->reload(config_of(broker("a") + "," + broker("b")));
  EXPECT_THAT(report.added, IsEmpty());
  EXPECT_THAT(report.changed, IsEmpty());
  EXPECT_THAT(report.removed, IsEmpty());
  EXPECT_TRUE(dispatcher_->fire("a", "after").wait().status.ok());
  const Stats stats = dispatcher_->stats();
  EXPECT_EQ(stats.brokers.at("a").delivered, 2U);
  EXPECT_EQ(stats.lanes, 1U);
  EXPECT_EQ(stats.reloads, 1U);
  EXPECT_EQ(stats.failed_reloads, 0U);
}

TEST_F(ReloadTest, DestinationsComeChangeAndGo) {
  make(broker("a") + "," + broker("b") + "," + broker("c"));
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(dispatcher_->fire(name, "1").wait().status.ok());
  const ReloadReport report = dispatcher_->reload(
      config_of(broker("a", "2") + "," + broker("b", "1", R"({"timeout_secs": 5})") + "," + broker("d")));
  EXPECT_THAT(report.added, ElementsAre("d"));
  EXPECT_THAT(report.changed, ElementsAre("a", "b"));
  EXPECT_THAT(report.removed, ElementsAre("c"));
  for (const char* name : {"a", "b", "d"}) EXPECT_TRUE(dispatcher_->fire(name, "2").wait().status.ok());
  EXPECT_EQ(dispatcher_->fire("c", "2").wait().status.code(), StatusCode::not_found);
  const Stats stats = dispatcher_->stats();
  EXPECT_EQ(stats.lanes, 2U);
  EXPECT_EQ(stats.brokers.at("a").delivered, 2U) << "counts go on under a name";
  EXPECT_EQ(stats.brokers.count("c"), 0U);
}

TEST_F(ReloadTest, OrderHoldsAcrossTheChange) {
  make(broker("a"));
  memory_->hold();
  const Delivery first = dispatcher_->fire("a", "1");
  const Delivery second = dispatcher_->fire("a", "2");
  dispatcher_->reload(config_of(broker("a", "2")), 1min);
  const Delivery third = dispatcher_->fire("a", "3");
  dispatcher_->reload(config_of(broker("a", "3")), 1min);
  const Delivery fourth = dispatcher_->fire("a", "4");
  EXPECT_EQ(fourth.wait_for(20ms), nullptr);
  EXPECT_EQ(dispatcher_->stats().brokers.at("a").queued, 4U);
  memory_->release();
  for (const Delivery& delivery : {first, second, third, fourth}) EXPECT_TRUE(delivery.wait().status.ok());
  EXPECT_THAT(bodies_at("a"), ElementsAre("1", "2", "3", "4"));
}

TEST_F(ReloadTest, WhatDoesNotDrainIsReportedAndItsSuccessorGoesOn) {
  make(broker("a"));
  memory_->hold();
  const Delivery stuck = dispatcher_->fire("a", "stuck");
  dispatcher_->reload(config_of(broker("a", "2")), 10ms);
  EXPECT_EQ(stuck.wait().status.code(), StatusCode::closed);
  memory_->release();
  EXPECT_TRUE(dispatcher_->fire("a", "new").wait().status.ok());
}

/// A registry in which connection "old" leads to a broker of its own.
class SlowPredecessorTest : public ReloadTest {
 protected:
  SlowPredecessorTest() {
    old_->hold();
    dispatcher_ = std::make_unique<TriggerDispatcher>(config_of(broker("a", "old") + "," + broker("b")), two_brokers_);
  }
  void reload(const std::string& brokers, std::chrono::milliseconds drain) {
    dispatcher_->reload(parse_config(R"({"brokers": {)" + brokers + "}}", two_brokers_), drain);
  }

  const std::shared_ptr<InMemoryBroker> old_ = std::make_shared<InMemoryBroker>();
  const BrokerRegistry two_brokers_ = tests::registry_of([this](const BrokerConfig& config) {
    return config.connection_key.find("old") != std::string::npos ? old_->maker()(config) : memory_->maker()(config);
  });
};

TEST_F(SlowPredecessorTest, OrderHoldsForANameThatWasTakenAwayAndGivenBack) {
  const Delivery first = dispatcher_->fire("a", "1");
  reload(broker("b"), 1min);
  reload(broker("a") + "," + broker("b"), 1min);
  const Delivery second = dispatcher_->fire("a", "2");
  EXPECT_TRUE(dispatcher_->fire("b", "on the same lane").wait().status.ok());
  EXPECT_FALSE(second.done()) << "the first one is on its way yet";
  old_->release();
  EXPECT_TRUE(first.wait().status.ok());
  EXPECT_TRUE(second.wait().status.ok());
}

TEST_F(SlowPredecessorTest, OneThatIsGivenUpDoesNotLetItsSuccessorOvertakeWhatCameBeforeBoth) {
  const Delivery first = dispatcher_->fire("a", "1");
  reload(broker("a", "between") + "," + broker("b"), 1min);
  const Delivery given_up = dispatcher_->fire("a", "2");
  reload(broker("a") + "," + broker("b"), 1ms);
  EXPECT_EQ(given_up.wait().status.code(), StatusCode::closed);
  EXPECT_THAT(given_up.wait().status.message(), HasSubstr("the destination was removed"));
  const Delivery third = dispatcher_->fire("a", "3");
  EXPECT_TRUE(dispatcher_->fire("b", "on the same lane").wait().status.ok());
  EXPECT_FALSE(third.done()) << "the first one is on its way yet";
  old_->release();
  EXPECT_TRUE(first.wait().status.ok());
  EXPECT_TRUE(third.wait().status.ok());
}

TEST_F(SlowPredecessorTest, CloseEndsOneThatWaits) {
  dispatcher_->fire("a", "1");
  reload(broker("a", "between") + "," + broker("b"), 1min);
  const Delivery waits = dispatcher_->fire("a", "2");
  reload(broker("b"), 1ms);
  EXPECT_EQ(waits.wait().status.code(), StatusCode::closed);
  EXPECT_EQ(dispatcher_->close(10ms).unfinished, 0U);
}

TEST_F(ReloadTest, ADrainMayHaveNoLimit) {
  make(broker("a"));
  dispatcher_->reload(config_of(broker("a", "2")), std::chrono::hours::max());
  EXPECT_TRUE(dispatcher_->fire("a", "x").wait().status.ok());
}

/// On the lane that both have, the broker cannot be made to give the message back.
TEST_F(ReloadTest, WhatIsNeverConfirmedHoldsItsSuccessorUpForTheDrainOnly) {
  make(broker("a") + "," + broker("b"));
  memory_->hold();
  const Delivery stuck = dispatcher_->fire("a", "stuck");
  while (dispatcher_->stats().brokers.at("a").in_flight == 0) std::this_thread::yield();
  dispatcher_->reload(config_of(broker("a", "1", R"({"timeout_secs": 50})") + "," + broker("b")), 10ms);
  const Delivery next = dispatcher_->fire("a", "next");
  EXPECT_EQ(stuck.wait().status.code(), StatusCode::closed);
  EXPECT_EQ(stuck.wait().persistence, Persistence::possibly_persisted);
  const auto until = Clock::now() + 20s;
  while (dispatcher_->stats().brokers.at("a").in_flight < 2) ASSERT_LT(Clock::now(), until) << "the next one is sent";
  memory_->release();
  EXPECT_TRUE(next.wait().status.ok());
}

TEST_F(ReloadTest, FiresThatWaitForCapacityAreNotRefused) {
  const auto config = [&](int i) {
    return config_of(
        broker("a", std::to_string(i), R"({"max_queued_messages": 4, "overflow": "block", "max_block_ms": 20000})"));
  };
  memory_->set_delay(1ms);
  dispatcher_ = std::make_unique<TriggerDispatcher>(config(0), registry_);
  std::atomic<bool> stop{false};
  std::atomic<int> refused{0};
  std::vector<std::thread> firing;
  for (int thread = 0; thread < 8; ++thread) {
    firing.emplace_back([&] {
      while (!stop) {
        dispatcher_->fire("a", "x", [&](const DeliveryReport& report) {
          if (!report.status.ok()) ++refused;
        });
      }
    });
  }
  for (int i = 1; i <= 10; ++i) dispatcher_->reload(config(i), 1min);
  stop = true;
  for (std::thread& thread : firing) thread.join();
  ASSERT_TRUE(dispatcher_->flush(1min));
  EXPECT_EQ(refused, 0);
}

/// A reload tells of its warnings at its end, and another one may be faster.
TEST_F(ReloadTest, TheConfigurationIsThatOfTheReloadWhichCameLast) {
  tests::Gate warned;
  tests::Gate go_on;
  DispatcherOptions options;
  options.log = [&](LogLevel level, std::string_view, std::string_view) {
    if (level != LogLevel::warning) return;
    warned.open();
    go_on.wait();
  };
  TriggerDispatcher dispatcher(config_of(broker("a")), registry_, std::move(options));
  std::thread slow(
      [&] { dispatcher.reload(config_of(broker("slow"), R"({"t": {"events": ["a*"], "targets": ["slow"]}})")); });
  ASSERT_TRUE(warned.wait());
  dispatcher.reload(config_of(broker("last")));
  go_on.open();
  slow.join();
  EXPECT_TRUE(dispatcher.fire("last", "x").wait().status.ok());
  EXPECT_NE(detail::DispatcherAccess(dispatcher).config()->find("last"), nullptr);
}

TEST_F(ReloadTest, TriggersChangeAndKeepTheirCounts) {
  make(broker("a") + "," + broker("b"), R"({"t": {"events": ["e"], "targets": ["a"]}})");
  EXPECT_TRUE(dispatcher_->emit("e", "1").all_ok());
  dispatcher_->reload(config_of(broker("a") + "," + broker("b"),
                                R"({"t": {"events": ["e"], "targets": ["b", {"broker": "a", "timeout_secs": 3}]}})"));
  EXPECT_EQ(dispatcher_->emit("e", "2").wait().size(), 2U);
  EXPECT_THAT(bodies_at("a"), ElementsAre("1", "2"));
  EXPECT_THAT(bodies_at("b"), ElementsAre("2"));
  EXPECT_EQ(dispatcher_->stats().triggers.at("t").sent, 3U);
  dispatcher_->reload(config_of(broker("a") + "," + broker("b")));
  EXPECT_TRUE(dispatcher_->emit("e", "3").empty());
  EXPECT_EQ(dispatcher_->stats().triggers.at("t").sent, 3U);
}

TEST_F(ReloadTest, EventsThatLeftATriggerOutStayCounted) {
  std::string triggers;
  for (int i = 0; i < 9; ++i) {
    triggers += (i == 0 ? "\"t" : ", \"t") + std::to_string(i) + R"(": {"events": ["e"], "when": {"a": [")" +
                std::to_string(i) + R"("]}, "targets": ["a"]})";
  }
  triggers = "{" + triggers + "}";
  make(broker("a"), triggers);
  const auto filtered = [&] { return dispatcher_->stats().triggers.at("t1").filtered; };
  for (int i = 0; i < 3; ++i) dispatcher_->emit("e", R"({"a": "7"})").wait();
  EXPECT_EQ(filtered(), 3U);
  dispatcher_->reload(config_of(broker("a"), triggers));
  EXPECT_EQ(filtered(), 3U);
  dispatcher_->emit("e", R"({"a": "7"})").wait();
  dispatcher_->emit("e", R"({"a": "1"})").wait();
  EXPECT_EQ(filtered(), 4U);
  dispatcher_->reload(config_of(broker("a")));
  EXPECT_EQ(filtered(), 4U);
  EXPECT_EQ(dispatcher_->stats().triggers.at("t7").matched, 4U);
  EXPECT_EQ(dispatcher_->stats().triggers.at("t7").filtered, 1U);
}

TEST_F(ReloadTest, WhatCannotBeMadeChangesNothing) {
  std::atomic<bool> broken{false};
  const BrokerRegistry registry = tests::registry_of([&](const BrokerConfig& config) {
    if (broken) throw std::runtime_error("no broker today");
    return memory_->maker()(config);
  });
  TriggerDispatcher dispatcher(config_of(broker("a"), R"({"t": {"events": ["e"], "targets": ["a"]}})"), registry);
  broken = true;
  EXPECT_THROW(dispatcher.reload(config_of(broker("b", "2") + "," + broker("a", "3"))), std::runtime_error);
  EXPECT_TRUE(dispatcher.fire("a", "x").wait().status.ok());
  EXPECT_EQ(dispatcher.fire("b", "x").wait().status.code(), StatusCode::not_found);
  EXPECT_TRUE(dispatcher.emit("e", "y").all_ok());
  EXPECT_THAT(bodies_at("a"), ElementsAre("x", "y"));
  const Stats stats = dispatcher.stats();
  EXPECT_EQ(stats.lanes, 1U);
  EXPECT_EQ(stats.failed_reloads, 1U);
  EXPECT_THAT(stats.last_reload_error, HasSubstr("no broker today"));
  broken = false;
  dispatcher.reload(config_of(broker("a", "3")));
  EXPECT_TRUE(dispatcher.fire("a", "z").wait().status.ok());
}

TEST_F(ReloadTest, NoEventIsCountedTwiceOrNotAtAllUnderFire) {
  std::string triggers;
  for (int i = 0; i < 8; ++i) {
    triggers += (i == 0 ? "\"t" : ", \"t") + std::to_string(i) + R"(": {"events": ["e"], "when": {"a": [")" +
                std::to_string(i) + R"("]}, "targets": ["a"]})";
  }
  triggers = "{" + triggers + "}";
  make(broker("a"), triggers);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> emitted{0};
  std::vector<std::thread> emitting;
  for (int thread = 0; thread < 3; ++thread) {
    emitting.emplace_back([&] {
      for (int i = 0; !stop; ++i) {
        dispatcher_->emit("e", R"({"a": ")" + std::to_string(i % 9) + "\"}");
        ++emitted;
        if (i % 50 == 0) dispatcher_->flush(1min);  // within capacity
      }
    });
  }
  std::uint64_t before = 0;
  for (int i = 0; i < 50; ++i) {
    dispatcher_->reload(config_of(broker("a"), triggers), 1min);
    const std::uint64_t filtered = dispatcher_->stats().triggers.at("t0").filtered;
    EXPECT_GE(filtered, before) << "a count never goes back";
    before = filtered;
  }
  stop = true;
  for (std::thread& thread : emitting) thread.join();
  for (const auto& [name, stats] : dispatcher_->stats().triggers) {
    EXPECT_EQ(stats.matched + stats.filtered, emitted) << name;
  }
}

TEST_F(ReloadTest, AFileThatIsWrongChangesNothing) {
  make(broker("a"));
  const tests::TemporaryFile file(R"({"brokers": {"a": {"broker_type": "none"}}})");
  EXPECT_THROW(dispatcher_->reload_file(file.path), ConfigError);
  EXPECT_TRUE(dispatcher_->fire("a", "x").wait().status.ok());
  EXPECT_EQ(dispatcher_->stats().failed_reloads, 1U);
}

TEST_F(ReloadTest, NotInACallbackAndNotAfterClose) {
  make(broker("a"), R"({"t": {"events": ["e"], "targets": [{"broker": "a", "key": "{{ /none }}"}]}})");
  std::atomic<int> refused{0};
  const auto reload = [&](const DeliveryReport&) {
    EXPECT_THROW(dispatcher_->reload(config_of(broker("a", "2"))), std::logic_error);
    ++refused;
  };
  dispatcher_->fire("a", "x", reload).wait();
  dispatcher_->emit("e", "{}", reload).wait();  // called back inside emit()
  ASSERT_TRUE(dispatcher_->flush(1min));
  EXPECT_EQ(refused, 2);
  dispatcher_->close(1min);
  EXPECT_THROW(dispatcher_->reload(config_of(broker("a", "2"))), std::logic_error);
}

/// Every report once, nothing lost, and each thread's messages in their order at each destination.
TEST_F(ReloadTest, ManyReloadsUnderFire) {
  const auto config = [&](int i) {
    const std::string connection = std::to_string(i % 3);
    return config_of(broker("a", connection) + "," + broker("b", "1", i % 2 == 0 ? "{}" : R"({"timeout_secs": 7})") +
                         "," + broker("c"),
                     R"({"t": {"events": ["e"], "targets": ["a", "b", {"broker": "c", "timeout_secs": )" +
                         std::to_string(5 + i % 4) + "}]}}");
  };
  dispatcher_ = std::make_unique<TriggerDispatcher>(config(0), registry_);
  constexpr int threads = 4;
  std::atomic<bool> stop{false};
  std::atomic<int> failed{0};
  std::atomic<int> fired{0};
  std::vector<std::thread> firing;
  const auto count = [&](const DeliveryReport& report) {
    if (!report.status.ok()) ++failed;
  };
  for (int thread = 0; thread < threads; ++thread) {
    firing.emplace_back([&, thread] {
      for (int i = 0; !stop; ++i) {
        const std::string body = std::to_string(thread) + ":" + std::to_string(i);
        EXPECT_EQ(dispatcher_->emit("e", body, count).size(), 3U);
        dispatcher_->fire("a", body + "f", count);
        fired += 4;
        if (i % 50 == 0) dispatcher_->flush(1min);  // within capacity
      }
    });
  }
  for (int i = 1; i <= 100; ++i) dispatcher_->reload(config(i), 1min);
  stop = true;
  for (std::thread& thread : firing) thread.join();
  ASSERT_TRUE(dispatcher_->flush(1min));
  EXPECT_EQ(failed, 0);
  int arrived = 0;
  for (const char* name : {"a", "b", "c"}) {
    std::map<std::string, int> newest;  // by thread
    for (const std::string& body : bodies_at(name)) {
      ++arrived;
      const std::string thread = body.substr(0, body.find(':'));
      const int number = std::stoi(body.substr(thread.size() + 1));
      const auto before = newest.emplace(thread, -1).first;
      ASSERT_GE(number, before->second) << name << " of thread " << thread;
      before->second = number;
    }
  }
  EXPECT_EQ(arrived, fired);
  EXPECT_LE(dispatcher_->stats().lanes, 2U);
}

}  // namespace
}  // namespace action_triggers
