// SPDX-License-Identifier: MIT
// The reader of event payloads: what is JSON, where it is not, and how values are found.
#include "triggers/payload_json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "support/mutated_json.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::ElementsAre;

/// "17: why", or "" for JSON.
std::string error_of(std::string_view text) {
  const std::vector<char> exact(text.begin(), text.end());  // so that a sanitizer sees a read behind its end
  PayloadJson json;
  if (json.read(std::string_view(exact.data(), exact.size()))) return {};
  return std::to_string(json.error().offset) + ": " + json.error().text;
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(PayloadJsonTest, ReadsWhatRfc8259Allows) {
  for (const std::string& text : std::vector<std::string>{
           "null", "true", " false\r\n\t", "0", "-0", "-0.0e+00", "99.90", "1e400", "9223372036854775808", "0.1E-5",
           "\"\"", R"("\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u0000")", "\"\x7F é € 😀 \xF4\x8F\xBF\xBF\"", "[]", "{ }",
           "[ 1 , [ ] , { } ]", R"({ "a" : 1 , "" : { "b" : [ ] } })", R"({"a":1,"a":2})", nested(64)}) {
    EXPECT_EQ(error_of(text), "") << text;
  }
}

struct Wrong {
  std::string text;
  std::string error;
};

class WrongPayloadTest : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongPayloadTest, SaysWhatIsWrongAndWhere) { EXPECT_EQ(error_of(GetParam().text), GetParam().error); }

INSTANTIATE_TEST_SUITE_P(
    Structure, WrongPayloadTest,
    ::testing::Values(
        Wrong{"", "0: The text is empty."}, Wrong{" \n", "2: The text is empty."},
        Wrong{"{\"a\":1} x", "8: Something stands after the end of the JSON text."},
        Wrong{"1 2", "2: Something stands after the end of the JSON text."},
        Wrong{"{", "1: The text ends inside an object or array."},
        Wrong{"[", "1: The text ends where a value is expected."},
        Wrong{"[1", "2: The text ends inside an object or array."}, Wrong{"[1 2]", "3: A ',' or ']' is expected here."},
        Wrong{"[1}", "2: A ',' or ']' is expected here."}, Wrong{"{\"a\":1]", "6: A ',' or '}' is expected here."},
        Wrong{"[1,]", "3: No value begins here."}, Wrong{"[,1]", "1: No value begins here."},
        Wrong{"{\"a\":1,}", "7: A key in '\"' is expected here."}, Wrong{"{a:1}", "1: A key in '\"' is expected here."},
        Wrong{"{\"a\" 1}", "5: A ':' is expected here, after the key."}, Wrong{"{\"a\":}", "5: No value begins here."},
        Wrong{"{\"a\":", "5: The text ends where a value is expected."}, Wrong{"'a'", "0: No value begins here."},
        Wrong{"True", "0: No value begins here."}, Wrong{"nul", "0: No value begins here."},
        Wrong{"// a\n1", "0: No value begins here."},
        Wrong{"nulls", "4: Something stands after the end of the JSON text."}, Wrong{"NaN", "0: No value begins here."},
        Wrong{std::string("1\0", 2), "1: Something stands after the end of the JSON text."},
        Wrong{"\xEF\xBB\xBF{}", "0: No value begins here."},
        Wrong{nested(65), "64: The text is nested deeper than 64 levels."}));

INSTANTIATE_TEST_SUITE_P(
    Numbers, WrongPayloadTest,
    ::testing::Values(Wrong{"01", "0: A number does not begin with 0."},
                      Wrong{"-01", "1: A number does not begin with 0."}, Wrong{"-", "1: A digit is expected here."},
                      Wrong{"1.", "2: A digit is expected here."}, Wrong{"1.e5", "2: A digit is expected here."},
                      Wrong{"1e", "2: A digit is expected here."}, Wrong{"1e+", "3: A digit is expected here."},
                      Wrong{".5", "0: No value begins here."}, Wrong{"+1", "0: No value begins here."},
                      Wrong{"0x10", "1: Something stands after the end of the JSON text."},
                      Wrong{"1,5", "1: Something stands after the end of the JSON text."}));

INSTANTIATE_TEST_SUITE_P(
    Strings, WrongPayloadTest,
    ::testing::Values(
        Wrong{"\"abc", "0: This string does not end."}, Wrong{"[\"abcdefghijkl", "1: This string does not end."},
        Wrong{"\"abc\\", "4: There is no such escape."},
        Wrong{"\"a\nb\"", "2: A control character inside a string is written as an escape."},
        Wrong{"\"abcdefghijkl\tb\"", "13: A control character inside a string is written as an escape."},
        Wrong{std::string("\"a\0\"", 4), "2: A control character inside a string is written as an escape."},
        Wrong{R"("\x41")", "1: There is no such escape."},
        Wrong{R"("\u12g4")", "1: After '\\u' stand four hexadecimal digits."},
        Wrong{R"("\u12)", "1: After '\\u' stand four hexadecimal digits."},
        Wrong{R"("\ude00")", "1: This is the second half of a surrogate pair without its first."},
        Wrong{R"("\ud83d")", "1: This is the first half of a surrogate pair without its second."},
        Wrong{R"("\ud83dx")", "1: This is the first half of a surrogate pair without its second."},
        Wrong{R"("\ud83d\n")", "1: This is the first half of a surrogate pair without its second."},
        Wrong{R"("\ud83d\u0041")", "1: This is the first half of a surrogate pair without its second."},
        Wrong{"\"\x80\"", "1: This byte is not UTF-8."}, Wrong{"\"ab\xC3\"", "3: This byte is not UTF-8."},
        Wrong{"\"\xC0\xAF\"", "1: This byte is not UTF-8."},          // overlong
        Wrong{"\"\xE0\x80\xAF\"", "1: This byte is not UTF-8."},      // overlong
        Wrong{"\"\xF0\x80\x80\xAF\"", "1: This byte is not UTF-8."},  // overlong
        Wrong{"\"\xED\xA0\x80\"", "1: This byte is not UTF-8."},      // a surrogate
        Wrong{"\"\xF4\x90\x80\x80\"", "1: This byte is not UTF-8."},  // beyond U+10FFFF
        Wrong{"\"\xE2\x82", "1: This byte is not UTF-8."}, Wrong{"{\"a\xFF\":1}", "3: This byte is not UTF-8."}));

TEST(PayloadJsonTest, ValuesKeepTheirText) {
  const std::string text =
      R"( {"a": 99.90, "b": 9223372036854775808, "c": [ 1e400 ], "d": "x\ny", "e": true, "f": null} )";
  PayloadJson json;
  ASSERT_TRUE(json.read(text));
  const PayloadJson::Value root = json.root();
  EXPECT_EQ(root.kind(), JsonKind::object);
  EXPECT_EQ(root.raw(), std::string_view(text).substr(1, text.size() - 2));
  EXPECT_EQ(root.member("a")->kind(), JsonKind::number);
  EXPECT_EQ(root.member("a")->raw(), "99.90");
  EXPECT_EQ(root.member("b")->raw(), "9223372036854775808");
  EXPECT_EQ(root.member("c")->kind(), JsonKind::array);
  EXPECT_EQ(root.member("c")->raw(), "[ 1e400 ]");
  EXPECT_EQ(root.member("c")->element(0)->raw(), "1e400");
  EXPECT_EQ(root.member("d")->raw(), R"("x\ny")");
  EXPECT_EQ(root.member("e")->kind(), JsonKind::boolean);
  EXPECT_TRUE(root.member("e")->boolean());
  EXPECT_EQ(root.member("f")->kind(), JsonKind::null);
}

TEST(PayloadJsonTest, StringsWithoutEscapesNeedNoCopy) {
  PayloadJson json;
  ASSERT_TRUE(json.read(R"(["é", "\u00e9\ud83d\ude00\u0000\/\"\\\b\f\n\r\t-", ""])"));
  std::string scratch = "before";
  EXPECT_EQ(json.root().element(0)->text(scratch), "é");
  EXPECT_EQ(scratch, "before");
  EXPECT_EQ(json.root().element(1)->text(scratch), std::string("é😀\0/\"\\\b\f\n\r\t-", 16));
  EXPECT_EQ(json.root().element(2)->text(scratch), "");
}

TEST(PayloadJsonTest, TheLastOfEqualKeysCounts) {
  PayloadJson json;
  ASSERT_TRUE(json.read(R"({"a":1,"b":{"a":0},"\u0061":2,"a":[3],"ab":4})"));
  EXPECT_EQ(json.root().member("a")->raw(), "[3]");
  ASSERT_TRUE(json.read(R"({"a":1,"\u0061":2,"b":3})"));
  EXPECT_EQ(json.root().member("a")->raw(), "2");
}

TEST(PayloadJsonTest, MembersAreFoundByTheirCharacters) {
  PayloadJson json;
  ASSERT_TRUE(json.read(R"({"": 1, "é": 2, "\u00e8": 3, "a\/b": 4, "A": 5, "x": {"y": [{"z": 6}]}})"));
  const PayloadJson::Value root = json.root();
  EXPECT_EQ(root.member("")->raw(), "1");
  EXPECT_EQ(root.member("é")->raw(), "2");
  EXPECT_EQ(root.member("è")->raw(), "3");
  EXPECT_EQ(root.member("a/b")->raw(), "4");
  EXPECT_FALSE(root.member("a"));
  EXPECT_FALSE(root.member("y"));
  EXPECT_EQ(root.member("x")->member("y")->element(0)->member("z")->raw(), "6");
  EXPECT_FALSE(root.member("x")->member("y")->element(1));
  EXPECT_FALSE(root.member("x")->member("y")->member("z"));
  EXPECT_FALSE(root.member("x")->element(0));
}

TEST(PayloadJsonTest, ValuesAreVisitedInTheirOrder) {
  PayloadJson json;
  ASSERT_TRUE(json.read(R"({"a":[1,[2,3],{}],"b\n":{"c":4},"d":"e"})"));
  std::vector<std::string> seen;
  std::string scratch;
  for (auto member = json.root().first(); member; member = member->next()) {
    seen.push_back(std::string(member->key(scratch)) + "=" + std::string(member->raw()));
  }
  EXPECT_THAT(seen, ElementsAre("a=[1,[2,3],{}]", "b\n={\"c\":4}", "d=\"e\""));
  seen.clear();
  for (auto item = json.root().member("a")->first(); item; item = item->next()) seen.emplace_back(item->raw());
  EXPECT_THAT(seen, ElementsAre("1", "[2,3]", "{}"));
  EXPECT_FALSE(json.root().member("a")->element(2)->first());
  EXPECT_FALSE(json.root().member("d")->first());
}

/// The value as the JSON library has it. Members that are not the last of their key are left out.
nlohmann::json tree_of(const PayloadJson::Value& value) {
  std::string scratch;
  nlohmann::json tree;
  switch (value.kind()) {
    case JsonKind::string:
      return value.text(scratch);
    case JsonKind::array:
      tree = nlohmann::json::array();
      for (auto item = value.first(); item; item = item->next()) tree.push_back(tree_of(*item));
      return tree;
    case JsonKind::object:
      tree = nlohmann::json::object();
      for (auto member = value.first(); member; member = member->next()) {
        const std::string key(member->key(scratch));
        tree[key] = tree_of(*value.member(key));
      }
      return tree;
    default:
      return nlohmann::json::parse(value.raw());
  }
}

TEST(PayloadJsonTest, AgreesWithTheJsonLibrary) {
  tests::MutatedJson mutated;
  int accepted = 0;
  for (int round = 0; round < 50'000; ++round) {
    const std::string text = mutated.next();
    const std::string error = error_of(text);
    nlohmann::json library(nlohmann::json::value_t::discarded);
    try {
      library = nlohmann::json::parse(text);
    } catch (const nlohmann::json::out_of_range&) {
      continue;  // a number beyond a double, which here is only a number
    } catch (const nlohmann::json::parse_error&) {
    }
    ASSERT_EQ(error.empty(), !library.is_discarded()) << text << "\n" << error;
    if (!error.empty()) continue;
    ++accepted;
    PayloadJson json;
    json.read(text);
    ASSERT_EQ(tree_of(json.root()), library) << text;
  }
  EXPECT_GT(accepted, 10'000);
}

TEST(PayloadJsonTest, ReadsOneTextAfterTheOther) {
  PayloadJson json;
  ASSERT_TRUE(json.read("[1,2,3]"));
  ASSERT_FALSE(json.read("[1,2"));
  EXPECT_EQ(json.error().offset, 4U);
  std::string large = "[0";
  for (int i = 1; i < 200'000; ++i) large += ",0";
  large += "]";
  ASSERT_TRUE(json.read(large));
  EXPECT_EQ(json.error().text, "");
  EXPECT_EQ(json.root().element(199'999)->raw(), "0");
  EXPECT_FALSE(json.root().element(200'000));
  ASSERT_TRUE(json.read("{\"a\":5}"));
  EXPECT_EQ(json.root().member("a")->raw(), "5");
}

}  // namespace
}  // namespace action_triggers::detail
