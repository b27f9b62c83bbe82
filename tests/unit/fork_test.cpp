// SPDX-License-Identifier: MIT
// Children of fork(): how they are noticed, and what a dispatcher is there.
#include "base/fork.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "action_triggers/testing/matchers.hpp"
#include "support/child_process.hpp"
#include "support/dispatcher_test.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using testing::IsOk;

TEST(ForkTest, AChildHasAnotherGenerationAndTheParentKeepsIts) {
  detail::watch_forks();
  const std::uint32_t before = detail::fork_generation();
  EXPECT_EQ(tests::trouble_in_child([&] { ACTION_TRIGGERS_CHILD_EXPECT(detail::fork_generation() != before); }), "");
  EXPECT_EQ(detail::fork_generation(), before);
}

TEST(ForkTest, AGrandchildDiffersFromBoth) {
  detail::watch_forks();
  const std::uint32_t ours = detail::fork_generation();
  EXPECT_EQ(tests::trouble_in_child([&] {
              const std::uint32_t childs = detail::fork_generation();
              ACTION_TRIGGERS_CHILD_EXPECT(tests::trouble_in_child([&] {
                                             ACTION_TRIGGERS_CHILD_EXPECT(detail::fork_generation() != childs);
                                             ACTION_TRIGGERS_CHILD_EXPECT(detail::fork_generation() != ours);
                                           }) == "");
            }),
            "");
}

TEST(ForkTest, WatchingAgainCountsAForkOnce) {
  for (int i = 0; i < 3; ++i) detail::watch_forks();
  const std::uint32_t before = detail::fork_generation();
  EXPECT_EQ(tests::trouble_in_child([&] { ACTION_TRIGGERS_CHILD_EXPECT(detail::fork_generation() == before + 1); }),
            "");
}

class DispatcherForkTest : public tests::DispatcherTest {};

TEST_F(DispatcherForkTest, InAChildOfForkItIsDeadAndHarmless) {
  auto& dispatcher = make({"a"});
  memory_->hold();
  const Delivery waiting = dispatcher.fire("a", "of the parent");
  EXPECT_EQ(tests::trouble_in_child([&] {
              const DeliveryReport report = dispatcher.fire("a", "of the child").wait();
              ACTION_TRIGGERS_CHILD_EXPECT(report.status.code() == StatusCode::closed);
              ACTION_TRIGGERS_CHILD_EXPECT(!dispatcher.flush(10s));
              ACTION_TRIGGERS_CHILD_EXPECT(dispatcher.close(10s).complete());
              dispatcher_.reset();
            }),
            "");
  memory_->release();
  EXPECT_THAT(waiting.wait(), IsOk());
  EXPECT_THAT(dispatcher.fire("a", "still there").wait(), IsOk());
  EXPECT_EQ(memory_->messages("a").size(), 2U);
}

}  // namespace
}  // namespace action_triggers
