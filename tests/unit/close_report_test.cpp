// SPDX-License-Identifier: MIT
// What close() says of a lane that a callback holds up for longer than close() waits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "action_triggers/memory.hpp"
#include "action_triggers/testing/in_memory_broker.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "support/gate.hpp"
#include "support/registries.hpp"
#include "unit/configs.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;

class CloseReportTest : public ::testing::Test {
 protected:
  CloseReportTest() {
    dispatcher_.fire("a", "x", [this](const DeliveryReport&) {
      in_callback_.open();
      EXPECT_TRUE(may_return_.wait());
      ++reports_;
    });
    EXPECT_TRUE(in_callback_.wait());
    for (int i = 0; i < 9; ++i) dispatcher_.fire("a", "x", [this](const DeliveryReport&) { ++reports_; });
  }
  ~CloseReportTest() override { may_return_.open(); }

  const std::shared_ptr<InMemoryBroker> memory_ = std::make_shared<InMemoryBroker>();
  tests::Gate in_callback_;
  tests::Gate may_return_;
  std::atomic<int> reports_{0};
  TriggerDispatcher dispatcher_{tests::config_of({"a"}), tests::registry_of(memory_->maker())};
};

TEST_F(CloseReportTest, ALaneThatIsLateIsNotComplete) {
  const CloseReport report = dispatcher_.close(0ms);
  EXPECT_EQ(reports_, 0);
  EXPECT_FALSE(report.complete());
}

TEST_F(CloseReportTest, ASecondCloseIsNotCompleteWhileTheLaneIsLate) {
  dispatcher_.close(0ms);
  const CloseReport again = dispatcher_.close(0ms);
  EXPECT_EQ(reports_, 0);
  EXPECT_FALSE(again.complete());
}

}  // namespace
}  // namespace action_triggers
