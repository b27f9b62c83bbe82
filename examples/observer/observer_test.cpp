// SPDX-License-Identifier: MIT
// What each save sends where, with the program's own configuration and without a server.
#include <gmock/gmock.h>

#include <action_triggers/testing/trigger_fixture.hpp>

#include "messages.hpp"
#include "model.hpp"

namespace at = action_triggers;
using at::testing::BodyIsJson;
using at::testing::KeyIs;
using at::testing::Sent;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

class ObserverTest : public testing::Test {
 protected:
  ObserverTest() { shop::send_events_of_orders(fixture_.dispatcher()); }
  ~ObserverTest() override { shop::Order::saved = {}; }

  at::testing::TriggerFixture fixture_ = at::testing::TriggerFixture::load(BROKERS_JSON);
  shop::Order order_{42, "Ann", 99.5};
};

TEST_F(ObserverTest, WhatIsNotSavedIsNoEvent) {
  order_.pay();
  EXPECT_THAT(fixture_.sent(), IsEmpty());
}

TEST_F(ObserverTest, ANewOrderIsAnEvent) {
  order_.save();
  EXPECT_THAT(fixture_.sent(),
              ElementsAre(Sent("order_events", KeyIs("42"),
                               BodyIsJson(R"({"id": 42, "customer": "Ann", "total": 99.5, "paid": false})"))));
}

TEST_F(ObserverTest, APaidOrderIsThankedFor) {
  order_.save();
  order_.pay();
  order_.save();
  EXPECT_THAT(fixture_.sent(),
              ElementsAre(Sent("order_events"), Sent("order_events"),
                          Sent("order_mails", BodyIsJson(R"({"text": "Thank you, Ann: 99.5 for order 42."})"))));
}

}  // namespace
