// SPDX-License-Identifier: MIT
/// GoogleMock matchers for messages and reports, and how they print.
#pragma once

#include <gmock/gmock.h>

#include <ostream>
#include <string>
#include <string_view>

#include "action_triggers/delivery.hpp"
#include "action_triggers/message.hpp"
#include "action_triggers/status.hpp"

namespace action_triggers {

// GoogleTest finds it by argument-dependent look-up.
inline void PrintTo(const Message& message, std::ostream* out) {
  *out << "message{body: \"" << message.body << "\", key: \"" << message.key << "\", id: " << message.id << "}";
}

namespace testing {

MATCHER_P(BodyIs, matcher, "") { return ::testing::ExplainMatchResult(matcher, arg.body, result_listener); }
MATCHER_P(KeyIs, matcher, "") { return ::testing::ExplainMatchResult(matcher, arg.key, result_listener); }
MATCHER_P(ContentTypeIs, matcher, "") {
  return ::testing::ExplainMatchResult(matcher, arg.content_type, result_listener);
}
MATCHER_P2(HasHeader, name, value, "") {
  return ::testing::ExplainMatchResult(::testing::Contains(Header{std::string(name), std::string(value)}), arg.headers,
                                       result_listener);
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
