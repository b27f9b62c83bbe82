// SPDX-License-Identifier: MIT
// Children of fork(): how they are noticed, and what a dispatcher is there.
#include "base/fork.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <thread>

#include "action_triggers/health.hpp"
#include "action_triggers/prometheus.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "support/child_process.hpp"
#include "support/dispatcher_test.hpp"
#include "support/gate.hpp"
#include "triggers/dispatcher_access.hpp"

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

TEST_F(DispatcherForkTest, InAChildOfForkItSaysThatItIsDown) {
  auto& dispatcher = make({"a"});
  ASSERT_TRUE(dispatcher.wait_until_connected(30s));
  EXPECT_EQ(tests::trouble_in_child([&] {
              const Health health = dispatcher.health();
              ACTION_TRIGGERS_CHILD_EXPECT(health.state == HealthState::down);
              ACTION_TRIGGERS_CHILD_EXPECT(health.reasons.at(0).what.find("fork()") != std::string::npos);
              ACTION_TRIGGERS_CHILD_EXPECT(prometheus_text(dispatcher.stats()).find("{state=\"down\"} 1") !=
                                           std::string::npos);
            }),
            "");
  EXPECT_TRUE(dispatcher.health().ok());
}

/// Keeps whoever asks for stats().
class SlowCompanion final : public detail::Companion {
 public:
  void check_reload(const Config& /*config*/) const override {}
  void reloaded() noexcept override {}
  void add_to(Stats& /*stats*/) const override {
    entered.open();
    may_leave.wait();
  }

  mutable tests::Gate entered;
  mutable tests::Gate may_leave;
};

TEST_F(DispatcherForkTest, AChildNeedsNoLockThatAnotherThreadHadAtTheFork) {
  auto& dispatcher = make({"a"});
  SlowCompanion companion;
  const detail::DispatcherAccess access(dispatcher);
  access.attach(companion);
  std::thread asks([&] { static_cast<void>(dispatcher.stats()); });
  ASSERT_TRUE(companion.entered.wait());
  EXPECT_EQ(tests::trouble_in_child([&] { static_cast<void>(dispatcher.health()); }, 20s), "");
  companion.may_leave.open();
  asks.join();
  access.detach();
}

}  // namespace
}  // namespace action_triggers
