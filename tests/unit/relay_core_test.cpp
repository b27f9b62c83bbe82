// SPDX-License-Identifier: MIT
// The relay's logic in virtual time: no thread, no clock, no database.
#include "outbox/relay_core.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "unit/relay_bench.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr std::int64_t least_id = std::numeric_limits<std::int64_t>::min();

TEST(RelayCoreTest, SendsWhatIsCommittedAndRemovesWhatIsConfirmed) {
  RelayBench relay;
  relay.insert(1);
  relay.insert(2, "d1");
  relay.run();
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0", "2@1"));
  relay.pass(5s);
  EXPECT_THAT(relay.removals, IsEmpty());  // nobody has confirmed
  relay.say_all();
  relay.pass(19ms);
  EXPECT_THAT(relay.removals, IsEmpty());  // there may be more
  relay.pass(1ms);
  EXPECT_THAT(relay.removals, ElementsAre(ElementsAre(1, 2)));
  EXPECT_TRUE(relay.core.held().empty());
  EXPECT_THAT(relay.take_sent(), IsEmpty());
}

TEST(RelayCoreTest, ABatchIsRemovedAtOnce) {
  RelayBench relay(3);
  for (std::int64_t id = 1; id <= 4; ++id) relay.insert(id);
  relay.run();
  relay.say_all();
  relay.run();
  EXPECT_THAT(relay.removals, ElementsAre(ElementsAre(1, 2, 3)));
}

TEST(RelayCoreTest, PollsMoreAndMoreRarelyUntilRowsCome) {
  RelayBench relay;
  relay.run();
  const std::size_t first = relay.reads.size();
  relay.pass(20ms);
  EXPECT_EQ(relay.reads.size(), first + 1);
  relay.pass(2s);
  const std::size_t slow = relay.reads.size();
  relay.pass(900ms);
  EXPECT_LE(relay.reads.size(), slow + 1);
  relay.insert(1);
  while (relay.sent.empty()) relay.pass(1ms);
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0"));
  relay.insert(2);
  relay.pass(20ms);
  EXPECT_THAT(relay.take_sent(), ElementsAre("2@0"));
}

TEST(RelayCoreTest, ReadsAtOnceWhatItsOwnProcessHasCommitted) {
  RelayBench relay;
  relay.pass(3s);
  relay.insert(1);
  relay.core.committed();
  relay.run();
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0"));
}

TEST(RelayCoreTest, RenewsItsLeaseAtAThirdOfItsTime) {
  RelayBench relay;
  relay.pass(3'300ms);
  EXPECT_EQ(relay.renewals, 0);
  relay.pass(100ms);
  EXPECT_EQ(relay.renewals, 1);
  relay.pass(10s);
  EXPECT_EQ(relay.renewals, 4);
}

TEST(RelayCoreTest, ALostLeaseStopsReadingAndSendingButNotRemoving) {
  RelayBench relay;
  relay.insert(1);
  relay.insert(2);
  relay.run();
  relay.is_held = relay.is_free = false;
  relay.pass(4s);
  EXPECT_FALSE(relay.core.lease());
  relay.take_sent();
  const std::size_t reads = relay.reads.size();
  relay.insert(3);
  relay.say(1, 0);
  relay.pass(1s);
  EXPECT_EQ(relay.reads.size(), reads);
  EXPECT_THAT(relay.sent, IsEmpty());
  EXPECT_THAT(relay.removals, ElementsAre(ElementsAre(1)));
  relay.is_held = relay.is_free = true;
  relay.pass(1s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("3@0"));  // 2 is still in flight
}

/// On its own clock, counted from before it was asked for: an answer that comes late is worth less.
TEST(RelayCoreTest, SendsNothingWhenTheLeaseMayBeOver) {
  RelayBench relay;
  relay.run();
  relay.insert(1);
  relay.core.committed();
  ASSERT_TRUE(std::holds_alternative<ReadRows>(relay.core.next(relay.now)));
  relay.now += 10s;
  ReadResult result;
  result.rows = {relay.table[1]};
  result.is_complete = true;
  relay.core.read_done(relay.now, result);
  EXPECT_THAT(relay.sent, IsEmpty());
  relay.run();  // the database says that it is still ours
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0"));
}

TEST(RelayCoreTest, TheAnswerToARenewalCountsFromBeforeItWasAsked) {
  RelayBench relay;
  relay.run();
  relay.now += 4s;
  ASSERT_TRUE(std::holds_alternative<RenewLease>(relay.core.next(relay.now)));
  relay.now += 9s;
  relay.core.renewed(relay.now, true);
  EXPECT_TRUE(relay.core.may_send(relay.now));
  EXPECT_FALSE(relay.core.may_send(relay.now + 1s));
}

TEST(RelayCoreTest, EndsWhenWhatIsInFlightIsDoneAndGivesItsLeaseBack) {
  RelayBench relay;
  relay.insert(1);
  relay.run();
  relay.core.stop();
  relay.insert(2);
  relay.pass(1s);
  EXPECT_FALSE(relay.finished);
  EXPECT_EQ(relay.releases, 0);
  relay.say_all();
  relay.run();
  EXPECT_TRUE(relay.finished);
  EXPECT_THAT(relay.removals, ElementsAre(ElementsAre(1)));
  EXPECT_EQ(relay.releases, 1);
  EXPECT_EQ(relay.notes.deaths, 0);
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0"));
}

TEST(RelayCoreTest, NothingIsForgottenWhileTheDatabaseIsDown) {
  RelayBench relay;
  relay.insert(1);
  relay.insert(2, "event:both");
  relay.insert(3, "d1");
  relay.run();
  relay.fails = true;
  relay.say(1, 0);
  relay.say(2, 0);
  relay.say(3, 0, StatusCode::too_large);
  relay.pass(30s);
  EXPECT_LT(relay.failures, 100);  // it waits between them
  relay.fails = false;
  relay.pass(5s);
  EXPECT_THAT(relay.removals, ElementsAre(ElementsAre(1)));
  EXPECT_THAT(relay.done, ElementsAre(Pair(2, done_word(7, 1))));
  ASSERT_THAT(relay.dead, SizeIs(1));
}

// --------------------------------------------------------------------------------------------------------------- flows

TEST(RelayCoreTest, ABrokenDestinationHoldsOnlyItsRows) {
  RelayBench relay(4, 8);
  for (std::int64_t id = 1; id <= 100; ++id) relay.insert(id);
  relay.pass(1s);
  EXPECT_THAT(relay.take_sent(), SizeIs(8));
  EXPECT_EQ(relay.core.held().size(), 8U);
  relay.insert(101, "d1");
  relay.pass(1s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("101@1"));
  EXPECT_EQ(relay.core.position(), 101);
  EXPECT_FALSE(relay.spins);
}

TEST(RelayCoreTest, OneThatIsBehindIsReadForItselfWhenHalfOfItsRoomIsFree) {
  RelayBench relay(4, 8);
  relay.row_targets[0] = {"d0"};
  for (std::int64_t id = 1; id <= 20; ++id) relay.insert(id);
  relay.pass(1s);
  relay.take_sent();
  relay.reads.clear();
  for (std::int64_t id = 1; id <= 3; ++id) relay.say(id, 0);
  relay.pass(100ms);
  EXPECT_THAT(relay.take_sent(), IsEmpty());
  relay.say(4, 0);
  relay.pass(100ms);
  EXPECT_THAT(relay.take_sent(), ElementsAre("9@0", "10@0", "11@0", "12@0"));
  const auto own =
      std::find_if(relay.reads.begin(), relay.reads.end(), [](const auto& one) { return !one.targets.empty(); });
  ASSERT_NE(own, relay.reads.end());
  EXPECT_THAT(own->targets, ElementsAre("d0"));
  EXPECT_THAT(own->ids, ElementsAre(IdRange{9, 20}));
  for (int i = 0; i < 10; ++i) {
    relay.say_all();
    relay.pass(100ms);
  }
  EXPECT_TRUE(relay.table.empty());
  EXPECT_FALSE(relay.core.flows().at(0).is_behind());
}

TEST(RelayCoreTest, WaitsAMomentForRoomBeforeRowsArePassedOver) {
  RelayBench relay(4, 4);
  for (std::int64_t id = 1; id <= 8; ++id) relay.insert(id);
  relay.pass(49ms);
  EXPECT_FALSE(relay.core.flows().at(0).is_behind());
  relay.say_all();
  relay.run();
  EXPECT_EQ(relay.core.position(), 8);
  EXPECT_FALSE(relay.core.flows().at(0).is_behind());
  relay.insert(9);
  relay.pass(200ms);
  EXPECT_TRUE(relay.core.flows().at(0).is_behind());
}

TEST(RelayCoreTest, BytesAreRoomToo) {
  RelayBench relay;
  relay.insert(1, "d0", nullptr, 6'000);
  relay.insert(2, "d0", nullptr, 6'000);
  relay.insert(3, "d1", nullptr, 60'000);  // alone it may be larger
  relay.pass(1s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0", "3@1"));
  relay.say(1, 0);
  relay.pass(1s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("2@0"));
  EXPECT_FALSE(relay.spins);
}

TEST(RelayCoreTest, TriesAgainWhatTheOutletHasRefused) {
  RelayBench relay;
  relay.refusing = {0};
  relay.insert(1);
  relay.insert(2);
  relay.pass(5s);
  EXPECT_THAT(relay.take_sent(), IsEmpty());
  EXPECT_LT(relay.reads.size(), 100U);
  relay.refusing.clear();
  relay.pass(1s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0", "2@0"));
}

TEST(RelayCoreTest, WhatWasClosedIsSentAgainInOrderWhenTheRestIsBack) {
  RelayBench relay;
  for (std::int64_t id = 1; id <= 3; ++id) relay.insert(id);
  relay.run();
  relay.take_sent();
  relay.say(1, 0, StatusCode::closed);
  relay.insert(4);
  relay.pass(5s);
  EXPECT_THAT(relay.take_sent(), IsEmpty());
  relay.say(2, 0, StatusCode::closed);
  relay.say(3, 0, StatusCode::closed);
  relay.pass(5s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0", "2@0", "3@0", "4@0"));
  EXPECT_TRUE(relay.dead.empty());
}

// ------------------------------------------------------------------------------------------------------- late and
// missed

TEST(RelayCoreTest, ALateCommitIsReadInTheSnapshotOfNewRows) {
  RelayBench relay;
  relay.horizon = {50, 60};  // somebody has a transaction open
  relay.insert(3);
  relay.run();
  EXPECT_EQ(relay.core.gaps(), 1U);
  relay.pass(3s);
  relay.insert(2);
  relay.insert(4);
  relay.core.committed();
  relay.take_sent();
  relay.run();
  EXPECT_THAT(relay.take_sent(), ElementsAre("2@0", "4@0"));
}

TEST(RelayCoreTest, ALateCommitIsFoundWithoutNewRows) {
  RelayBench relay;
  relay.horizon = {50, 60};
  relay.insert(3);
  relay.run();
  relay.take_sent();
  relay.insert(2);
  relay.pass(20ms);
  EXPECT_THAT(relay.take_sent(), ElementsAre("2@0"));
}

TEST(RelayCoreTest, WhereOneWritesAtATimeThereAreNoGaps) {
  RelayBench relay;
  relay.insert(3);
  relay.run();
  EXPECT_EQ(relay.core.gaps(), 0U);
}

TEST(RelayCoreTest, TheSweepFindsWhatOthersMissInATwentiethOfTheTime) {
  RelayBench relay;
  relay.inherited.low = 10;
  relay.insert(5);
  relay.insert(11);
  relay.run();
  EXPECT_THAT(relay.take_sent(), ElementsAre("11@0", "5@0"));  // once after the takeover
  relay.insert(6);
  relay.pass(30s);
  EXPECT_THAT(relay.take_sent(), IsEmpty());
  relay.pass(31s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("6@0"));
  EXPECT_EQ(relay.reads.front().ids.front().first, 11);
}

/// After a crash that took back the last transactions, on a replica that was behind, after TRUNCATE … RESTART IDENTITY.
TEST(RelayCoreTest, ARowThatHasTheIdOfOneInFlightIsNotRemovedForIt) {
  RelayBench relay;
  relay.created_at = RowTime(10s);
  relay.insert(1);
  relay.run();
  relay.created_at = RowTime(11s);
  relay.insert(1);  // another one
  relay.insert(2);
  relay.pass(1s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0", "2@0"));
  relay.say(1, 0);
  relay.pass(1s);
  EXPECT_EQ(relay.table.count(1), 1U);
  EXPECT_THAT(relay.take_sent(), IsEmpty());
  relay.pass(60s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0"));
  relay.say(1, 0);
  relay.pass(1s);
  EXPECT_EQ(relay.table.count(1), 0U);
}

TEST(RelayCoreTest, ARowThatHasTheIdOfOnePartlyConfirmedIsNotMarkedForIt) {
  RelayBench relay;
  relay.insert(1, "event:both");
  relay.run();
  relay.say(1, 0);
  relay.created_at = RowTime(1s);
  relay.insert(1, "event:both");
  relay.pass(2s);
  EXPECT_EQ(relay.table[1].done, 0U);
}

TEST(RelayCoreTest, GoesBackToWhereIdsAreGivenAgain) {
  RelayBench relay;
  relay.horizon = {.oldest_open = 9, .next = 9};
  relay.created_at = RowTime(10s);
  relay.insert(1'000);
  relay.pass(10s);
  relay.horizon = {.oldest_open = 9, .next = 12};  // something is open, so that there is a gap
  relay.insert(1'010);
  relay.pass(1s);
  relay.say_all();
  relay.created_at = RowTime(20s);
  relay.insert(3);
  relay.pass(60s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("1000@0", "1010@0", "3@0"));
  relay.insert(4);
  relay.insert(1'011);
  relay.pass(1s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("4@0", "1011@0"));
  relay.say_all();
  relay.horizon = {.oldest_open = 20, .next = 20};
  relay.pass(10s);
  EXPECT_EQ(relay.notes.low, 1'011);
  for (const ReadRequest& read : relay.reads) {
    for (std::size_t i = 1; i < read.ids.size(); ++i) EXPECT_LT(read.ids[i - 1].last, read.ids[i].first);
  }
}

/// Such as those that another configuration had passed over: what comes behind them is known.
TEST(RelayCoreTest, DoesNotGoBackForOldRows) {
  RelayBench relay;
  relay.created_at = RowTime(10s);
  relay.insert(1'000);
  relay.run();
  relay.created_at = RowTime(9s);
  relay.insert(3);
  relay.pass(61s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("1000@0", "3@0"));
  EXPECT_EQ(relay.core.position(), 1'000);
}

TEST(RelayCoreTest, TellsTheNextOwnerWhereToRead) {
  RelayBench relay(4, 4);
  for (std::int64_t id = 1; id <= 4; ++id) relay.insert(id, "d1");
  relay.run();
  relay.say(1, 0);
  relay.say(2, 0);
  relay.pass(4s);
  EXPECT_EQ(relay.notes.low, 2);
  EXPECT_EQ(relay.notes.head, 3);
  relay.say(3, 0);
  relay.say(4, 0);
  relay.pass(4s);
  EXPECT_EQ(relay.notes.low, 4);
}

// -------------------------------------------------------------------------------------------------------------- events

TEST(RelayCoreTest, AnEventLeavesWhenAllItsTargetsHaveConfirmed) {
  RelayBench relay;
  relay.insert(1, "event:both");
  relay.run();
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0", "1@1"));
  relay.say(1, 0);
  relay.pass(500ms);
  relay.say(1, 1);
  relay.pass(20ms);
  EXPECT_THAT(relay.removals, ElementsAre(ElementsAre(1)));
  EXPECT_THAT(relay.done, IsEmpty());
}

TEST(RelayCoreTest, OneThatIsPartlyConfirmedForASecondIsMarked) {
  RelayBench relay;
  relay.insert(1, "event:both");
  relay.run();
  relay.say(1, 1);
  relay.pass(999ms);
  EXPECT_THAT(relay.done, IsEmpty());
  relay.pass(1ms);
  EXPECT_THAT(relay.done, ElementsAre(Pair(1, done_word(7, 2))));
  EXPECT_EQ(relay.core.held().size(), 1U);  // in flight
  relay.say(1, 0);
  relay.pass(20ms);
  EXPECT_THAT(relay.removals, ElementsAre(ElementsAre(1)));
}

TEST(RelayCoreTest, OneIsForgottenOnlyWhenItIsMarked) {
  RelayBench relay(4, 4);
  relay.refusing = {1};
  for (std::int64_t id = 1; id <= 3; ++id) relay.insert(id, "event:both");
  relay.run();
  relay.say_all();
  relay.run();
  EXPECT_EQ(relay.core.held().size(), 3U);
  relay.pass(1s);
  EXPECT_THAT(relay.done, SizeIs(3));
  EXPECT_TRUE(relay.core.held().empty());
  relay.take_sent();
  relay.refusing.clear();
  relay.pass(2s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@1", "2@1", "3@1"));
  relay.say_all();
  relay.pass(20ms);
  EXPECT_TRUE(relay.table.empty());
}

TEST(RelayCoreTest, MarksManyBeforeASecondIsOver) {
  RelayBench relay(4, 100);
  relay.refusing = {1};
  for (std::int64_t id = 1; id <= 4; ++id) relay.insert(id, "event:both");
  relay.run();
  relay.say_all();
  relay.run();
  EXPECT_THAT(relay.done, SizeIs(4));
}

TEST(RelayCoreTest, TheMarkOfAnotherConfigurationIsNoMark) {
  RelayBench relay;
  relay.insert(1, "event:both");
  relay.table[1].done = done_word(7, 1);
  relay.insert(2, "event:both");
  relay.table[2].done = done_word(8, 1);
  relay.insert(3, "event:both");
  relay.table[3].done = done_word(7, 3);
  relay.run();
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@1", "2@0", "2@1"));
  relay.pass(20ms);
  EXPECT_THAT(relay.removals, ElementsAre(ElementsAre(3)));
}

TEST(RelayCoreTest, AnEventThatNobodyWantsIsRemoved) {
  RelayBench relay;
  relay.insert(1, "event:nobody");
  relay.pass(20ms);
  EXPECT_THAT(relay.removals, ElementsAre(ElementsAre(1)));
}

TEST(RelayCoreTest, AChangeOfTheConfigurationSendsWhatHasOtherTargetsNow) {
  RelayBench relay;
  relay.targets["event:both"] = {1};
  relay.refusing = {1};
  relay.insert(1, "event:both");
  relay.run();
  relay.targets["event:both"] = {0};
  relay.fingerprint = 9;
  relay.core.configuration_changed(relay.now);
  relay.run();
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0"));
}

// --------------------------------------------------------------------------------------------------------- dead
// messages

TEST(RelayCoreTest, ADeadMessageIsBuriedAndTheNextOnesGoOn) {
  RelayBench relay;
  relay.insert(1);
  relay.insert(2);
  relay.run();
  relay.say(1, 0, StatusCode::too_large);
  relay.run();
  ASSERT_THAT(relay.dead, SizeIs(1));
  EXPECT_EQ(relay.dead[0].id, 1);
  EXPECT_EQ(relay.dead[0].status, "too_large");
  EXPECT_EQ(relay.dead[0].text, "text");
  EXPECT_EQ(relay.dead[0].attempts, 3U);
  EXPECT_EQ(relay.dead[0].destination, "d0");
  EXPECT_TRUE(relay.dead[0].is_whole);
}

TEST(RelayCoreTest, OfAnEventOneTargetIsBuriedAndTheLastOneTakesTheRow) {
  RelayBench relay;
  relay.insert(1, "event:both");
  relay.run();
  relay.say(1, 1, StatusCode::invalid_argument);
  relay.run();
  ASSERT_THAT(relay.dead, SizeIs(1));
  EXPECT_FALSE(relay.dead[0].is_whole);
  EXPECT_EQ(relay.dead[0].done, done_word(7, 2));
  relay.say(1, 0, StatusCode::invalid_argument);
  relay.run();
  ASSERT_THAT(relay.dead, SizeIs(2));
  EXPECT_TRUE(relay.dead[1].is_whole);
  EXPECT_TRUE(relay.core.held().empty());
}

TEST(RelayCoreTest, OneThatCannotBeSentAtAllIsBuried) {
  RelayBench relay;
  relay.insert(1, "nowhere");
  relay.run();
  ASSERT_THAT(relay.dead, SizeIs(1));
  EXPECT_EQ(relay.dead[0].status, "invalid_argument");
  EXPECT_EQ(relay.dead[0].destination, "nowhere");
  EXPECT_TRUE(relay.dead[0].is_whole);
}

TEST(RelayCoreTest, StopHoldsTheDestinationUntilTheDeadMessageIsMended) {
  RelayBench relay;
  relay.on_dead[0] = OnDead::stop;
  relay.insert(1);
  relay.run();
  relay.say(1, 0, StatusCode::too_large);
  relay.insert(2);
  relay.insert(3, "d1");
  relay.take_sent();
  relay.pass(50s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("3@1"));
  EXPECT_THAT(relay.dead, IsEmpty());
  relay.pass(10s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0"));  // alone
  relay.say(1, 0);
  relay.pass(1s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("2@0"));
}

TEST(RelayCoreTest, StopEndsWhenSomebodyRemovesTheDeadMessage) {
  RelayBench relay;
  relay.on_dead[0] = OnDead::stop;
  relay.insert(1);
  relay.run();
  relay.say(1, 0, StatusCode::too_large);
  relay.insert(2);
  relay.table.erase(1);
  relay.take_sent();
  relay.pass(61s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("2@0"));
}

TEST(RelayCoreTest, StopKeyHoldsWhatHasTheKey) {
  RelayBench relay;
  relay.on_dead[0] = OnDead::stop_key;
  relay.insert(1, "d0", "a");
  relay.run();
  relay.say(1, 0, StatusCode::too_large);
  relay.insert(2, "d0", "a");
  relay.insert(3, "d0", "b");
  relay.insert(4, "d1", "a");
  relay.take_sent();
  relay.pass(50s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("3@0", "4@1"));
  relay.pass(10s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0"));
  relay.say(1, 0);
  relay.pass(1s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("2@0"));
}

/// The table does not say which row is dead: for all that a new owner knows, each first one is.
TEST(RelayCoreTest, AfterATakeoverStopSendsTheFirstRowAlone) {
  RelayBench relay;
  relay.on_dead[0] = OnDead::stop;
  for (std::int64_t id = 1; id <= 4; ++id) relay.insert(id);
  relay.insert(5, "d1");
  relay.run();
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0", "5@1"));
  relay.say(1, 0, StatusCode::too_large);
  relay.pass(59s);
  EXPECT_THAT(relay.take_sent(), IsEmpty());
  relay.pass(1s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0"));
  relay.say(1, 0);
  relay.pass(1s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("2@0", "3@0", "4@0"));
}

TEST(RelayCoreTest, AfterATakeoverStopKeySendsTheFirstRowOfEachKeyAlone) {
  RelayBench relay;
  relay.on_dead[0] = OnDead::stop_key;
  relay.insert(1, "d0", "a");
  relay.insert(2, "d0", "a");
  relay.insert(3, "d0", "b");
  relay.insert(4, "d0", "b");
  relay.insert(5, "d0", "b");
  relay.insert(6, "d0");
  relay.run();
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0", "3@0", "6@0"));
  relay.say(1, 0, StatusCode::too_large);
  relay.say(3, 0);
  relay.pass(1s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("4@0", "5@0"));  // b is well
  relay.insert(7, "d0", "a");
  relay.insert(8, "d0", "c");
  relay.insert(9, "d0", "c");
  relay.pass(1s);
  EXPECT_THAT(relay.take_sent(), ElementsAre("8@0", "9@0"));  // none of before the takeover
}

TEST(RelayCoreTest, WhatWasClosedIsAFirstRowAgain) {
  for (const OnDead policy : {OnDead::stop, OnDead::stop_key}) {
    RelayBench relay;
    relay.on_dead[0] = policy;
    relay.insert(1, "d0", "a");
    relay.insert(2, "d0", "a");
    relay.run();
    relay.say(1, 0, StatusCode::closed);
    relay.pass(1s);
    EXPECT_THAT(relay.take_sent(), ElementsAre("1@0", "1@0"));
    relay.say(1, 0);
    relay.pass(1s);
    EXPECT_THAT(relay.take_sent(), ElementsAre("2@0"));
  }
}

TEST(RelayCoreTest, AFirstRowThatGoesToOneDestinationTwiceGoesTwice) {
  for (const OnDead policy : {OnDead::stop, OnDead::stop_key}) {
    RelayBench relay;
    relay.on_dead[0] = policy;
    relay.targets["event:twice"] = {0, 0};
    relay.insert(1, "event:twice", "a");
    relay.run();
    relay.say(1, 0);
    relay.pass(1s);
    relay.say(1, 1);
    relay.pass(1s);
    EXPECT_THAT(relay.take_sent(), ElementsAre("1@0", "1@0"));
    EXPECT_TRUE(relay.table.empty());
  }
}

/// Also of a row whose first target is not one that stops keys.
TEST(RelayCoreTest, StopKeyKnowsTheKeyOfTheFirstRowOfAll) {
  RelayBench relay;
  relay.on_dead[1] = OnDead::stop_key;
  relay.insert(1, "event:both", "a");
  relay.run();
  relay.say(1, 0);
  relay.say(1, 1, StatusCode::too_large);
  relay.insert(2, "event:both", "a");
  relay.take_sent();
  relay.pass(50s);
  EXPECT_THAT(relay.dead, IsEmpty());
  EXPECT_THAT(relay.take_sent(), ElementsAre("2@0"));
}

TEST(RelayCoreTest, StopKeyWithoutAKeyIsSkip) {
  RelayBench relay;
  relay.on_dead[0] = OnDead::stop_key;
  relay.insert(1);
  relay.run();
  relay.say(1, 0, StatusCode::too_large);
  relay.run();
  EXPECT_THAT(relay.dead, SizeIs(1));
}

TEST(RelayCoreTest, AfterADeathTheFirstRowGoesAlone) {
  RelayBench relay(8);
  relay.inherited = {.low = 0, .head = 1, .deaths = 1};
  for (std::int64_t id = 1; id <= 5; ++id) relay.insert(id);
  relay.run();
  EXPECT_THAT(relay.take_sent(), ElementsAre("1@0"));
  EXPECT_EQ(relay.notes.head, 1);
  EXPECT_EQ(relay.notes.deaths, 1);
  relay.say_all();
  relay.run();
  EXPECT_THAT(relay.take_sent(), ElementsAre("2@0", "3@0"));
  EXPECT_EQ(relay.notes.head, 2);  // noted before
  EXPECT_EQ(relay.notes.deaths, 0);
  relay.pass(250ms);  // nobody answers, and it has survived
  EXPECT_THAT(relay.take_sent(), ElementsAre("4@0", "5@0"));
}

TEST(RelayCoreTest, ARowThatThreeOwnersHaveDiedOfIsPoisoned) {
  RelayBench relay;
  relay.inherited = {.low = 0, .head = 2, .deaths = 3};
  for (std::int64_t id = 2; id <= 3; ++id) relay.insert(id);
  relay.pass(1s);
  ASSERT_THAT(relay.dead, SizeIs(1));
  EXPECT_EQ(relay.dead[0].id, 2);
  EXPECT_EQ(relay.dead[0].status, "poisoned");
  EXPECT_THAT(relay.take_sent(), ElementsAre("3@0"));
}

/// Rows 1 to 9 in a table; those up to `staying` are not confirmed, as if their broker were down. The dead letters that
/// are made, if every owner dies of `poison`.
std::vector<DeadRow> dead_after_deaths_of(std::int64_t poison, std::int64_t staying, std::size_t batch) {
  const std::string last_words = std::to_string(poison) + "@0";
  ShardNotes notes;
  std::map<std::int64_t, OutboxRow> table;
  for (int owner = 0; owner < 60; ++owner) {
    RelayBench relay(batch);
    relay.inherited = relay.notes = notes;
    for (std::int64_t id = 1; id <= 9; ++id) relay.insert(id);
    if (owner > 0) relay.table = table;
    for (int step = 0; step < 500; ++step) {
      relay.pass(10ms);
      if (!relay.dead.empty()) return relay.dead;
      if (std::find(relay.sent.begin(), relay.sent.end(), last_words) != relay.sent.end()) break;
      for (const auto& [id, bit] : std::exchange(relay.in_flight, {})) {
        if (id > staying) relay.say(id, bit);
      }
    }
    table = relay.table;
    notes = relay.notes.taken_over(/*has_died=*/true);
  }
  return {};
}

TEST(RelayCoreTest, APoisonedRowIsFoundWhereverItIs) {
  for (std::int64_t poison = 1; poison <= 9; ++poison) {
    for (std::int64_t staying = 0; staying <= 9; ++staying) {
      for (const std::size_t batch : {2U, 4U, 10U}) {
        const std::vector<DeadRow> dead = dead_after_deaths_of(poison, staying, batch);
        ASSERT_THAT(dead, SizeIs(1)) << poison << " " << staying << " " << batch;
        EXPECT_EQ(dead[0].id, poison) << staying << " " << batch;
      }
    }
  }
}

TEST(RelayCoreTest, AnOwnerThatLivesHasNotDied) {
  RelayBench relay;
  relay.insert(1);
  relay.run();
  relay.is_held = false;
  relay.pass(3'400ms);
  relay.is_held = true;
  relay.inherited = {.low = 0, .head = 1, .deaths = 3};  // the last one was this one
  relay.say_all(StatusCode::closed);
  relay.pass(1'100ms);
  EXPECT_TRUE(relay.core.lease());
  EXPECT_THAT(relay.dead, IsEmpty());
}

// ------------------------------------------------------------------------------------------------------------ nonsense

OutboxRow any_row(std::mt19937& random) {
  const std::vector<std::string> names{"d0", "d1", "event:both", "event:nobody", "nowhere"};
  OutboxRow row;
  row.id = random() % 20 == 0 ? (random() % 2 == 0 ? least_id : std::numeric_limits<std::int64_t>::max())
                              : static_cast<std::int64_t>(random() % 30);
  row.target = names[random() % names.size()];
  row.done = random() % 3 == 0 ? (std::uint64_t{random()} << 32 | random()) : done_word(7, random() % 4);
  if (random() % 2 == 0) row.key = "k";
  return row;
}

/// Answers that do not fit, in any order: nothing happens that ends a process.
TEST(RelayCoreTest, SurvivesRandomAnswers) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    RelayBench relay(1 + random() % 4, 1 + random() % 6);
    relay.on_dead = {{0, static_cast<OnDead>(random() % 3)}, {1, static_cast<OnDead>(random() % 3)}};
    for (int step = 0; step < 300; ++step) {
      relay.now += std::chrono::milliseconds(random() % 400);
      RelayAction action = relay.core.next(relay.now);
      switch (random() % 14) {
        case 0:
          relay.core.acquired(relay.now, std::pair(Lease{0, "me", step}, ShardNotes{static_cast<int>(random() % 9), 3,
                                                                                    static_cast<int>(random() % 5)}));
          break;
        case 1:
          relay.core.renewed(relay.now, random() % 4 != 0);
          break;
        case 2:
          relay.core.store_failed(relay.now);
          break;
        case 3:
          relay.core.removed(relay.now);
          break;
        case 4:
          relay.core.done_set(relay.now);
          break;
        case 5:
          relay.core.buried(relay.now);
          break;
        case 6:
          relay.core.configuration_changed(relay.now);
          relay.fingerprint = static_cast<std::uint16_t>(random() % 3);
          break;
        case 7:
          relay.say(static_cast<std::int64_t>(random() % 30), static_cast<std::uint32_t>(random() % 3),
                    static_cast<StatusCode>(random() % status_code_count));
          break;
        case 8:
          relay.say_all(static_cast<StatusCode>(random() % status_code_count));
          break;
        case 9:
          if (random() % 20 == 0) relay.core.stop();
          break;
        case 10:
          relay.core.reopened(relay.now);
          break;
        default: {
          relay.core.reopened(relay.now);
          ReadResult result;
          result.lease_is_held = random() % 10 != 0;
          result.is_complete = random() % 2 == 0;
          result.horizon = {random() % 5, random() % 5};
          for (std::size_t rows = random() % 6; rows > 0; --rows) result.rows.push_back(any_row(random));
          relay.core.read_done(relay.now, result);
        }
      }
      EXPECT_LE(relay.core.gaps(), GapList::most_ranges);
    }
  }
}

}  // namespace
}  // namespace action_triggers::detail
