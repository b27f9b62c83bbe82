// SPDX-License-Identifier: MIT
#include <action_triggers/memory.hpp>
#include <action_triggers/testing/broker_contract.hpp>
#include <action_triggers/testing/in_memory_broker.hpp>
#include <action_triggers/testing/mock_broker.hpp>
#include <action_triggers/testing/trigger_fixture.hpp>

TEST(Consumer, HasTheTestingTarget) { EXPECT_EQ(action_triggers::testing::InMemoryBroker().size(), 0U); }

TEST(Consumer, HasTheFixtureForTriggers) {
  auto fixture = action_triggers::testing::TriggerFixture::parse(R"({"brokers": {"b": {"broker_type": "memory"}},
      "triggers": {"t": {"events": ["e"], "targets": [{"broker": "b", "body": {"a": 1}}]}}})");
  EXPECT_THAT(fixture.emitted("e", ""), ::testing::ElementsAre(action_triggers::testing::Sent(
                                            "b", action_triggers::testing::BodyIsJson(R"({"a": 1.0})"))));
}
