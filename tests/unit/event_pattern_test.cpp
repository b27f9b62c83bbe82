// SPDX-License-Identifier: MIT
// What an event pattern is, and what its author may not have meant.
#include "triggers/event_pattern.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace action_triggers::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> all;
  EventWords words(name);
  while (const auto word = words.next()) all.emplace_back(*word);
  return all;
}

TEST(EventPatternTest, WordsStandBetweenDots) {
  EXPECT_THAT(words_of(""), IsEmpty());
  EXPECT_THAT(words_of("order"), ElementsAre("order"));
  EXPECT_THAT(words_of("order.42.paid"), ElementsAre("order", "42", "paid"));
  EXPECT_THAT(words_of("."), ElementsAre("", ""));
  EXPECT_THAT(words_of(".a."), ElementsAre("", "a", ""));
}

TEST(EventPatternTest, PatternsThatMeanTheSameHaveTheSameWords) {
  EXPECT_THAT(pattern_words("order.*.#"), ElementsAre("order", "*", "#"));
  EXPECT_THAT(pattern_words("#.#.#"), ElementsAre("#"));
  EXPECT_THAT(pattern_words("#.*.#.*"), ElementsAre("*", "*", "#"));
  EXPECT_THAT(pattern_words("#.a.#"), ElementsAre("#", "a", "#"));
}

TEST(EventPatternTest, OnlyWholeWordsAreWildcards) {
  EXPECT_TRUE(has_wildcards("#"));
  EXPECT_TRUE(has_wildcards("a.*"));
  EXPECT_FALSE(has_wildcards("a.b*.c"));
  EXPECT_FALSE(has_wildcards(""));
}

TEST(EventPatternTest, SaysWhatIsWrong) {
  EXPECT_EQ(wrong_pattern("order.#"), "");
  EXPECT_EQ(wrong_pattern("."), "");  // two empty words
  EXPECT_THAT(wrong_pattern(""), HasSubstr("must not be empty"));
  EXPECT_EQ(wrong_pattern(std::string(255, 'a')), "");
  EXPECT_EQ(wrong_pattern(std::string(256, 'a')), "An event pattern has at most 255 bytes; this one has 256.");
}

TEST(EventPatternTest, SaysWhatIsDoubtful) {
  for (const char* const good : {"order.paid", "*", "#", "order.*.#"}) EXPECT_EQ(doubtful_pattern(good), "") << good;
  EXPECT_EQ(doubtful_pattern("order.pay*.#"),
            "The '*' in the word \"pay*\" is an ordinary character: only a word that is '*' alone stands for others.");
  EXPECT_THAT(doubtful_pattern("order#"), HasSubstr("The '#' in the word \"order#\""));
  EXPECT_THAT(doubtful_pattern("a.**"), HasSubstr("\"**\""));
}

}  // namespace
}  // namespace action_triggers::detail
