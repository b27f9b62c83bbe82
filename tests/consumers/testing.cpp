// SPDX-License-Identifier: MIT
#include <action_triggers/memory.hpp>
#include <action_triggers/testing/broker_contract.hpp>
#include <action_triggers/testing/in_memory_broker.hpp>
#include <action_triggers/testing/mock_broker.hpp>

TEST(Consumer, HasTheTestingTarget) { EXPECT_EQ(action_triggers::testing::InMemoryBroker().size(), 0U); }
