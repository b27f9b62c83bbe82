// SPDX-License-Identifier: MIT
#include "capture/trigger_name.hpp"

#include <gtest/gtest.h>

#include <string>

namespace action_triggers::detail {
namespace {

TEST(TriggerNameTest, SaysItsCaptureAndItsDefinition) {
  const std::string name = trigger_name("orders_2", "insert", "a definition");
  EXPECT_TRUE(name.starts_with("_at_capture_orders_2_insert_")) << name;
  EXPECT_EQ(name, trigger_name("orders_2", "insert", "a definition"));
  EXPECT_NE(name, trigger_name("orders_2", "insert", "a definitioN"));
  EXPECT_EQ(capture_of_trigger(name), "orders_2");
  EXPECT_EQ(trigger_name("a", "b", "").substr(16), "1cfb0df4") << "names that are installed would be stale";
  EXPECT_LE(trigger_name(std::string(32, 'a'), "truncate", "x").size(), 63U) << "PostgreSQL would cut it off";
}

TEST(TriggerNameTest, OthersAreNotOurs) {
  for (const char* const name :
       {"", "_at_capture_", "_at_capture_orders", "_at_capture_orders_insert", "_at_capture_orders_insert_1234567",
        "_at_capture_orders_insert_1234567G", "_at_capture__insert_12345678x", "_at_capture_insert_12345678",
        "_at_capture_orders_select_12345678", "at_capture_orders_insert_12345678"}) {
    EXPECT_EQ(capture_of_trigger(name), std::nullopt) << name;
  }
}

TEST(TriggerNameTest, APartOfANameIsNoOperation) {
  EXPECT_EQ(capture_of_trigger("_at_capture_orders_insert_delete_12345678"), "orders_insert");
}

}  // namespace
}  // namespace action_triggers::detail
