// SPDX-License-Identifier: MIT
#include "config/connection_key.hpp"

#include <gtest/gtest.h>

namespace action_triggers::detail {
namespace {

TEST(ConnectionKeyTest, EqualPartsMakeEqualKeys) {
  EXPECT_EQ(ConnectionKey().add("host").add("user").text(), ConnectionKey().add("host").add("user").text());
  EXPECT_NE(ConnectionKey().add("host").add("user").text(), ConnectionKey().add("host").add("User").text());
}

TEST(ConnectionKeyTest, PartsThatAreSplitElsewhereMakeOtherKeys) {
  EXPECT_NE(ConnectionKey().add("ab").add("c").text(), ConnectionKey().add("a").add("bc").text());
  EXPECT_NE(ConnectionKey().add("a").add("").text(), ConnectionKey().add("").add("a").text());
  EXPECT_NE(ConnectionKey().add("a1:b").text(), ConnectionKey().add("a").add("b").text());
}

TEST(ConnectionKeyTest, NoPartsAreNoKey) {
  EXPECT_EQ(ConnectionKey().text(), "");
  EXPECT_NE(ConnectionKey().add("").text(), "");
}

}  // namespace
}  // namespace action_triggers::detail
