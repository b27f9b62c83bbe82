// SPDX-License-Identifier: MIT
// flush(), close() and the destructor.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include "action_triggers/testing/matchers.hpp"
#include "support/dispatcher_test.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using testing::HasCode;
using testing::IsOk;
using testing::PersistenceIs;
using ::testing::SizeIs;

class CloseTest : public tests::DispatcherTest {};

TEST_F(CloseTest, FlushIsBounded) {
  memory_->hold();
  auto& dispatcher = make({"a"});
  dispatcher.fire("a", "x");
  EXPECT_FALSE(dispatcher.flush(10ms));
  memory_->release();
  EXPECT_TRUE(dispatcher.flush(30s));
}

TEST_F(CloseTest, CloseReportsWhatIsLeft) {
  memory_->hold();
  auto& dispatcher = make({"a", "b"});
  const Delivery left = dispatcher.fire("a", "x");
  dispatcher.fire("b", "x");
  const CloseReport report = dispatcher.close(10ms);
  EXPECT_FALSE(report.complete());
  EXPECT_EQ(report.abandoned, 2U);
  EXPECT_EQ(report.abandoned_by_broker.at("a"), 1U);
  EXPECT_THAT(left.wait(), HasCode(StatusCode::closed));
  EXPECT_THAT(left.wait(), PersistenceIs(Persistence::possibly_persisted));
  const Delivery late = dispatcher.fire("a", "late");
  ASSERT_TRUE(late.done());
  EXPECT_THAT(late.wait(), HasCode(StatusCode::closed));
  EXPECT_TRUE(dispatcher.close(1s).complete()) << "the second close finds nothing";
  EXPECT_TRUE(dispatcher.flush(0s)) << "everything has its outcome";
}

TEST_F(CloseTest, TheDestructorDelivers) {
  make({"a"});
  for (int i = 0; i < 100; ++i) dispatcher_->fire("a", "x");
  dispatcher_.reset();
  EXPECT_THAT(memory_->messages("a"), SizeIs(100));
}

TEST_F(CloseTest, ADeliveryOutlivesItsDispatcher) {
  Delivery delivery = make({"a"}).fire("a", "x");
  const Delivery copy = delivery;
  dispatcher_.reset();
  EXPECT_THAT(copy.wait(), IsOk());
}

TEST_F(CloseTest, FiresRacingWithCloseAllHaveOneOutcome) {
  for (int round = 0; round < 50; ++round) {
    auto& dispatcher = make({"a"});
    std::atomic<int> reports{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 200; ++i) {
          static_cast<void>(dispatcher.fire("a", "x", [&](const DeliveryReport&) { ++reports; }));
        }
      });
    }
    dispatcher.close(1ms);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(reports, 600);
    const BrokerStats stats = dispatcher.stats().brokers.at("a");
    EXPECT_EQ(stats.fired, 600U);
    EXPECT_EQ(stats.delivered + stats.failed, 600U);
    dispatcher_.reset();
  }
}

TEST_F(CloseTest, ClosesAtAnyMomentTenThousandTimes) {
  std::mt19937 random(7);
  std::uint64_t delivered = 0;
  std::uint64_t closed = 0;
  for (int round = 0; round < 10'000; ++round) {
    auto& dispatcher = make({"a", "b"});
    std::atomic<unsigned> reports{0};
    const unsigned fires = random() % 16;
    const unsigned close_after = random() % 16;  // some of the fires come too late
    if (round % 4 == 0) memory_->hold();         // on a fast machine nothing would be left at close()
    std::thread closer;
    const auto grace = std::chrono::microseconds(random() % 3 == 0 ? 0 : random() % 300);
    for (unsigned i = 0; i < fires; ++i) {
      if (i == close_after) closer = std::thread([&dispatcher, grace] { dispatcher.close(grace); });
      dispatcher.fire(i % 2 == 0 ? "a" : "b", "x", [&](const DeliveryReport& report) {
        ++reports;
        if (report.status.ok()) dispatcher.fire("b", "from a callback");
      });
    }
    if (closer.joinable()) closer.join();
    if (random() % 2 == 0) dispatcher.close(grace);
    memory_->release();
    const auto stats = dispatcher.stats();
    dispatcher_.reset();
    ASSERT_EQ(reports, fires) << "round " << round;
    for (const auto& [name, of_name] : stats.brokers) {
      delivered += of_name.delivered;
      closed += of_name.by_status[static_cast<std::size_t>(StatusCode::closed)];
    }
  }
  EXPECT_GT(delivered, 1'000U);
  EXPECT_GT(closed, 1'000U);
}

}  // namespace
}  // namespace action_triggers
