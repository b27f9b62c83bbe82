// SPDX-License-Identifier: MIT
// Whose turn it is.
#include "dispatch/ready_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace action_triggers::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Numbered : ReadyNode {
  int number = 0;
};

class ReadyListTest : public ::testing::Test {
 protected:
  ReadyListTest() {
    for (int i = 0; i < 4; ++i) nodes_[static_cast<std::size_t>(i)].number = i;
  }
  static std::vector<int> emptied(ReadyList& list) {
    std::vector<int> numbers;
    while (!list.empty()) {
      numbers.push_back(static_cast<Numbered&>(list.front()).number);
      list.remove(list.front());
    }
    return numbers;
  }

  std::array<Numbered, 4> nodes_;
  ReadyList list_;
};

TEST_F(ReadyListTest, ANewListIsEmpty) { EXPECT_TRUE(list_.empty()); }

TEST_F(ReadyListTest, FirstComeFirstServed) {
  for (const std::size_t i : {2U, 0U, 1U}) list_.push(nodes_[i]);
  EXPECT_THAT(emptied(list_), ElementsAre(2, 0, 1));
}

TEST_F(ReadyListTest, WhoIsInTheListKeepsItsPlace) {
  list_.push(nodes_[0]);
  list_.push(nodes_[1]);
  list_.push(nodes_[0]);
  EXPECT_TRUE(nodes_[0].is_ready());
  EXPECT_THAT(emptied(list_), ElementsAre(0, 1));
  EXPECT_FALSE(nodes_[0].is_ready());
}

TEST_F(ReadyListTest, AnyoneMayLeave) {
  for (Numbered& node : nodes_) list_.push(node);
  list_.remove(nodes_[1]);
  list_.remove(nodes_[1]);
  list_.remove(nodes_[3]);
  EXPECT_THAT(emptied(list_), ElementsAre(0, 2));
}

TEST_F(ReadyListTest, AppendsAnotherListAndEmptiesIt) {
  ReadyList others;
  list_.push(nodes_[3]);
  others.push(nodes_[0]);
  others.push(nodes_[1]);
  list_.append(others);
  EXPECT_TRUE(others.empty());
  others.push(nodes_[2]);
  EXPECT_THAT(emptied(list_), ElementsAre(3, 0, 1));
  EXPECT_THAT(emptied(others), ElementsAre(2));
}

TEST_F(ReadyListTest, AppendingNothingChangesNothing) {
  ReadyList others;
  list_.append(others);
  EXPECT_THAT(emptied(list_), IsEmpty());
  others.push(nodes_[0]);
  list_.append(others);
  EXPECT_THAT(emptied(list_), ElementsAre(0));
}

}  // namespace
}  // namespace action_triggers::detail
