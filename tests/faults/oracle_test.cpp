// SPDX-License-Identifier: MIT
// The oracle itself: it believes the truth, and finds each kind of lie. No server.
#include "faults/oracle.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace action_triggers::tests {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OracleTest : public ::testing::Test {
 protected:
  /// A fire with one report.
  void fire(StatusCode code, Persistence persistence, const std::string& key = "k") {
    fired.push_back({.name = "b",
                     .key = key,
                     .reports = 1,
                     .code = code,
                     .persistence = persistence,
                     .text = "what was said",
                     .fired_at = {},
                     .reported_at = {}});
  }
  void fire_ok(const std::string& key = "k") { fire(StatusCode::ok, Persistence::persisted, key); }
  /// Another client reads it.
  void arrive(std::size_t index, std::int64_t offset = -1) {
    received.push_back({.id = "run-" + std::to_string(index),
                        .body = body_of(index, fired[index].bytes),
                        .key = fired[index].key,
                        .partition = offset < 0 ? -1 : 0,
                        .offset = offset,
                        .properties = {}});
  }
  Verdict verdict() { return judge("run", fired, received, rules); }
  std::vector<std::string> complaints() { return verdict().complaints; }

  std::vector<Fired> fired;
  std::vector<Received> received;
  Rules rules{.explained = {StatusCode::timed_out}};
};

TEST_F(OracleTest, BelievesWhatIsTrue) {
  fire_ok();
  fire(StatusCode::timed_out, Persistence::not_persisted);
  fire(StatusCode::timed_out, Persistence::possibly_persisted);
  fire(StatusCode::timed_out, Persistence::possibly_persisted);
  arrive(0);
  arrive(3);
  const Verdict truth = verdict();
  EXPECT_THAT(truth.complaints, IsEmpty());
  EXPECT_THAT(truth.by_status, ElementsAre(std::pair(StatusCode::ok, 1U), std::pair(StatusCode::timed_out, 3U)));
  EXPECT_EQ(truth.unsure, 2U);
  EXPECT_EQ(truth.unsure_there, 1U);
}

TEST_F(OracleTest, FindsAMessageThatIsThereAlthoughItsReportSaysNot) {
  fire(StatusCode::timed_out, Persistence::not_persisted);
  arrive(0);
  EXPECT_THAT(complaints(), ElementsAre(AllOf(HasSubstr("1 messages reported not_persisted that the broker has"),
                                              HasSubstr("message 0: timed_out, not_persisted: what was said"))));
}

TEST_F(OracleTest, FindsAMessageThatIsLost) {
  fire_ok();
  EXPECT_THAT(complaints(), ElementsAre(HasSubstr("1 messages reported persisted that the broker does not have")));
  EXPECT_EQ(verdict().lost, 1U);
}

TEST_F(OracleTest, FindsAStatusThatContradictsItsPersistence) {
  fire(StatusCode::ok, Persistence::possibly_persisted);
  fire(StatusCode::ok, Persistence::not_persisted);
  fire(StatusCode::timed_out, Persistence::persisted);
  arrive(0);
  arrive(2);
  EXPECT_THAT(complaints(), ElementsAre(HasSubstr("1 messages reported persisted that the broker does not have"),
                                        HasSubstr("3 messages whose status and persistence contradict each other")));
}

TEST_F(OracleTest, FindsAReportThatIsMissingAndOneTooMany) {
  fire_ok();
  fire_ok();
  arrive(0);
  arrive(1);
  fired[0].reports = 0;
  fired[1].reports = 2;
  EXPECT_THAT(complaints(), ElementsAre(HasSubstr("2 messages without exactly one report")));
}

TEST_F(OracleTest, FindsAMessageThatIsNotWhereItsReportSays) {
  for (int i = 0; i < 2; ++i) fire_ok();
  for (Fired& one : fired) one.partition = 0;
  fired[0].offset = 0;
  fired[1].offset = 5;
  arrive(0, 0);
  arrive(1, 1);
  EXPECT_THAT(complaints(), ElementsAre(AllOf(HasSubstr("1 messages that are not where their report says"),
                                              HasSubstr("partition 0, offset 5"))));
}

TEST_F(OracleTest, FindsWhatNobodyFired) {
  fire_ok();
  arrive(0);
  received.push_back(received[0]);
  received[1].id = "other-0";
  received.push_back(received[0]);
  received[2].body += "x";
  EXPECT_THAT(complaints(), ElementsAre(HasSubstr("2 messages that nobody fired like this")));
}

TEST_F(OracleTest, FindsTooManyDuplicates) {
  fire_ok();
  for (int i = 0; i < 3; ++i) arrive(0);
  rules.most_duplicates = 2;
  EXPECT_THAT(complaints(), IsEmpty());
  EXPECT_EQ(verdict().duplicates, 2U);
  rules.most_duplicates = 1;
  EXPECT_THAT(complaints(), ElementsAre("2 duplicates, where 1 are explained"));
}

TEST_F(OracleTest, FindsFirstCopiesOutOfOrder) {
  fire_ok("a");
  fire_ok("b");
  fire_ok("a");
  for (const std::size_t index : {1U, 0U, 2U, 1U}) arrive(index);
  rules.most_duplicates = 1;
  EXPECT_THAT(complaints(),
              ElementsAre(AllOf(HasSubstr("1 messages out of order"), HasSubstr("after 1: message 0: "))));
  rules.order_per_key = true;
  EXPECT_THAT(complaints(), IsEmpty());
}

TEST_F(OracleTest, FindsAFailureThatTheFaultDoesNotExplain) {
  fire(StatusCode::too_large, Persistence::not_persisted);
  EXPECT_THAT(complaints(), ElementsAre(HasSubstr("1 failures that this fault does not explain")));
  fired[0].guilty = true;
  EXPECT_THAT(complaints(), IsEmpty());
  fired[0].code = StatusCode::unavailable;
  EXPECT_THAT(complaints(), ElementsAre(HasSubstr("1 failures that this fault does not explain")));
}

TEST_F(OracleTest, FindsDoubtWhereThereCanBeNone) {
  fire(StatusCode::timed_out, Persistence::possibly_persisted);
  rules.most_unsure = 0;
  EXPECT_THAT(complaints(), ElementsAre(HasSubstr("1 messages of which it is not known whether they arrived")));
}

}  // namespace
}  // namespace action_triggers::tests
