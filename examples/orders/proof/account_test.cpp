// SPDX-License-Identifier: MIT
// What the demo claims can be found wrong.
#include "account.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace proof {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::vector<Order> orders{{1, "alice", 30, "paid"}, {2, "bob", 20, "placed"}};

std::string event(const std::string& op, const std::string& row) {
  return R"({"op":")" + op + R"(","table":"orders","old":null,"new":)" + row + R"(,"context":null})";
}

const Arrival alice_placed{"a", event("insert", R"({"id":1,"customer":"alice","total":30,"state":"placed"})")};
const Arrival alice_paid{"b", event("update", R"({"id": 1, "customer": "alice", "total": 30, "state": "paid"})")};
const Arrival bob_placed{"c", event("insert", R"({"id":2,"customer":"bob","total":20,"state":"placed"})")};

TEST(AccountTest, AllThatWasCommittedHasArrived) {
  const Account account = account_of(orders, {alice_placed, bob_placed, alice_paid});
  EXPECT_EQ(account.committed, 3U);
  EXPECT_EQ(account.arrived, 3U);
  EXPECT_EQ(account.duplicates, 0U);
  EXPECT_TRUE(account.is_as_promised(0));
}

TEST(AccountTest, WhatDidNotArriveIsLost) {
  const Account account = account_of(orders, {alice_placed, bob_placed});
  EXPECT_THAT(account.lost, ElementsAre(R"(update {"customer":"alice","id":1,"state":"paid","total":30})"));
  EXPECT_EQ(account.arrived, 2U);
  EXPECT_FALSE(account.is_as_promised(100));
}

TEST(AccountTest, WhatTheDatabaseDoesNotHaveWasNeverCommitted) {
  const Arrival mallory{"d", event("insert", R"({"id":3,"customer":"mallory","total":5000,"state":"placed"})")};
  const Account account = account_of(orders, {alice_placed, bob_placed, mallory, alice_paid});
  EXPECT_THAT(account.never_committed, ElementsAre(HasSubstr("mallory")));
  EXPECT_THAT(account.lost, IsEmpty());
  EXPECT_FALSE(account.is_as_promised(100));
}

TEST(AccountTest, AChangeWithOtherValuesWasNeverCommitted) {
  const Arrival dearer{"c", event("insert", R"({"id":2,"customer":"bob","total":21,"state":"placed"})")};
  const Account account = account_of(orders, {alice_placed, dearer, alice_paid});
  EXPECT_THAT(account.never_committed, ElementsAre(HasSubstr("21")));
  EXPECT_THAT(account.lost, ElementsAre(HasSubstr("bob")));
}

TEST(AccountTest, APaymentThatWasRolledBackWasNeverCommitted) {
  const Arrival bob_paid{"d", event("update", R"({"id":2,"customer":"bob","total":20,"state":"paid"})")};
  EXPECT_THAT(account_of(orders, {bob_placed, bob_paid}).never_committed, ElementsAre(HasSubstr("bob")));
}

TEST(AccountTest, CopiesWithTheSameIdAreCounted) {
  const Account account = account_of(orders, {alice_placed, bob_placed, alice_placed, alice_paid, bob_placed});
  EXPECT_EQ(account.arrived, 3U);
  EXPECT_EQ(account.duplicates, 2U);
  EXPECT_TRUE(account.is_as_promised(2));
  EXPECT_FALSE(account.is_as_promised(1));
}

TEST(AccountTest, ACopyWithAnotherIdIsToldTwice) {
  Arrival again = bob_placed;
  again.message_id = "d";
  const Account account = account_of(orders, {alice_placed, bob_placed, again, alice_paid});
  EXPECT_THAT(account.told_twice, ElementsAre(HasSubstr("bob")));
  EXPECT_EQ(account.duplicates, 0U);
  EXPECT_FALSE(account.is_as_promised(100));
}

TEST(AccountTest, FirstCopiesAreInOrder) {
  EXPECT_TRUE(account_of(orders, {alice_placed, alice_paid, alice_placed, bob_placed}).is_as_promised(1));
  const Account account = account_of(orders, {alice_paid, alice_placed, bob_placed});
  EXPECT_THAT(account.out_of_order, ElementsAre(HasSubstr("paid")));
  EXPECT_FALSE(account.is_as_promised(100));
}

TEST(AccountTest, WhatIsNoEventWasNeverCommitted) {
  for (const char* const body : {"", "no JSON", "[1]", R"({"op":"insert"})", R"({"op":1,"new":null})"}) {
    EXPECT_THAT(account_of(orders, {{"d", body}}).never_committed, ElementsAre(body));
  }
}

}  // namespace
}  // namespace proof
