// SPDX-License-Identifier: MIT
#include "action_triggers/testing/json_difference.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace action_triggers::testing {
namespace {

TEST(JsonDifferenceTest, HowItIsWrittenDoesNotCount) {
  EXPECT_EQ(json_difference(R"({"a": [1, {"b": null}], "c": "ä"})", R"({ "c":"\u00e4","a":[1,{"b":null}] })"), "");
  EXPECT_EQ(json_difference("[99.90, 1e2, -0]", "[99.9, 100, 0]"), "");
  EXPECT_EQ(json_difference(R"({"a": 1, "a": 2})", R"({"a": 2})"), "") << "the last of equal keys";
  EXPECT_EQ(json_difference(R"({"a": 2})", R"({"a": 1, "a": 2})"), "");
}

TEST(JsonDifferenceTest, SaysWhereTheFirstDifferenceIs) {
  EXPECT_EQ(json_difference("1", "2"), "has 1 instead of 2");
  EXPECT_EQ(json_difference(R"({"customer": {"id": 7}})", R"({"customer": {"id": "7"}})"),
            R"(has 7 at /customer/id instead of "7")");
  EXPECT_EQ(json_difference(R"([[true], ["x"]])", R"([[true], ["y"]])"), R"(has "x" at /1/0 instead of "y")");
  EXPECT_EQ(json_difference("[1]", "[1, 2]"), "has [1] instead of [1, 2]");
  EXPECT_EQ(json_difference("[1, 2]", "[1]"), "has [1, 2] instead of [1]");
  EXPECT_EQ(json_difference("{}", R"({"a/b~": null})"), "has no /a~1b~0");
  EXPECT_EQ(json_difference(R"({"id": 1, "more": 2})", R"({"id": 1})"), "has /more, which is not expected");
  EXPECT_EQ(json_difference("true", "false"), "has true instead of false");
  EXPECT_EQ(json_difference("9223372036854775808", "9223372036854775807"),
            "has 9223372036854775808 instead of 9223372036854775807");
}

TEST(JsonDifferenceTest, WhatIsNoJson) {
  EXPECT_EQ(json_difference("{", "{}").rfind("is no JSON: ", 0), 0U);
  EXPECT_EQ(json_difference("", "{}").rfind("is no JSON: ", 0), 0U);
  EXPECT_THROW(json_difference("{}", "{"), std::invalid_argument);
}

}  // namespace
}  // namespace action_triggers::testing
