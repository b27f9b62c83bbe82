// SPDX-License-Identifier: MIT
#include "triggers/json_pointer.hpp"

#include <gtest/gtest.h>

#include <string>

namespace action_triggers::detail {
namespace {

/// The keys in brackets, those that may be an element's number with a '#'.
std::string read(std::string_view pointer) {
  const auto tokens = pointer_tokens(pointer);
  if (!tokens) return "wrong";
  std::string text;
  for (const PointerToken& token : *tokens) {
    text += "[" + token.key + "]" + (token.index ? "#" + std::to_string(*token.index) : std::string());
  }
  return text;
}

TEST(JsonPointerTest, HasItsSteps) {
  EXPECT_EQ(read(""), "");
  EXPECT_EQ(read("/"), "[]");
  EXPECT_EQ(read("//a/"), "[][a][]");
  EXPECT_EQ(read("/a~1b/m~0n/~01"), "[a/b][m~n][~1]");
  EXPECT_EQ(read("/0/17"), "[0]#0[17]#17");
}

TEST(JsonPointerTest, WhatIsNoIndexIsAKeyOnly) {
  EXPECT_EQ(read("/01/-/-1/+1/1.0/ 1/99999999999999999999"), "[01][-][-1][+1][1.0][ 1][99999999999999999999]");
}

TEST(JsonPointerTest, ATildeThatMeansNothingIsWrong) {
  for (const char* pointer : {"/~", "/a~", "/~2", "/a/b~/c"}) EXPECT_EQ(read(pointer), "wrong") << pointer;
}

}  // namespace
}  // namespace action_triggers::detail
