// SPDX-License-Identifier: MIT
// The ledger of what was committed: it believes the truth, and finds each kind of lie. No server.
#include "outbox/committed_ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace action_triggers::tests {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CommittedLedgerTest : public ::testing::Test {
 protected:
  /// Message `body` for "b": its id is "id of BODY".
  Committed& commit(const std::string& body, const std::string& key = "k") {
    history.committed.push_back({.destination = "b", .body = body, .id = "id of " + body, .key = key});
    return history.committed.back();
  }
  /// Another client reads it.
  Received& arrive(const std::string& body, const std::string& destination = "b") {
    outcome.arrived[destination].push_back({.id = "id of " + body, .body = body, .key = {}, .properties = {}});
    return outcome.arrived[destination].back();
  }
  CommittedVerdict verdict() { return judge_commits(history, outcome, rules); }
  std::vector<std::string> complaints() { return verdict().complaints; }

  History history;
  Outcome outcome;
  CommittedRules rules;
};

TEST_F(CommittedLedgerTest, BelievesWhatIsTrue) {
  commit("one");
  commit("two", "other key").id.clear();
  commit("three");
  commit("four").guilty = true;
  history.committed.push_back({.destination = "c", .body = "one", .id = "id of one", .key = "k"});
  history.committed.push_back({.destination = "held", .body = "five", .id = {}, .key = "k"});
  history.rolled_back = {"six"};
  for (const char* body : {"one", "three", "two", "one"}) arrive(body);
  arrive("one", "c");
  outcome.dead = {{"b", "four"}};
  outcome.waiting = {{"held", "five"}};
  rules = {.most_duplicates = 1, .held = {"held"}};
  const CommittedVerdict truth = verdict();
  EXPECT_THAT(truth.complaints, IsEmpty());
  EXPECT_EQ(truth.arrived, 4U);
  EXPECT_EQ(truth.duplicates, 1U);
  EXPECT_EQ(truth.lost, 0U);
}

TEST_F(CommittedLedgerTest, FindsAMessageThatIsLost) {
  commit("one");
  commit("two");
  arrive("one");
  arrive("two", "another destination");
  EXPECT_THAT(complaints(),
              ElementsAre(AllOf(HasSubstr("1 messages committed, and in the end nowhere"), HasSubstr("b: two")),
                          HasSubstr("1 messages that nobody committed like this")));
  EXPECT_EQ(verdict().lost, 1U);
}

TEST_F(CommittedLedgerTest, FindsAMessageThatWasRolledBack) {
  history.rolled_back = {"one", "two", "three"};
  arrive("one");
  outcome.waiting = {{"b", "two"}};
  outcome.dead = {{"b", "three"}};
  EXPECT_THAT(complaints(),
              ElementsAre(AllOf(HasSubstr("3 messages of transactions that were rolled back"),
                                HasSubstr("a message for b: one"), HasSubstr("a row of the outbox for b: two"),
                                HasSubstr("a dead letter for b: three"))));
}

TEST_F(CommittedLedgerTest, FindsABodyThatNobodyCommitted) {
  commit("one");
  arrive("one");
  arrive("one!");
  EXPECT_THAT(complaints(), ElementsAre(HasSubstr("1 messages that nobody committed like this")));
}

TEST_F(CommittedLedgerTest, FindsAnotherIdAndCopiesWithDifferentIds) {
  commit("one");
  commit("two").id.clear();
  rules.most_duplicates = 1;
  arrive("one").id = "two's";
  arrive("two").id = "a";
  arrive("two").id = "b";
  EXPECT_THAT(complaints(), ElementsAre(AllOf(HasSubstr("2 messages with another id"), HasSubstr("has the id two's"),
                                              HasSubstr("has the ids a and b"))));
}

TEST_F(CommittedLedgerTest, FindsAnotherKey) {
  commit("one");
  arrive("one").key = "l";
  EXPECT_THAT(complaints(), ElementsAre(HasSubstr("1 messages with another key")));
}

TEST_F(CommittedLedgerTest, FindsTooManyDuplicates) {
  commit("one");
  for (int i = 0; i < 3; ++i) arrive("one");
  rules.most_duplicates = 2;
  EXPECT_THAT(complaints(), IsEmpty());
  rules.most_duplicates = 1;
  EXPECT_THAT(complaints(), ElementsAre("2 duplicates, where 1 are explained"));
}

TEST_F(CommittedLedgerTest, FindsFirstCopiesOutOfOrder) {
  commit("one", "a");
  commit("two", "b");
  commit("three", "a");
  for (const char* body : {"two", "one", "three", "two"}) arrive(body);
  rules.most_duplicates = 1;
  EXPECT_THAT(complaints(), IsEmpty()) << "each key is in order, and later copies do not count";
  rules.order_of_all = true;
  EXPECT_THAT(complaints(), ElementsAre(AllOf(HasSubstr("1 messages out of order"), HasSubstr("one after two"))));
  outcome.arrived.clear();
  rules.order_of_all = false;
  for (const char* body : {"two", "three", "one"}) arrive(body);
  EXPECT_THAT(complaints(), ElementsAre(AllOf(HasSubstr("1 messages out of order"), HasSubstr("one after three"))));
  for (Committed& one : history.committed) one.key.clear();
  EXPECT_THAT(complaints(), IsEmpty()) << "nothing was promised";
}

TEST_F(CommittedLedgerTest, FindsARowThatNobodySends) {
  commit("one");
  commit("two");
  arrive("one");
  outcome.waiting = {{"b", "one"}, {"b", "two"}};
  EXPECT_THAT(complaints(), ElementsAre(HasSubstr("2 messages that are still in the outbox")));
  EXPECT_EQ(verdict().lost, 0U);
  rules.held = {"b"};
  EXPECT_THAT(complaints(), IsEmpty());
}

TEST_F(CommittedLedgerTest, FindsDeadLettersThatAreNone) {
  commit("one");
  commit("two").guilty = true;
  arrive("two");
  outcome.dead = {{"b", "one"}, {"b", "two"}};
  EXPECT_THAT(complaints(),
              ElementsAre(AllOf(HasSubstr("1 dead letters that a broker would have taken"), HasSubstr("b: one")),
                          AllOf(HasSubstr("1 dead letters that have arrived"), HasSubstr("b: two"))));
}

TEST_F(CommittedLedgerTest, FindsAMessageThatTheTablesHaveTwice) {
  commit("one").guilty = true;
  outcome.dead = {{"b", "one"}, {"b", "one"}};
  EXPECT_THAT(complaints(), ElementsAre(HasSubstr("1 messages that the tables have more than once")));
  outcome.dead = {{"b", "one"}};
  outcome.waiting = {{"b", "one"}};
  rules.held = {"b"};
  EXPECT_THAT(complaints(), ElementsAre(HasSubstr("1 messages that the tables have more than once")));
}

TEST_F(CommittedLedgerTest, FindsATestWhoseMessagesCannotBeTold) {
  commit("one");
  commit("one");
  arrive("one");
  EXPECT_THAT(complaints(), ElementsAre(HasSubstr("1 messages committed with the body of another one")));
}

TEST_F(CommittedLedgerTest, WritesARowOfTheTable) {
  commit("one");
  commit("two");
  arrive("one");
  arrive("one");
  outcome.waiting = {{"b", "two"}};
  history.rolled_back = {"three"};
  rules = {.most_duplicates = 1, .held = {"b"}};
  const std::string path = ::testing::TempDir() + "/committed_ledger_test.rows";
  std::remove(path.c_str());
  const char* const before = std::getenv("ACTION_TRIGGERS_RELIABILITY");
  const std::string saved = before == nullptr ? "" : before;
  ::setenv("ACTION_TRIGGERS_RELIABILITY", path.c_str(), 1);
  check_commits("a database", "a fault", history, outcome, rules, std::chrono::milliseconds(12));
  check_commits("a database", "none", history, outcome, rules, std::nullopt);
  before == nullptr ? ::unsetenv("ACTION_TRIGGERS_RELIABILITY")
                    : ::setenv("ACTION_TRIGGERS_RELIABILITY", saved.c_str(), 1);
  std::ifstream file(path);
  const std::string rows{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_EQ(rows,
            "| a database | a fault | 2 | 1 | 1 | 1 | 0 | 12 ms |\n"
            "| a database | none | 2 | 1 | 1 | 1 | 0 | — |\n");
  std::remove(path.c_str());
}

}  // namespace
}  // namespace action_triggers::tests
