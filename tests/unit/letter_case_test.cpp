// SPDX-License-Identifier: MIT
// Upper and lower case, in bytes of UTF-8.
#include "triggers/letter_case.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace action_triggers::detail {
namespace {

TEST(LetterCaseTest, LettersOfSeveralScripts) {
  for (const auto& [upper, lower] : std::vector<std::pair<std::string, std::string>>{
           {"", ""},
           {"Order-42_Z[", "order-42_z["},
           {"ÄÖÜ ß × Þ", "äöü ß × þ"},
           {"ŻÓŁĆ ŠŽ ĲŸ", "żółć šž ĳÿ"},
           {"ȘȚ Ǎ", "șț ǎ"},
           {"ΑΒΓ ΆΈΌΏ Σ", "αβγ άέόώ σ"},
           {"ЖЁЇ Ѡ Ґ Ԁ", "жёї ѡ ґ ԁ"},
           {"ƠƯ Ə Ɓ ǅ ꜢⱵ", "ơư ə ɓ ǆ ꜣⱶ"},
           {"ἈΏ ϠϺ Ͷ", "ἀώ ϡϻ ͷ"},
           {"ӀӁӃ Ꙁ", "ӏӂӄ ꙁ"},
           {"Ա", "ա"},
           {"ẞẠỸ", "ẞạỹ"},  // ẞ is longer than ß
           {"ＡＺ", "ａｚ"},
           {"日本 😀", "日本 😀"},
           {"İıſ\u212A", "İıſ\u212A"},  // whose other forms are shorter or longer
       }) {
    EXPECT_EQ(lower_case(upper), lower);
    EXPECT_EQ(lower_case(lower), lower);
    EXPECT_TRUE(is_in_lower_case(upper, lower)) << upper;
    EXPECT_TRUE(is_in_lower_case(lower, lower)) << lower;
  }
}

TEST(LetterCaseTest, OtherTextsDiffer) {
  EXPECT_FALSE(is_in_lower_case("ABC", "abd"));
  EXPECT_FALSE(is_in_lower_case("AB", "abc"));
  EXPECT_FALSE(is_in_lower_case("Ä", "ö"));
  EXPECT_FALSE(is_in_lower_case("@", "`"));  // 0x20 apart, and no letters
}

TEST(LetterCaseTest, BytesThatAreNoCharactersStay) {
  for (const std::string text : {"\xFF", "\xC3", "\xE1\xBB", "\x84\xC3"}) {
    EXPECT_EQ(lower_case(text), text);
    EXPECT_TRUE(is_in_lower_case(text, text));
  }
}

}  // namespace
}  // namespace action_triggers::detail
