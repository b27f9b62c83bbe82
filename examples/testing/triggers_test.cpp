// SPDX-License-Identifier: MIT
// How an application tests its triggers: its own configuration file, and what would reach which broker.
#include <action_triggers/action_triggers.hpp>
#include <action_triggers/testing/trigger_fixture.hpp>
#include <string>

namespace at = action_triggers;
using at::testing::BodyIs;
using at::testing::BodyIsJson;
using at::testing::HasCode;
using at::testing::KeyIs;
using at::testing::NotSent;
using at::testing::RoutingKeyIs;
using at::testing::Sent;
using testing::ElementsAre;

// The application's hook.
void on_order_paid(at::TriggerDispatcher& dispatcher, int order, int total) {
  dispatcher.emit("order.paid", R"({"id": )" + std::to_string(order) + R"(, "total": )" + std::to_string(total) +
                                    R"(, "customer": {"mail": "ann@example.org"}})");
}

class TriggersTest : public testing::Test {
 protected:
  at::testing::TriggerFixture fixture_ = at::testing::TriggerFixture::load(SHOP_JSON);
};

TEST_F(TriggersTest, ALargeOrderIsThankedFor) {
  const std::string paid = R"({"id": 42, "total": 1000, "customer": {"mail": "ann@example.org"}})";
  EXPECT_THAT(fixture_.emitted("order.paid", paid),
              ElementsAre(Sent("order_events", BodyIs(paid)),
                          Sent("order_mails", KeyIs("order-42"), RoutingKeyIs("mail.large"),
                               BodyIsJson(R"({"to": "ann@example.org", "subject": "Order 42: thank you"})"))));
}

TEST_F(TriggersTest, ASmallOrderIsNot) {
  EXPECT_THAT(fixture_.emitted("order.paid", R"({"id": 42, "total": 999.99})"), ElementsAre(Sent("order_events")));
}

TEST_F(TriggersTest, WithoutAnAddressNoMailCanBeWritten) {
  EXPECT_THAT(fixture_.emitted("order.paid", R"({"id": 42, "total": 1000})"),
              ElementsAre(Sent("order_events"), NotSent("order_mails", HasCode(at::StatusCode::invalid_argument))));
}

TEST_F(TriggersTest, TheHookTellsOfWhatWasPaid) {
  on_order_paid(fixture_.dispatcher(), 42, 1000);
  EXPECT_THAT(fixture_.sent(), ElementsAre(Sent("order_events"), Sent("order_mails", KeyIs("order-42"))));
}
