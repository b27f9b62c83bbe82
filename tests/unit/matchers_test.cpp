// SPDX-License-Identifier: MIT
// The matchers for messages: what they match, and what they say when they do not.
#include "action_triggers/testing/matchers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace action_triggers::testing {
namespace {

using ::testing::DescribeMatcher;
using ::testing::HasSubstr;
using ::testing::Matches;
using ::testing::Not;
using ::testing::PrintToString;
using ::testing::StartsWith;

const Message order{.body = R"({"id": 42, "total": 99.90})",
                    .key = "order-42",
                    .headers = {{"tenant", "a"}, Header::integer("version", 2), {"tenant", "b"}},
                    .content_type = "application/json",
                    .id = "id-1"};

/// What a matcher says of a message that it does not match; empty if it does.
template <class Matcher>
std::string why_not(const Matcher& matcher, const Message& message) {
  ::testing::StringMatchResultListener listener;
  const auto typed = ::testing::SafeMatcherCast<const Message&>(matcher);
  return typed.MatchAndExplain(message, &listener) ? "" : "no: " + listener.str();
}

TEST(MatchersTest, ValuesAndMatchersOfParts) {
  EXPECT_THAT(order, BodyIs(R"({"id": 42, "total": 99.90})"));
  EXPECT_THAT(order, BodyIs(HasSubstr("42")));
  EXPECT_THAT(order, KeyIs("order-42"));
  EXPECT_THAT(order, KeyIs(StartsWith("order-")));
  EXPECT_THAT(order, ContentTypeIs("application/json"));
  EXPECT_THAT(order, Not(BodyIs("42")));
  EXPECT_THAT(order, Not(KeyIs("order-4")));
  EXPECT_THAT(order, Not(ContentTypeIs("")));
  EXPECT_EQ(DescribeMatcher<const Message&>(BodyIs(HasSubstr("42"))), R"(body has substring "42")");
  EXPECT_EQ(DescribeMatcher<const Message&>(Not(KeyIs("k"))), R"(key isn't equal to "k")");
}

TEST(MatchersTest, Headers) {
  EXPECT_THAT(order, HasHeader("tenant", "a"));
  EXPECT_THAT(order, HeaderIs("tenant", "b")) << "the last one";
  EXPECT_THAT(order, HeaderIs("version", "2")) << "of whatever type";
  EXPECT_THAT(order, HeaderIs("tenant", ::testing::AnyOf("b", "c")));
  EXPECT_EQ(why_not(HeaderIs("tenant", "a"), order), R"(no: whose header 'tenant' is "b")");
  EXPECT_EQ(why_not(HeaderIs("tenat", "b"), order), "no: which has no header 'tenat'");
  EXPECT_EQ(DescribeMatcher<const Message&>(HeaderIs("tenant", "a")), R"(header 'tenant' is equal to "a")");
}

TEST(MatchersTest, BodiesAsJson) {
  EXPECT_THAT(order, BodyIsJson(R"({"total": 99.9, "id": 42})"));
  EXPECT_EQ(why_not(BodyIsJson(R"({"total": 99.9, "id": 41})"), order), "no: whose body has 42 at /id instead of 41");
  EXPECT_EQ(DescribeMatcher<const Message&>(BodyIsJson("[1]")), "body is the JSON [1]");
  EXPECT_EQ(DescribeMatcher<const Message&>(Not(BodyIsJson("[1]"))), "body is not the JSON [1]");
  EXPECT_THROW(Matches(BodyIsJson("{"))(order), std::invalid_argument) << "a mistake in the test";
}

TEST(MatchersTest, ValuesOfAJsonLibrary) {
  const nlohmann::json same{{"id", 42}, {"total", 99.9}};
  EXPECT_THAT(order, BodyIs(same));
  EXPECT_THAT(order, BodyIsJson(same));
  EXPECT_THAT(order, Not(BodyIs(nlohmann::json{{"id", 42}})));
}

TEST(MatchersTest, AMessagePrintsWhatTheyLookAt) {
  EXPECT_EQ(PrintToString(Message{.body = "b", .key = "k", .headers = {{"h", "v"}}, .content_type = "t", .id = "i"}),
            R"(message{body: "b", key: "k", header h: "v", content type: t, id: i})");
}

}  // namespace
}  // namespace action_triggers::testing
