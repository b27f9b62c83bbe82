// SPDX-License-Identifier: MIT
// on_failure that fires what failed at another destination, which may refuse it as well.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>

#include "action_triggers/memory.hpp"
#include "action_triggers/testing/in_memory_broker.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "support/child_process.hpp"
#include "support/registries.hpp"
#include "unit/configs.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using tests::trouble_in_child;

/// Runs `test` in a child with a dispatcher whose on_failure fires at `fallback`.
std::string trouble_with_fallback(
    const char* fallback, const std::function<void(TriggerDispatcher&, InMemoryBroker&, std::atomic<int>&)>& test) {
  return trouble_in_child([&] {
    auto memory = std::make_shared<InMemoryBroker>();
    TriggerDispatcher* fires_again = nullptr;
    std::atomic<int> failures{0};
    DispatcherOptions options;
    options.on_failure = [&](const DeliveryReport&) {
      ++failures;
      fires_again->fire(fallback, "failed");
    };
    TriggerDispatcher dispatcher(
        tests::config_of({"a", "fallback"}, [](BrokerConfig& config) { config.max_queued_messages = 1; }),
        tests::registry_of(memory->maker()), std::move(options));
    fires_again = &dispatcher;
    test(dispatcher, *memory, failures);
  });
}

TEST(RefusalsTest, OnFailureMayFireAtAFallbackThatIsClosed) {
  EXPECT_EQ(
      trouble_with_fallback("fallback",
                            [](TriggerDispatcher& dispatcher, InMemoryBroker& memory, std::atomic<int>& failures) {
                              memory.hold();
                              const Delivery delivery = dispatcher.fire("a", "x");
                              dispatcher.close(0ms);
                              ACTION_TRIGGERS_CHILD_EXPECT(delivery.done());
                              ACTION_TRIGGERS_CHILD_EXPECT(failures >= 1);
                              const Delivery late = dispatcher.fire("a", "late");
                              ACTION_TRIGGERS_CHILD_EXPECT(late.wait().status.code() == StatusCode::closed);
                              ACTION_TRIGGERS_CHILD_EXPECT(failures >= 2);
                            }),
      "");
}

TEST(RefusalsTest, OnFailureMayFireAtAFallbackThatIsFull) {
  EXPECT_EQ(
      trouble_with_fallback("fallback",
                            [](TriggerDispatcher& dispatcher, InMemoryBroker& memory, std::atomic<int>& failures) {
                              memory.hold();
                              dispatcher.fire("fallback", "takes all the room");
                              const Delivery delivery = dispatcher.fire("nobody", "x");
                              ACTION_TRIGGERS_CHILD_EXPECT(delivery.wait().status.code() == StatusCode::not_found);
                              ACTION_TRIGGERS_CHILD_EXPECT(failures >= 1);
                              memory.release();
                            }),
      "");
}

TEST(RefusalsTest, OnFailureMayFireAtAFallbackThatDoesNotExist) {
  EXPECT_EQ(
      trouble_with_fallback("nobody",
                            [](TriggerDispatcher& dispatcher, InMemoryBroker& memory, std::atomic<int>& failures) {
                              memory.unroutable_next();
                              dispatcher.fire("a", "x");
                              ACTION_TRIGGERS_CHILD_EXPECT(dispatcher.flush(60s));
                              ACTION_TRIGGERS_CHILD_EXPECT(failures >= 1);
                            }),
      "");
}

}  // namespace
}  // namespace action_triggers
