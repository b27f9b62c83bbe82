// SPDX-License-Identifier: MIT
// How an application tests its hook: the real code and configuration, an in-memory broker behind them.
#include <action_triggers/action_triggers.hpp>
#include <action_triggers/testing/in_memory_broker.hpp>
#include <action_triggers/testing/matchers.hpp>

namespace at = action_triggers;
using namespace std::chrono_literals;

// The application's hook.
at::Delivery on_order_placed(at::TriggerDispatcher& dispatcher, int order) {
  return dispatcher.fire("orders", at::Message{.body = std::to_string(order), .key = "order-" + std::to_string(order)});
}

class CheckoutTest : public testing::Test {
 protected:
  std::shared_ptr<at::testing::InMemoryBroker> kafka_ = std::make_shared<at::testing::InMemoryBroker>();
  at::BrokerRegistry registry_ = at::BrokerRegistry::builtin().add("kafka", kafka_->maker());
  at::TriggerDispatcher dispatcher_{at::parse_config(R"({"brokers": {"orders": {"broker_type": "kafka",
      "conn_details": {"bootstrap_servers": "kafka:9092"}, "params": {"topic": "orders"}}}})",
                                                     registry_),
                                    registry_};
};

TEST_F(CheckoutTest, APlacedOrderReachesKafkaWithItsKey) {
  on_order_placed(dispatcher_, 42);
  ASSERT_TRUE(dispatcher_.flush(10s));
  EXPECT_THAT(kafka_->messages("orders"),
              testing::ElementsAre(testing::AllOf(at::testing::BodyIs("42"), at::testing::KeyIs("order-42"))));
}

TEST_F(CheckoutTest, AnOrderSurvivesALostConfirmation) {
  kafka_->lose_confirmation_next();
  const at::DeliveryReport report = on_order_placed(dispatcher_, 42).wait();
  EXPECT_THAT(report, at::testing::IsOk());
  EXPECT_THAT(report, at::testing::AttemptsAre(2U));
}
