// SPDX-License-Identifier: MIT
// Outbox and OutboxTransaction: what an application writes, and what it is told. The table is in memory.
#include "action_triggers/outbox.hpp"

#include <gmock/gmock.h>

#include <stdexcept>
#include <string>

#include "outbox/outbox_row.hpp"
#include "support/outbox_fixture.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OutboxTest : public tests::OutboxFixture {};

template <class Call>
std::string thrown_by(const Call& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing";
}

TEST_F(OutboxTest, AMessageOfATransactionIsSentOnceItHasCommitted) {
  Outbox& outbox = make();
  tests::MemoryTransaction transaction(outbox);
  const std::string first = transaction.fire("orders", Message{.body = "1", .key = "k", .headers = {{"a", "b"}}});
  const std::string second = transaction.fire("orders", "2");
  EXPECT_EQ(transaction.size(), 2U);
  EXPECT_NE(first, second);
  ASSERT_TRUE(outbox.wait_until_empty(30s));
  EXPECT_EQ(broker_->size(), 0U);
  transaction.commit(table_);
  ASSERT_TRUE(outbox.wait_until_empty(30s));
  EXPECT_EQ(table_.size(), 0U);
  const auto messages = broker_->messages("orders");
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0], (Message{.body = "1", .key = "k", .headers = {{"a", "b"}}, .id = first}));
  EXPECT_EQ(messages[1], (Message{.body = "2", .id = second}));
}

TEST_F(OutboxTest, AnIdOfTheApplicationsIsKept) {
  tests::MemoryTransaction transaction(make());
  EXPECT_EQ(transaction.fire("orders", Message{.body = "1", .id = "mine"}), "mine");
  EXPECT_EQ(transaction.emit("order.paid", Message{.body = "{}", .id = "too"}), "too");
  EXPECT_EQ(transaction.rows()[1].target, "event:order.paid");
}

TEST_F(OutboxTest, ATransactionForgetsWhatIsRolledBack) {
  tests::MemoryTransaction transaction(make());
  for (const char* body : {"1", "2", "3"}) transaction.fire("orders", body);
  transaction.keep(5);
  EXPECT_EQ(transaction.size(), 3U);
  transaction.keep(1);
  ASSERT_EQ(transaction.size(), 1U);
  EXPECT_EQ(transaction.rows()[0].body, "1");
  transaction.clear();
  EXPECT_EQ(transaction.size(), 0U);
}

TEST_F(OutboxTest, RowsForOtherDatabaseLayersHaveTheValuesInTheStatementsOrder) {
  Outbox& outbox = make();
  EXPECT_EQ(outbox.insert_statement(), "INSERT INTO action_triggers_outbox");
  const OutboxValues values = outbox.row(
      "orders", Message{.body = "b", .key = "k", .headers = {{"a", "b"}}, .content_type = "text/plain", .id = "i"});
  EXPECT_EQ(values.message_id, "i");
  EXPECT_THAT(values.values, ElementsAre("orders", "b", "k", "i", "text/plain", R"([["a","b"]])", std::nullopt));
  EXPECT_EQ(outbox.event_row("order.paid", Message{.body = "{}"}).values[0], "event:order.paid");
}

TEST_F(OutboxTest, WhatCannotBeSentIsRefusedBeforeTheTransactionHasIt) {
  Outbox& outbox = make();
  tests::MemoryTransaction transaction(outbox);
  EXPECT_THAT(thrown_by([&] { transaction.fire("order", "1"); }), HasSubstr("Did you mean 'orders'?"));
  EXPECT_THAT(thrown_by([&] { transaction.fire("event:x", "1"); }), HasSubstr("begins with 'event:'"));
  EXPECT_THAT(thrown_by([&] { transaction.emit("", "{}"); }), HasSubstr("needs a name"));
  EXPECT_THAT(thrown_by([&] {
                static_cast<void>(outbox.row("orders", Message{.headers = {{"a", "\xFF"}}}));
              }),
              HasSubstr("is not UTF-8"));
  EXPECT_EQ(transaction.size(), 0U);
}

TEST_F(OutboxTest, NeedsItsSectionAndItsTable) {
  dispatcher_.emplace(parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}}})"));
  EXPECT_THAT(thrown_by([&] { outbox_.emplace(*dispatcher_, table_); }),
              HasSubstr(R"(no 'outbox' of "type": "sqlite")"));
  table_.fail("no such table");
  EXPECT_THROW(make(), detail::StoreError);
}

TEST_F(OutboxTest, ADispatcherHasOneAtATime) {
  make();
  EXPECT_THROW(tests::MemoryBackedOutbox(*dispatcher_, table_), std::logic_error);
  outbox_.reset();
  EXPECT_NO_THROW(outbox_.emplace(*dispatcher_, table_));
}

TEST_F(OutboxTest, AProcessThatOnlyWritesHasNoRelay) {
  settings_.relay = false;
  Outbox& outbox = make();
  tests::MemoryTransaction transaction(outbox);
  transaction.fire("orders", "1");
  transaction.commit(table_);
  EXPECT_FALSE(outbox.wait_until_empty(0s));
  outbox.close(1s);
  EXPECT_EQ(table_.size(), 1U);
  EXPECT_FALSE(dispatcher_->stats().outbox) << "it knows nothing of the table";
}

TEST_F(OutboxTest, ItsSectionCannotChangeWhileItRuns) {
  make();
  settings_.batch = 7;
  EXPECT_THROW(dispatcher_->reload(config_of()), std::invalid_argument);
  EXPECT_THAT(dispatcher_->stats().last_reload_error, HasSubstr("'outbox' cannot change"));
  outbox_.reset();
  EXPECT_NO_THROW(dispatcher_->reload(config_of()));
  EXPECT_FALSE(dispatcher_->stats().outbox);
}

}  // namespace
}  // namespace action_triggers
