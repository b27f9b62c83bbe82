// SPDX-License-Identifier: MIT
#include "action_triggers/callback_scope.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "action_triggers/trigger_dispatcher.hpp"
#include "support/dispatcher_test.hpp"
#include "support/gate.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;

class CallbackScopeTest : public tests::DispatcherTest {};

TEST_F(CallbackScopeTest, CallsWhileItLivesAndNotAfterwards) {
  auto scope = std::make_unique<CallbackScope>();
  int calls = 0;
  const std::function<void()> function = (*scope)([&] { ++calls; });
  function();
  EXPECT_EQ(calls, 1);
  scope.reset();
  function();
  EXPECT_EQ(calls, 1);
}

TEST_F(CallbackScopeTest, GuardsEveryFunctionThatADispatcherCalls) {
  auto scope = std::make_unique<CallbackScope>();
  int calls = 0;
  DispatcherOptions options;
  options.on_failure = (*scope)([&](const DeliveryReport&, const MessageView&) { ++calls; });
  options.log = (*scope)([&](LogLevel, std::string_view, std::string_view) { ++calls; });
  auto& dispatcher = make({"a"}, {}, std::move(options));
  memory_->hold();
  dispatcher.fire("a", "x", (*scope)([&](const DeliveryReport&) { ++calls; }));
  scope.reset();
  dispatcher.close(0ms);  // reports it as closed
  EXPECT_EQ(calls, 0);
}

TEST_F(CallbackScopeTest, ItsEndWaitsForWhatIsRunning) {
  auto scope = std::make_unique<CallbackScope>();
  auto& dispatcher = make({"a"});
  tests::Gate running;
  tests::Gate may_end;
  std::atomic<bool> has_run{false};
  dispatcher.fire("a", "x", (*scope)([&](const DeliveryReport&) {
                    running.open();
                    EXPECT_TRUE(may_end.wait());
                    has_run = true;
                  }));
  ASSERT_TRUE(running.wait());
  std::thread ends([&] {
    scope.reset();
    EXPECT_TRUE(has_run);
  });
  may_end.open();
  ends.join();
}

}  // namespace
}  // namespace action_triggers
