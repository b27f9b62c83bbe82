// SPDX-License-Identifier: MIT
/// GoogleMock matchers for messages and reports, and how they print.
#pragma once

#include <gmock/gmock.h>

#include <concepts>
#include <ostream>
#include <string>
#include <string_view>

#include "action_triggers/delivery.hpp"
#include "action_triggers/message.hpp"
#include "action_triggers/status.hpp"
#include "action_triggers/testing/json_difference.hpp"

namespace action_triggers {

// GoogleTest finds it by argument-dependent look-up.
inline void PrintTo(const Message& message, std::ostream* out) {
  *out << "message{body: \"" << message.body << "\", key: \"" << message.key << "\"";
  for (const Header& header : message.headers) *out << ", header " << header.name << ": \"" << header.value << "\"";
  if (!message.content_type.empty()) *out << ", content type: " << message.content_type;
  *out << ", id: " << message.id << "}";
}

namespace testing {

namespace detail_of_matchers {
/// "body is equal to "x"" for a value as for a matcher.
template <class Matcher>
std::string described(std::string_view part, const Matcher& matcher, bool negation) {
  return std::string(part) + " " + ::testing::DescribeMatcher<const std::string&>(matcher, negation);
}

/// Of a JSON library, such as nlohmann::json: it can write itself.
template <class T>
concept JsonValue = requires(const T& value) {
  { value.dump() } -> std::convertible_to<std::string>;
};
inline std::string json_text(std::string_view text) { return std::string(text); }
template <JsonValue Json>
std::string json_text(const Json& value) {
  return value.dump();
}
}  // namespace detail_of_matchers

// For a Message, and for what has one: a SentMessage of TriggerFixture. Each takes a value, or a matcher of one.

MATCHER_P(BodyIs, matcher, detail_of_matchers::described("body", matcher, negation)) {
  return ::testing::ExplainMatchResult(matcher, arg.body, result_listener);
}
MATCHER_P(KeyIs, matcher, detail_of_matchers::described("key", matcher, negation)) {
  return ::testing::ExplainMatchResult(matcher, arg.key, result_listener);
}
MATCHER_P(ContentTypeIs, matcher, detail_of_matchers::described("content type", matcher, negation)) {
  return ::testing::ExplainMatchResult(matcher, arg.content_type, result_listener);
}
MATCHER_P2(HasHeader, name, value, "") {
  return ::testing::ExplainMatchResult(::testing::Contains(Header{std::string(name), std::string(value)}), arg.headers,
                                       result_listener);
}

/// The value of the header of this name, whatever its type: `HeaderIs("version", "2")`. Of several the last one.
MATCHER_P2(HeaderIs, name, matcher,
           detail_of_matchers::described("header '" + std::string(name) + "'", matcher, negation)) {
  const Header* found = nullptr;
  for (const Header& header : arg.headers) {
    if (header.name == name) found = &header;
  }
  if (found == nullptr) {
    *result_listener << "which has no header '" << name << "'";
    return false;
  }
  *result_listener << "whose header '" << name << "' is \"" << found->value << "\"";
  return ::testing::Matches(matcher)(static_cast<const std::string&>(found->value));
}

/// The body is this JSON, however it is written: see json_difference.hpp. Takes text, or a value of a JSON library that
/// has dump(), and throws std::invalid_argument if the text is not JSON.
MATCHER_P(BodyIsJson, expected,
          std::string("body is ") + (negation ? "not " : "") + "the JSON " + detail_of_matchers::json_text(expected)) {
  const std::string difference = json_difference(arg.body, detail_of_matchers::json_text(expected));
  if (!difference.empty()) *result_listener << "whose body " << difference;
  return difference.empty();
}
/// The same: `BodyIs(nlohmann::json{{"id", 42}})`.
template <detail_of_matchers::JsonValue Json>
auto BodyIs(Json expected) {
  return BodyIsJson(expected.dump());
}

/// For a DeliveryReport or a Status.
MATCHER(IsOk, negation ? "is not ok" : "is ok") {
  if constexpr (requires { arg.status; }) {
    *result_listener << arg.status;
    return arg.status.ok();
  } else {
    *result_listener << arg;
    return arg.ok();
  }
}
MATCHER_P(HasCode, code, std::string(negation ? "has not the code " : "has the code ") + std::string(to_string(code))) {
  if constexpr (requires { arg.status; }) {
    *result_listener << arg.status;
    return arg.status.code() == code;
  } else {
    *result_listener << arg;
    return arg.code() == code;
  }
}
MATCHER_P(PersistenceIs, persistence, "") {
  *result_listener << arg.persistence;
  return arg.persistence == persistence;
}
MATCHER_P(AttemptsAre, matcher, "") { return ::testing::ExplainMatchResult(matcher, arg.attempts, result_listener); }

}  // namespace testing
}  // namespace action_triggers
