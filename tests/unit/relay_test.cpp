// SPDX-License-Identifier: MIT
// The relay in its thread: from the table through a dispatcher's lanes and back. Its logic has tests of its own.
#include "outbox/relay.hpp"

#include <gmock/gmock.h>

#include <stdexcept>
#include <string>
#include <thread>

#include "outbox/row_codec.hpp"
#include "support/outbox_fixture.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RelayTest : public tests::OutboxFixture {};

TEST_F(RelayTest, SendsWhatIsInTheTableInOrder) {
  std::vector<std::string> expected;
  for (int i = 0; i < 5'000; ++i) {
    expected.push_back(std::to_string(i));
    table_.insert("orders", expected.back());
  }
  ASSERT_TRUE(make().wait_until_empty(30s));
  EXPECT_EQ(bodies("orders"), expected);
  EXPECT_EQ(table_.size(), 0U);
  EXPECT_THAT(log(), ElementsAre("this process sends shard 0 of the outbox from now on"));
}

TEST_F(RelayTest, TellsWhatItHasDone) {
  Outbox& outbox = make();
  table_.insert("orders", "1");
  outbox.committed();
  ASSERT_TRUE(outbox.wait_until_empty(30s));
  outbox.close(30s);
  const auto stats = dispatcher_->stats().outbox;
  ASSERT_TRUE(stats);
  EXPECT_EQ(stats->sent, 1U);
  EXPECT_EQ(stats->removed, 1U);
  EXPECT_EQ(stats->dead, 0U);
  EXPECT_EQ(stats->in_hand, 0U);
  EXPECT_THAT(stats->shards, IsEmpty()) << "it has given the shard back";
  EXPECT_EQ(stats->last_error, "");
  EXPECT_EQ(stats->last_error_since, WallTime());
  EXPECT_EQ(stats->delay.count, 1U) << "from writing to removal";
}

/// PostgreSQL has 'infinity', SQLite rows that say nothing.
TEST_F(RelayTest, ARowOfNoTimeIsNotOld) {
  using Time = decltype(detail::OutboxRow::created_at);
  broker_->hold();
  for (const Time time : {Time(), Time::min(), Time::max()}) table_.created_at(table_.insert("orders", "1"), time);
  Outbox& outbox = make();
  EXPECT_FALSE(outbox.wait_until_empty(50ms));
  EXPECT_LT(dispatcher_->stats().outbox->oldest_age, 1h);
  broker_->release();
  ASSERT_TRUE(outbox.wait_until_empty(30s));
  const Histogram delay = dispatcher_->stats().outbox->delay;
  EXPECT_EQ(delay.count, 1U) << "of the one that is not over yet";
  EXPECT_LT(delay.sum, 1h);
}

TEST_F(RelayTest, AnUnconfirmedRowStaysInTheTable) {
  broker_->hold();
  Outbox& outbox = make();
  table_.insert("orders", "1");
  EXPECT_FALSE(outbox.wait_until_empty(50ms));
  EXPECT_EQ(table_.size(), 1U);
  broker_->release();
  EXPECT_TRUE(wait_until_size_is(0));
}

TEST_F(RelayTest, AnUnknownDestinationHoldsItsRowsAndNoOthers) {
  Outbox& outbox = make();
  table_.insert("bills", "1");
  table_.insert("orders", "2");
  outbox.committed();
  ASSERT_TRUE(wait_until_size_is(1));
  EXPECT_THAT(bodies("orders"), ElementsAre("2"));
  while (dispatcher_->stats().outbox->held.empty()) std::this_thread::yield();
  const auto held = dispatcher_->stats().outbox->held;
  EXPECT_EQ(held.at("bills"), "no destination is named 'bills' in the configuration");
  const WallTime since = dispatcher_->stats().outbox->held_since.at("bills");
  EXPECT_LE(since, WallTime::clock::now());
  EXPECT_GT(since, WallTime::clock::now() - 1h);
  EXPECT_EQ(dispatcher_->health().reasons.at(0).destination, "bills");

  Config more = config_of();
  auto bills = std::make_shared<MemoryConfig>(*more.find_as<MemoryConfig>("orders"));
  bills->name = "bills";
  more.brokers["bills"] = bills;
  dispatcher_->reload(std::move(more));
  ASSERT_TRUE(wait_until_size_is(0));
  EXPECT_THAT(bodies("bills"), ElementsAre("1"));
  outbox.close(30s);
  EXPECT_THAT(log(), Contains("the outbox's messages for 'bills' wait: no destination is named 'bills' in the "
                              "configuration"));
  EXPECT_THAT(log(), Contains("the outbox's messages for 'bills' go on"));
}

TEST_F(RelayTest, AMessageThatIsAtFaultBecomesADeadLetterWithItsReason) {
  broker_->fail_next({StatusCode::invalid_argument, "bad\xFF text"});
  make();
  table_.insert("orders", "1");
  table_.insert("orders", "2");
  ASSERT_TRUE(wait_until_dead_are(1));
  ASSERT_TRUE(wait_until_size_is(0));
  EXPECT_THAT(bodies("orders"), ElementsAre("2"));
  const auto dead = table_.dead().at(0);
  EXPECT_EQ(dead.row.body, "1");
  EXPECT_EQ(dead.why.status, "invalid_argument");
  EXPECT_EQ(dead.why.text, "bad? text");
  EXPECT_EQ(dead.why.destination, "orders");
  EXPECT_EQ(dead.why.message_id, detail::derived_message_id("0f1e", 1, dead.row.created_at));
  EXPECT_THAT(failures(), ElementsAre(HasSubstr("invalid_argument")));
}

TEST_F(RelayTest, ARowThatIsNoMessageBecomesADeadLetter) {
  make();
  table_.insert({.target = "orders",
                 .body = "1",
                 .key = std::nullopt,
                 .message_id = std::nullopt,
                 .content_type = std::nullopt,
                 .headers = "{}",
                 .properties = std::nullopt});
  ASSERT_TRUE(wait_until_dead_are(1));
  EXPECT_THAT(table_.dead().at(0).why.text, HasSubstr("The column 'headers' must be a list of pairs"));
}

TEST_F(RelayTest, AMessageThatNeverFitsBecomesADeadLetter) {
  make("{}", R"({"max_queued_bytes": 100})");
  table_.insert("orders", std::string(1'000, 'x'));
  ASSERT_TRUE(wait_until_dead_are(1));
  EXPECT_EQ(table_.dead().at(0).why.status, "too_large");
}

TEST_F(RelayTest, MaxAttemptsMakesADeadLetterOfWhatIsRejected) {
  settings_.max_attempts = 3;
  broker_->fail_next({StatusCode::rejected, "not today"}, 3);
  make("{}", R"({"retry": {"initial_backoff_ms": 1, "max_backoff_ms": 1}})");
  table_.insert("orders", "1");
  ASSERT_TRUE(wait_until_dead_are(1));
  EXPECT_EQ(table_.dead().at(0).why.status, "rejected");
  EXPECT_EQ(table_.dead().at(0).why.attempts, 3U);
}

TEST_F(RelayTest, WhatSomebodyHasToMendIsTriedUntilHeHas) {
  broker_->fail_next({StatusCode::not_found, "no queue"}, 5);
  make("{}", R"({"retry": {"initial_backoff_ms": 1, "max_backoff_ms": 1, "max_attempts": 1}})");
  table_.insert("orders", "1");
  ASSERT_TRUE(wait_until_size_is(0));
  EXPECT_THAT(bodies("orders"), ElementsAre("1"));
  EXPECT_THAT(table_.dead(), IsEmpty());
}

// -------------------------------------------------------------------------------------------------------------- events

constexpr const char* two_targets =
    R"({"paid": {"events": ["order.paid"], "when": {"total": [{"numeric": [">", 10]}]}, "targets": [
        "orders", {"broker": "mails", "body": {"text": "Order {{ /id }} of {{ event.time }}"}, "key": "{{ event.id }}"}]}})";

TEST_F(RelayTest, AnEventGoesToTheTargetsOfItsTriggersWithOneId) {
  Outbox& outbox = make(two_targets);
  tests::MemoryTransaction transaction(outbox);
  const std::string id = transaction.emit("order.paid", R"({"id": 7, "total": 11})");
  transaction.emit("order.paid", R"({"id": 8, "total": 9})");
  transaction.emit("order.lost", R"({})");
  transaction.commit(table_);
  ASSERT_TRUE(outbox.wait_until_empty(30s));
  EXPECT_EQ(table_.size(), 0U);
  ASSERT_THAT(broker_->messages("orders"), SizeIs(1));
  EXPECT_EQ(broker_->messages("orders")[0], (Message{.body = R"({"id": 7, "total": 11})", .id = id}));
  ASSERT_THAT(broker_->messages("mails"), SizeIs(1));
  EXPECT_EQ(broker_->messages("mails")[0].id, id);
  EXPECT_EQ(broker_->messages("mails")[0].key, id);
  EXPECT_THAT(broker_->messages("mails")[0].body, HasSubstr("Order 7 of 20"));

  const Stats stats = dispatcher_->stats();
  EXPECT_EQ(stats.triggers.at("paid").matched, 1U);
  EXPECT_EQ(stats.triggers.at("paid").filtered, 1U);
  EXPECT_EQ(stats.triggers.at("paid").sent, 2U);
  EXPECT_EQ(stats.triggers.at("paid").failed, 0U);
  EXPECT_EQ(stats.unmatched_events, 1U);
}

TEST_F(RelayTest, ATargetWhoseMessageCannotBeMadeIsDeadAndTheOthersGetTheirs) {
  Outbox& outbox = make(two_targets);
  tests::MemoryTransaction transaction(outbox);
  transaction.emit("order.paid", R"({"total": 11})");
  transaction.commit(table_);
  ASSERT_TRUE(wait_until_dead_are(1));
  ASSERT_TRUE(wait_until_size_is(0));
  EXPECT_THAT(broker_->messages("orders"), SizeIs(1));
  EXPECT_EQ(table_.dead().at(0).why.destination, "mails");
  EXPECT_THAT(table_.dead().at(0).why.text, HasSubstr("trigger 'paid', target 1, body"));
  EXPECT_THAT(failures(), ElementsAre(HasSubstr("paid invalid_argument")));
  EXPECT_EQ(dispatcher_->stats().triggers.at("paid").failed, 1U);
}

TEST_F(RelayTest, AnEventThatIsNoJsonIsDeadWhereSomebodyLooksIntoIt) {
  Outbox& outbox = make(R"({"all": {"events": ["#"], "targets": ["orders"]},
                            "paid": {"events": ["order.*"], "when": {"a": [1]}, "targets": ["mails"]}})");
  tests::MemoryTransaction transaction(outbox);
  transaction.emit("order.paid", "no json");
  transaction.commit(table_);
  ASSERT_TRUE(wait_until_dead_are(1));
  ASSERT_TRUE(wait_until_size_is(0));
  EXPECT_THAT(bodies("orders"), ElementsAre("no json"));
  EXPECT_EQ(table_.dead().at(0).why.status, "invalid_argument");
}

TEST_F(RelayTest, AFunctionForEventsIsATriggerHereToo) {
  Outbox& outbox = make(two_targets);
  dispatcher_->on("order.*", "copies", [](const Event& event) -> std::vector<AddressedMessage> {
    if (event.payload == "throw") throw std::runtime_error("no copies");
    if (event.payload == "{}") return {};
    return {{"orders", event.copy()}, {"mails", Message{.body = "mail", .id = "own"}}};
  });
  tests::MemoryTransaction transaction(outbox);
  const std::string id = transaction.emit("order.lost", R"({"id": 7})");
  transaction.emit("order.lost", "{}");
  transaction.emit("order.lost", "throw");
  transaction.commit(table_);
  ASSERT_TRUE(outbox.wait_until_empty(30s));
  EXPECT_EQ(table_.size(), 0U);
  ASSERT_THAT(broker_->messages("orders"), SizeIs(1));
  EXPECT_EQ(broker_->messages("orders")[0], (Message{.body = R"({"id": 7})", .id = id}));
  EXPECT_EQ(broker_->messages("mails").at(0), (Message{.body = "mail", .id = "own"}));
  EXPECT_THAT(table_.dead().at(0).why.text, HasSubstr("the function 'copies' has thrown: no copies"));
  const TriggerStats stats = dispatcher_->stats().triggers.at("copies");
  EXPECT_EQ(stats.matched, 2U);
  EXPECT_EQ(stats.filtered, 1U);
  EXPECT_EQ(stats.sent, 2U);
  EXPECT_EQ(stats.failed, 1U);
}

TEST_F(RelayTest, AFunctionMayBeForOneNameAlone) {
  Outbox& outbox = make();
  dispatcher_->on("order.lost", [](const Event& event) -> std::vector<AddressedMessage> {
    return {{"orders", event.copy()}};
  });
  tests::MemoryTransaction transaction(outbox);
  transaction.emit("order.lost", "lost");
  transaction.emit("order.found", "found");
  transaction.commit(table_);
  ASSERT_TRUE(outbox.wait_until_empty(30s));
  EXPECT_THAT(bodies("orders"), ElementsAre("lost"));
}

TEST_F(RelayTest, AnEventFollowsTheTriggersOfAReload) {
  Outbox& outbox = make(two_targets);
  ASSERT_TRUE(outbox.wait_until_empty(30s));
  dispatcher_->reload(config_of(R"({"all": {"events": ["#"], "targets": ["mails"]}})"));
  tests::MemoryTransaction transaction(outbox);
  transaction.emit("order.paid", R"({"total": 11})");
  transaction.commit(table_);
  ASSERT_TRUE(outbox.wait_until_empty(30s));
  EXPECT_THAT(bodies("orders"), IsEmpty());
  EXPECT_THAT(bodies("mails"), ElementsAre(R"({"total": 11})"));
}

TEST_F(RelayTest, WhatATargetHasConfirmedIsWrittenIfAnotherOneIsSlow) {
  Outbox& outbox = make(R"({"all": {"events": ["#"], "targets": ["orders", "mails"]}})",
                        R"({"retry": {"initial_backoff_ms": 1, "max_backoff_ms": 1}})");
  broker_->fail_next({StatusCode::not_found, "no queue"}, 1'000'000, "mails");
  tests::MemoryTransaction transaction(outbox);
  transaction.emit("order.paid", "{}");
  transaction.commit(table_);
  ASSERT_TRUE(table_.wait_until([](const tests::MemoryOutbox& table) { return table.row_locked(1)->done != 0; }));
  EXPECT_EQ(table_.row(1)->done & 3U, 1U);
  outbox_->close(0s);
  outbox_.reset();
}

// -------------------------------------------------------------------------------------------------- trouble and others

TEST_F(RelayTest, ADatabaseThatFailsIsSaidOnceAndTriedAgain) {
  Outbox& outbox = make();
  ASSERT_TRUE(outbox.wait_until_empty(30s));
  const int reopened = table_.reopened();
  table_.fail("connection reset");
  while (dispatcher_->stats().outbox->last_error.empty()) std::this_thread::yield();
  EXPECT_GT(dispatcher_->stats().outbox->last_error_since, WallTime::clock::now() - 1h);
  EXPECT_EQ(dispatcher_->health().state, HealthState::down);
  table_.insert("orders", "1");
  table_.fail("");
  ASSERT_TRUE(wait_until_size_is(0));
  EXPECT_EQ(table_.reopened(), reopened + 1);
  outbox.close(30s);
  EXPECT_THAT(log(), ElementsAre("this process sends shard 0 of the outbox from now on",
                                 "the outbox's database: connection reset; it is tried again",
                                 "the outbox's database answers again",
                                 "this process does not send shard 0 of the outbox any more"));
}

/// As one whose disk is full.
TEST_F(RelayTest, ADatabaseThatCanOnlyBeOpenedHasNotAnswered) {
  Outbox& outbox = make();
  ASSERT_TRUE(outbox.wait_until_empty(30s));
  const int reopened = table_.reopened();
  table_.fail("the disk is full", /*opens=*/true);
  while (table_.reopened() < reopened + 3) std::this_thread::yield();
  table_.insert("orders", "1");
  table_.fail("");
  ASSERT_TRUE(wait_until_size_is(0));
  outbox.close(30s);
  EXPECT_THAT(log(), ElementsAre("this process sends shard 0 of the outbox from now on",
                                 "the outbox's database: the disk is full; it is tried again",
                                 "the outbox's database answers again",
                                 "this process does not send shard 0 of the outbox any more"));
}

TEST_F(RelayTest, OneRelayAtATimeSendsAShardAndAnotherOneTakesOver) {
  Outbox& first = make();
  ASSERT_TRUE(first.wait_until_empty(30s));
  const std::string owner = table_.shard().owner;

  TriggerDispatcher other_dispatcher(config_of(), registry_);
  tests::MemoryBackedOutbox second(other_dispatcher, table_);
  table_.insert("orders", "1");
  ASSERT_TRUE(wait_until_size_is(0));
  EXPECT_EQ(table_.shard().owner, owner);
  EXPECT_THAT(other_dispatcher.stats().outbox->shards, IsEmpty());

  first.close(30s);  // at once after a clean end
  table_.insert("orders", "2");
  ASSERT_TRUE(second.wait_until_empty(30s));
  EXPECT_NE(table_.shard().owner, owner);
  EXPECT_THAT(bodies("orders"), ElementsAre("1", "2"));
  EXPECT_EQ(table_.shard().notes.deaths, 0);
}

TEST_F(RelayTest, EachShardHasAnOrderOfItsOwnAndOneThreadSendsAll) {
  tests::MemoryOutbox table(3);
  dispatcher_.emplace(config_of(), registry_);
  tests::MemoryBackedOutbox outbox(*dispatcher_, table);
  for (int i = 0; i < 30; ++i) {
    table.insert({.target = "orders",
                  .body = std::to_string(i % 3),
                  .key = std::nullopt,
                  .message_id = std::nullopt,
                  .content_type = std::nullopt,
                  .headers = std::nullopt,
                  .properties = std::nullopt},
                 i % 3);
  }
  ASSERT_TRUE(table.wait_until([](const tests::MemoryOutbox& one) { return one.size_locked() == 0; }));
  EXPECT_THAT(bodies("orders"), SizeIs(30));
  while (dispatcher_->stats().outbox->shards.size() < 3) std::this_thread::yield();
  EXPECT_THAT(dispatcher_->stats().outbox->shards, ElementsAre(0, 1, 2));
}

TEST_F(RelayTest, CloseWaitsForWhatIsUnderWay) {
  broker_->set_delay(50ms);
  Outbox& outbox = make();
  table_.insert("orders", "1");
  outbox.committed();
  while (dispatcher_->stats().outbox->sent == 0) std::this_thread::yield();
  outbox.close(30s);
  EXPECT_EQ(table_.size(), 0U);
  EXPECT_EQ(table_.shard().owner, "");
}

TEST_F(RelayTest, CloseGivesUpWaitingAndGivesTheShardBack) {
  broker_->hold();
  Outbox& outbox = make();
  table_.insert("orders", "1");
  outbox.committed();
  while (dispatcher_->stats().outbox->sent == 0) std::this_thread::yield();
  outbox.close(0s);
  EXPECT_EQ(table_.size(), 1U);
  EXPECT_EQ(table_.shard().owner, "");
  EXPECT_EQ(table_.shard().notes.deaths, 0);
  broker_->release();
}

TEST_F(RelayTest, ADispatcherThatIsClosedLeavesTheRowsInTheTable) {
  broker_->hold();
  Outbox& outbox = make();
  table_.insert("orders", "1");
  outbox.committed();
  while (dispatcher_->stats().outbox->sent == 0) std::this_thread::yield();
  dispatcher_->close(0s);
  outbox.close(30s);
  EXPECT_EQ(table_.size(), 1U);
  EXPECT_THAT(table_.dead(), IsEmpty());
  EXPECT_THAT(failures(), IsEmpty()) << "nothing has failed: it is still in the table";
}

}  // namespace
}  // namespace action_triggers
