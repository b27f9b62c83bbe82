// SPDX-License-Identifier: MIT
// Texts with stars.
#include "triggers/wildcard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace action_triggers::detail {
namespace {

using ::testing::HasSubstr;

TEST(WildcardTest, Matches) {
  struct Row {
    std::string_view wildcard;
    std::string_view text;
    bool expected;
  };
  for (const auto& [wildcard, text, expected] : std::vector<Row>{
           {"abc", "abc", true},      {"abc", "abcd", false},    {"", "", true},
           {"", "a", false},          {"*", "", true},           {"*", "abc", true},
           {"a*", "a", true},         {"a*", "ba", false},       {"*a", "ba", true},
           {"*a", "ab", false},       {"a*a", "a", false},  // not the same a twice
           {"a*a", "aa", true},       {"a*b*c", "abc", true},    {"a*b*c", "a-b-b-c", true},
           {"a*b*c", "acb", false},   {"*a*", "bab", true},      {"*ab*ab*", "abab", true},
           {"*ab*ab*", "ab", false},  {"*ab*ba", "aba", false},  {"*ab*ba", "abba", true},
           {R"(a\*b)", "a*b", true},  {R"(a\*b)", "axb", false}, {R"(\\*)", R"(\x)", true},
           {R"(*\\)", R"(x\)", true}, {"*é*", "ké", true},
       }) {
    EXPECT_EQ(Wildcard::wrong(wildcard), "") << wildcard;
    EXPECT_EQ(Wildcard(wildcard).matches(text), expected) << wildcard << " " << text;
  }
}

TEST(WildcardTest, SaysWhatIsWrong) {
  EXPECT_THAT(Wildcard::wrong("a**b"), HasSubstr("Two stars"));
  EXPECT_EQ(Wildcard::wrong("*a*b*c*"), "A wildcard has at most 3 stars; this one has 4.");
  EXPECT_EQ(Wildcard::wrong(R"(*a*b*c\*)"), "");
  EXPECT_THAT(Wildcard::wrong(R"(a\b)"), HasSubstr("After a backslash"));
  EXPECT_THAT(Wildcard::wrong(R"(a\)"), HasSubstr("After a backslash"));
}

TEST(WildcardTest, LongTextsTakeNoLongTime) {
  const std::string text(1'000'000, 'a');
  const std::string part(1000, 'a');
  EXPECT_FALSE(Wildcard("*" + part + "b*" + part + "c*").matches(text));
  EXPECT_TRUE(Wildcard("*" + part + "*" + part + "*").matches(text));
}

}  // namespace
}  // namespace action_triggers::detail
