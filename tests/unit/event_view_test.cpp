// SPDX-License-Identifier: MIT
// One event, as conditions and templates see it.
#include "triggers/event_view.hpp"

#include <gtest/gtest.h>

#include <string>

namespace action_triggers::detail {
namespace {

TEST(EventViewTest, ThePayloadIsReadOnce) {
  std::string body = R"({"a":1})";
  PayloadJson json;
  EventView event({.body = body}, json);
  ASSERT_NE(event.json(), nullptr);
  body[5] = '2';
  body[6] = ']';  // which a second reading would find
  ASSERT_NE(event.json(), nullptr);
  EXPECT_EQ(event.json()->root().member("a")->raw(), "2");
}

TEST(EventViewTest, WhatIsNoJsonIsSaid) {
  PayloadJson json;
  EventView event({.body = "{'a':1}"}, json);
  EXPECT_EQ(event.json(), nullptr);
  EXPECT_EQ(event.json(), nullptr);
  EXPECT_EQ(event.json_error(), "The payload is not JSON at byte 1: A key in '\"' is expected here.");
}

TEST(EventViewTest, ReadersAreUsedAgain) {
  PayloadJson json;
  EventView wrong({.body = "x"}, json);
  EXPECT_EQ(wrong.json(), nullptr);
  EventView right({.body = "5"}, json);
  ASSERT_NE(right.json(), nullptr);
  EXPECT_EQ(right.json()->root().raw(), "5");
}

TEST(EventViewTest, TheLastHeaderOfANameCounts) {
  const Message message{.key = "k", .headers = {{"a", "1"}, {"b", "2"}, {"a", "3"}}};
  PayloadJson json;
  const EventView event({.message = &message}, json);
  EXPECT_EQ(event.key(), "k");
  EXPECT_EQ(event.header("a")->value, "3");
  EXPECT_EQ(event.header("b")->value, "2");
  EXPECT_EQ(event.header("A"), nullptr);
}

TEST(EventViewTest, AnEventMayHaveNoMessage) {
  PayloadJson json;
  const EventView event({.name = "n", .id = "i", .body = "b"}, json);
  EXPECT_EQ(event.name(), "n");
  EXPECT_EQ(event.id(), "i");
  EXPECT_EQ(event.body(), "b");
  EXPECT_EQ(event.key(), "");
  EXPECT_EQ(event.header("a"), nullptr);
}

}  // namespace
}  // namespace action_triggers::detail
