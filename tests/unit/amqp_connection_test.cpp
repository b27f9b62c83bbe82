// SPDX-License-Identifier: MIT
// A connection of which something is missing.
#include "brokers/rabbitmq/amqp_connection.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "action_triggers/testing/matchers.hpp"
#include "brokers/rabbitmq/amqp_login.hpp"
#include "support/scripted_amqp_server.hpp"

namespace action_triggers::detail {
namespace {

using namespace tests;
using ::testing::HasSubstr;
using testing::IsOk;

/// rabbitmq-c does not hand its TLS session out, and the way around that could fail one day.
TEST(AmqpConnectionTest, WithoutItsTlsSessionNothingIsWrittenInClear) {
  ScriptedAmqpServer server([](AmqpPeer& peer) {
    peer.log_in();
    peer.read_on();
  });
  AmqpHandle handle;
  ASSERT_THAT(open_amqp_connection({}, {"127.0.0.1", static_cast<std::uint16_t>(server.port())}, handle), IsOk());
  ASSERT_NE(amqp_ssl_socket_new(handle.get()), nullptr);  // takes the place of the open one, and has no session
  const AmqpConnection connection(std::move(handle), "host:5671", true);
  EXPECT_THAT(connection.error().message(), HasSubstr("host:5671: the TLS session is not known"));
}

}  // namespace
}  // namespace action_triggers::detail
