// SPDX-License-Identifier: MIT
// Which payloads a condition matches, and what is said of those that it does not match. condition_pairs.txt has the
// pairs; tests/peers asks event-ruler the same ones.
#include "triggers/condition.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/condition_pairs.hpp"
#include "support/condition_text.hpp"

namespace action_triggers {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using tests::condition_of;
using tests::ConditionPair;
using tests::matches;
using tests::why_not;

TEST(ConditionTest, MatchesWhatItShould) {
  const std::vector<ConditionPair> pairs = tests::condition_pairs();
  EXPECT_GE(pairs.size(), 200U);
  for (const ConditionPair& pair : pairs) {
    const detail::Condition condition = condition_of(pair.when);
    EXPECT_EQ(matches(condition, pair.payload), pair.expected) << pair.line << ": " << pair.when << " " << pair.payload;
    EXPECT_EQ(why_not(condition, pair.payload).empty(), pair.expected) << pair.line << ": " << pair.payload;
  }
}

TEST(ConditionTest, OneConditionOfAllKinds) {
  const detail::Condition condition = condition_of(R"({
    "status": ["paid", "shipped"],
    "total": [{"numeric": [">=", 100, "<", 1000]}],
    "customer.mail": [{"exists": true}, {"suffix": "@example.org"}],
    "customer": {"country": [{"anything-but": ["DE", "AT"]}]},
    "/customer/first.name": [{"prefix": {"equals-ignore-case": "an"}}],
    "lines": {"sku": [{"wildcard": "A-*-?"}], "count": [2]},
    "$or": [{"vip": [true]}, {"note": [{"exists": false}]}],
    "$not": {"test": [true]}
  })");
  const std::string good = R"({"status": "paid", "total": 1e2, "vip": false,
    "customer": {"mail": null, "country": "FR", "first.name": "ANNA"},
    "lines": [{"sku": "B"}, {"sku": "A-1-?", "count": 2.0}]})";
  EXPECT_EQ(why_not(condition, good), "");
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string payload = good;
    const std::size_t at = payload.find(from);
    if (at == std::string::npos) throw std::runtime_error("not there: " + from);
    return payload.replace(at, from.size(), to);
  };
  EXPECT_EQ(why_not(condition, changed("paid", "new")),
            R"(The field 'status' is "new"; wanted is "paid" or "shipped".)");
  EXPECT_EQ(why_not(condition, changed("1e2", "1e3")),
            R"(The field 'total' is 1e3; wanted is {"numeric": [">=", 100, "<", 1000]}.)");
  EXPECT_EQ(why_not(condition, changed("\"mail\": null, ", "")),
            R"(The field 'customer.mail' is missing; wanted is {"exists": true} or {"suffix": "@example.org"}.)");
  EXPECT_EQ(why_not(condition, changed("FR", "DE")),
            R"(The field 'customer.country' is "DE"; wanted is {"anything-but": ["DE", "AT"]}.)");
  EXPECT_EQ(why_not(condition, changed("ANNA", "Bob")),
            R"(The field '/customer/first.name' is "Bob"; wanted is {"prefix": {"equals-ignore-case": "an"}}.)");
  EXPECT_EQ(why_not(condition, changed("2.0", "3")),
            R"(No element of the field 'lines' matches; of the first: The field 'lines.sku' is "B"; wanted is )"
            R"({"wildcard": "A-*-?"}.)");
  EXPECT_EQ(why_not(condition, changed("\"vip\": false", "\"note\": 0")),
            "None of the 2 alternatives of '$or' matches; of the first: The field 'vip' is missing; wanted is true.");
  EXPECT_EQ(why_not(condition, changed("\"vip\": false", "\"test\": true")), "The payload is what '$not' excludes.");
}

TEST(ConditionTest, WhatIsShownOfAValueIsShort) {
  const detail::Condition condition = condition_of(R"({"a": ["b"]})");
  EXPECT_EQ(why_not(condition, R"({"a": {"b": 1}})"), "The field 'a' is an object; wanted is \"b\".");
  const std::string text =
      why_not(condition, R"({"a": ")" + std::string(98, 'x') + "ééé" + std::string(1000, 'y') + "\"}");
  EXPECT_EQ(text, "The field 'a' is \"" + std::string(98, 'x') + "…; wanted is \"b\".");
  EXPECT_EQ(why_not(condition, R"({"a": []})"), "The field 'a' is []; wanted is \"b\".");
  EXPECT_EQ(why_not(condition_of(R"({"a": {"b": [1]}})"), R"({"a": []})"), "The field 'a' is an empty list.");
}

TEST(ConditionTest, ElementsByTheirNumber) {
  const detail::Condition condition = condition_of(R"({"/lines/1/sku": ["b"], "lines.count": [1]})");
  EXPECT_TRUE(matches(condition, R"({"lines": [{"sku": "a", "count": 1}, {"sku": "b"}]})"));
  EXPECT_FALSE(matches(condition, R"({"lines": [{"sku": "b", "count": 1}, {"sku": "a"}]})"));
  EXPECT_FALSE(matches(condition, R"({"lines": [{"sku": "b", "count": 1}]})"));
  EXPECT_EQ(why_not(condition, R"({"lines": [{"sku": "b", "count": 1}]})"),
            "The field '/lines/1/sku' is missing; wanted is \"b\".");
  EXPECT_TRUE(matches(condition_of(R"({"/a/0": [7]})"), R"({"a": {"0": 7}})"));  // or a key
}

TEST(ConditionTest, DeepAndBroadPayloadsEndSoon) {
  // Each level of the condition meets each level of the payload once, not twice as often as the one above.
  std::string when = R"([1])";
  std::string payload = "2";
  for (int i = 0; i < 30; ++i) {
    when = R"({"a": )" + when + "}";
    payload = R"({"a": [)" + payload + ", " + (i < 10 ? payload : "3") + "]}";
  }
  EXPECT_FALSE(matches(condition_of(when), payload));
}

}  // namespace
}  // namespace action_triggers
