// SPDX-License-Identifier: MIT
// What the broker's reply codes mean. docs/rabbitmq-errors.md has the same table; after a change:
//     ACTION_TRIGGERS_UPDATE_DOCS=1 action_triggers_unit_tests --gtest_filter='AmqpErrors*'
#include "brokers/rabbitmq/amqp_errors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

namespace action_triggers::detail {
namespace {

using At = AmqpErrorAt;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(AmqpErrorsTest, EveryRowIsFoundByWhatItSays) {
  for (const AmqpError& row : amqp_errors()) {
    const std::string text = "BEFORE - " + std::string(row.part) + " after";
    const AmqpError& found = amqp_error(row.at, row.code, text);
    EXPECT_EQ(&found, &row) << row.code << " '" << row.part << "' is hidden by a row above it";
    EXPECT_FALSE(row.source.empty());
    const std::string says = text_of(row, row.code, text);
    EXPECT_THAT(says, HasSubstr(std::to_string(row.code) + " " + text));
    EXPECT_THAT(says, HasSubstr(std::string(row.advice)));
  }
}

TEST(AmqpErrorsTest, WhatIsFinalIsNotPersisted) {
  for (const AmqpError& row : amqp_errors()) {
    if (Status(row.status, {}).retryable()) continue;
    EXPECT_EQ(row.persistence, Persistence::not_persisted) << row.code;
  }
}

TEST(AmqpErrorsTest, EveryReplyCodeOfTheProtocolHasARow) {
  std::set<int> codes;
  for (const AmqpError& row : amqp_errors()) codes.insert(row.code);
  for (const int code : {311, 312, 320, 402, 403, 404, 405, 406, 501, 502, 503, 504, 505, 506, 530, 540, 541}) {
    EXPECT_TRUE(codes.contains(code)) << code;
  }
  EXPECT_EQ(amqp_error(At::any, 999, "NEW").status, StatusCode::unavailable);
}

struct Said {
  At at;
  int code;
  const char* text;  // as RabbitMQ 3.10 or 4.0 says it
  StatusCode status;
  const char* advice;
};

class SaidByRabbitMqTest : public ::testing::TestWithParam<Said> {};

TEST_P(SaidByRabbitMqTest, IsUnderstood) {
  const Said& said = GetParam();
  const AmqpError& error = amqp_error(said.at, said.code, said.text);
  EXPECT_EQ(error.status, said.status);
  EXPECT_THAT(text_of(error, said.code, said.text), HasSubstr(said.advice));
}

INSTANTIATE_TEST_SUITE_P(
    , SaidByRabbitMqTest,
    ::testing::Values(
        Said{At::login, 530,
             "NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit (1) is reached",
             StatusCode::unavailable, "close others, or raise it"},
        Said{At::login, 530,
             "NOT_ALLOWED - access to vhost '/' refused for user 'a': user connection limit (1) is reached",
             StatusCode::unavailable, "close others"},
        Said{At::login, 530, "NOT_ALLOWED - vhost nowhere not found", StatusCode::not_found, "virtual_host"},
        Said{At::login, 530, "NOT_ALLOWED - access to vhost 'v' refused for user 'a'", StatusCode::permission_denied,
             "set_permissions"},
        Said{At::login, 403, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.",
             StatusCode::unauthenticated, "conn_details.username"},
        Said{At::login, 541, "INTERNAL_ERROR - access to vhost '/' refused for user 'a': vhost '/' is down",
             StatusCode::unavailable, "log"},
        Said{At::any, 404, "NOT_FOUND - home node 'rabbit@b' of durable queue 'q' in vhost '/' is down or inaccessible",
             StatusCode::unavailable, "start it"},
        Said{At::any, 404, "NOT_FOUND - failed to perform operation on queue 'q' in vhost '/' due to timeout",
             StatusCode::unavailable, "does not answer"},
        Said{At::any, 404, "NOT_FOUND - queue 'q' in vhost '/' process is stopped by supervisor",
             StatusCode::unavailable, "log"},
        Said{At::any, 404, "NOT_FOUND - no exchange 'e' in vhost '/'", StatusCode::not_found, "declare it"},
        Said{At::any, 405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'",
             StatusCode::unavailable, "exclusive"},
        Said{At::any, 530,
             "NOT_ALLOWED - number of channels opened for user 'a' has reached the maximum allowed user limit of (4)",
             StatusCode::unavailable, "set_user_limits"},
        Said{At::any, 530, "NOT_ALLOWED - number of channels opened (8) has reached the negotiated channel_max (8)",
             StatusCode::unavailable, "channel_max"},
        Said{At::any, 406, "PRECONDITION_FAILED - message size 2000 is larger than configured max size 1000",
             StatusCode::too_large, "max_message_size"},
        Said{At::any, 406,
             "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but "
             "current is 'false'",
             StatusCode::invalid_argument, "params.declare"},
        Said{At::any, 406, "PRECONDITION_FAILED - unknown exchange type 'x-delayed-message'",
             StatusCode::invalid_argument, "enable the plugin"},
        Said{At::any, 503, "COMMAND_INVALID - unknown exchange type 'x-delayed-message'", StatusCode::unavailable,
             "enable the plugin"},
        Said{At::any, 406, "PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q'",
             StatusCode::invalid_argument, "params.declare"}));

TEST(AmqpErrorsTest, ARefusalThatNoRightCanMendDoesNotAdviseOne) {
  for (const char* text : {"ACCESS_REFUSED - cannot publish to internal exchange 'i' in vhost '/'",
                           "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'"}) {
    const Status status = status_of_close(403, text);
    EXPECT_EQ(status.code(), StatusCode::permission_denied);
    EXPECT_THAT(status.message(), Not(HasSubstr("rabbitmqctl")));
  }
  EXPECT_THAT(status_of_close(403, "ACCESS_REFUSED - access to topic 'k' in exchange 'e' refused").message(),
              HasSubstr("set_topic_permissions"));
  EXPECT_THAT(status_of_close(403, "ACCESS_REFUSED - access to exchange 'e' in vhost '/' refused").message(),
              HasSubstr("set_permissions"));
}

TEST(AmqpErrorsTest, TheUserIsNotNamed) {
  for (const auto& [said, shown] : std::map<std::string, std::string>{
           {"NOT_ALLOWED - access to vhost 'v' refused for user 'a'", "access to vhost 'v' refused for user '***'"},
           {"NOT_ALLOWED - access to vhost 'v' refused for user 'o'a': connection limit (1) is reached",
            "access to vhost 'v' refused for user '***': connection limit (1) is reached"},
           {"ACCESS_REFUSED - access to queue 'q' in vhost 'v' refused for user 'a very long na",
            "access to queue 'q' in vhost 'v' refused for user '***"},
           {"PRECONDITION_FAILED - user_id property set to 'a' but authenticated user was 'b'",
            "user_id property set to '***' but authenticated user was '***'"}}) {
    const std::string text = status_of_close(403, said).message();
    EXPECT_THAT(text, HasSubstr(shown));
  }
}

TEST(AmqpErrorsTest, ThePageHasTheTable) {
  const std::string path = ACTION_TRIGGERS_SOURCE_DIR "/docs/rabbitmq-errors.md";
  std::ifstream in(path, std::ios::binary);
  std::string page{std::istreambuf_iterator<char>(in), {}};
  const std::string begin_mark = "<!-- table -->\n";
  const std::size_t begin = page.find(begin_mark);
  const std::size_t end = page.find("<!-- end -->", begin);
  ASSERT_NE(end, std::string::npos);
  const std::size_t from = begin + begin_mark.size();
  if (std::getenv("ACTION_TRIGGERS_UPDATE_DOCS") != nullptr) {
    page.replace(from, end - from, amqp_error_table());
    std::ofstream(path, std::ios::binary) << page;
    return;
  }
  EXPECT_EQ(page.substr(from, end - from), amqp_error_table());
}

}  // namespace
}  // namespace action_triggers::detail
