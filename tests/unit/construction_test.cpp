// SPDX-License-Identifier: MIT
// Dispatchers of configurations that no loader has checked, and of systems that have no thread to give.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "action_triggers/broker.hpp"
#include "action_triggers/broker_registry.hpp"
#include "action_triggers/memory.hpp"
#include "action_triggers/testing/in_memory_broker.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "support/address_space.hpp"
#include "support/child_process.hpp"
#include "support/gate.hpp"
#include "support/registries.hpp"
#include "unit/configs.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using tests::config_of;
using tests::registry_of;
using tests::trouble_in_child;

/// Refuses every connection.
class DownBroker final : public Broker {
 public:
  DownBroker(std::atomic<int>* connects, tests::Gate* too_many) : connects_(connects), too_many_(too_many) {}

  static constexpr int most_connects = 10'000;

  void connect(BrokerEvents& events) override {
    if (++*connects_ > most_connects) too_many_->open();
    events.disconnected({StatusCode::unavailable, "down"});
  }
  std::size_t send(std::span<const OutboundMessage* const> /*batch*/, BrokerEvents& /*events*/) override { return 0; }

 private:
  std::atomic<int>* const connects_;
  tests::Gate* const too_many_;
};

TEST(ConstructionTest, AHandMadeBrokerIsFoundByItsKeyOrRefused) {
  auto memory = std::make_shared<InMemoryBroker>();
  Config config = config_of({"another name"});
  config.brokers = {{"orders", config.brokers.begin()->second}};
  std::unique_ptr<TriggerDispatcher> dispatcher;
  try {
    dispatcher = std::make_unique<TriggerDispatcher>(config, registry_of(memory->maker()));
  } catch (const std::exception& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("orders"));
    return;
  }
  EXPECT_THAT(dispatcher->fire("orders", "x").wait(), testing::IsOk());
}

TEST(ConstructionTest, AHandMadeBrokerThatIsNullIsRefused) {
  EXPECT_EQ(trouble_in_child([] {
              auto memory = std::make_shared<InMemoryBroker>();
              Config config;
              config.brokers["orders"] = nullptr;
              bool refused = false;
              try {
                const TriggerDispatcher dispatcher(config, registry_of(memory->maker()));
              } catch (const std::exception&) {
                refused = true;
              }
              ACTION_TRIGGERS_CHILD_EXPECT(refused);
            }),
            "");
}

TEST(ConstructionTest, WithoutABackoffItDoesNotConnectAsFastAsItCan) {
  std::atomic<int> connects{0};
  tests::Gate too_many;
  Config config =
      config_of({"a"}, [](BrokerConfig& broker) { broker.retry.initial_backoff = broker.retry.max_backoff = 0ms; });
  const TriggerDispatcher dispatcher(std::move(config), registry_of<DownBroker>(&connects, &too_many));
  // The fault's length. A millisecond's backoff would be a tenth of what is too many.
  EXPECT_FALSE(too_many.wait(1s)) << connects << " connects";
}

TEST(ConstructionTest, WhereALaneGetsNoThreadItThrowsAtOnce) {
  if (!tests::address_space_can_be_limited()) GTEST_SKIP() << "a sanitizer needs its address space";
  EXPECT_EQ(trouble_in_child([] {
              auto memory = std::make_shared<InMemoryBroker>();
              Config config = config_of({"a", "b", "c", "d", "e", "f"},
                                        [](BrokerConfig& broker) { broker.connection_key = broker.name; });
              const BrokerRegistry registry = registry_of(memory->maker());
              tests::limit_address_space_to_one_more_stack();
              const TimePoint begin = Clock::now();
              bool refused = false;
              try {
                const TriggerDispatcher dispatcher(std::move(config), registry);
              } catch (const std::system_error&) {
                refused = true;
              }
              ACTION_TRIGGERS_CHILD_EXPECT(refused);
              ACTION_TRIGGERS_CHILD_EXPECT(Clock::now() - begin < 1s);  // takes a millisecond
            }),
            "");
}

}  // namespace
}  // namespace action_triggers
