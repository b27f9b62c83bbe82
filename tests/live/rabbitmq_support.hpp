// SPDX-License-Identifier: MIT
/// What the live tests of RabbitMQ share.
#pragma once

#include <string>
#include <vector>

#include "live/support.hpp"

namespace action_triggers::tests {

class RabbitMqLiveTest : public ::testing::Test {
 protected:
  static std::string queue_named(const std::string& name, const std::string& extra = {}) {
    return R"("queue": ")" + name + "\"" + extra;
  }
  static std::string declared(const std::string& name, const std::string& arguments = {}) {
    return queue_named(name, R"(, "declare": {"arguments": {)" + arguments + "}}");
  }
  static std::string rabbitmq(const std::string& name, const std::string& params) {
    return broker(name, "rabbitmq", rabbitmq_conn(), params);
  }
  static void with_pika(const std::string& statements) {
    run("/usr/bin/python3 -c 'import pika; c = pika.BlockingConnection(pika.ConnectionParameters(\"" +
        Servers::rabbitmq_host() + "\", " + std::to_string(Servers::rabbitmq_port()) + ")); ch = c.channel(); " +
        statements + "; c.close()'");
  }

  static std::vector<Delivery> fire_many(TriggerDispatcher& dispatcher, const std::string& name, int count) {
    std::vector<Delivery> deliveries;
    for (int i = 0; i < count; ++i) deliveries.push_back(dispatcher.fire(name, std::to_string(i)));
    return deliveries;
  }
  static void expect_all_ok(const std::vector<Delivery>& deliveries, std::chrono::milliseconds within) {
    const auto deadline = Clock::now() + within;
    for (std::size_t i = 0; i < deliveries.size(); ++i) {
      const DeliveryReport* const report =
          deliveries[i].wait_for(std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()));
      ASSERT_NE(report, nullptr) << "message " << i;
      ASSERT_THAT(*report, testing::IsOk()) << "message " << i;
    }
  }

  const std::string good_ = unique("good");
  const std::string bad_ = unique("bad");
};

}  // namespace action_triggers::tests
