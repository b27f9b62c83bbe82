// Memory that runs out in fire(): std::bad_alloc, and nothing was fired. A program of its own: it replaces operator
// new.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "action_triggers/testing/in_memory_broker.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "unit/configs.hpp"

namespace {

thread_local int allocations_left = -1;  // -1: as many as there are

void* allocate(std::size_t size) {
  if (allocations_left == 0) throw std::bad_alloc();
  if (allocations_left > 0) --allocations_left;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t /*size*/) noexcept { std::free(memory); }

namespace action_triggers {
namespace {

using namespace std::chrono_literals;

/// Calls `fire` with none, one, two, … allocations allowed, until it succeeds. How often it threw.
template <class Fire>
int until_it_succeeds(Fire&& fire) {
  for (int allowed = 0;; ++allowed) {
    allocations_left = allowed;
    try {
      fire();
      allocations_left = -1;
      return allowed;
    } catch (const std::bad_alloc&) {
      allocations_left = -1;
    }
    if (allowed > 100) throw std::runtime_error("it never succeeds");
  }
}

TEST(AllocationTest, FireThrowsBadAllocAndThenNothingWasFired) {
  auto memory = std::make_shared<InMemoryBroker>();
  BrokerRegistry registry;
  registry.add("subject", memory->maker());
  TriggerDispatcher dispatcher(tests::config_of({"a", "full"},
                                                [](BrokerConfig& config) {
                                                  if (config.name == "full") config.max_queued_messages = 1;
                                                }),
                               registry);
  std::atomic<int> reports{0};
  const Message message{.body = std::string(1'000, 'x'), .key = "a key that is too long for a short string", .id = "1"};
  const DeliveryCallback callback = [&reports, more = std::string(100, 'x')](const DeliveryReport&) { ++reports; };

  EXPECT_GE(until_it_succeeds([&] { dispatcher.fire("a", message, callback); }), 1);
  ASSERT_TRUE(dispatcher.flush(10s));
  EXPECT_EQ(reports, 1);
  EXPECT_EQ(memory->messages("a").size(), 1U);

  EXPECT_GE(until_it_succeeds([&] { dispatcher.fire("nobody", message, callback); }), 1);
  EXPECT_EQ(reports, 2);

  memory->hold();
  dispatcher.fire("full", message, callback);
  EXPECT_GE(until_it_succeeds([&] { dispatcher.fire("full", message, callback); }), 1);
  EXPECT_EQ(reports, 3);  // queue_full, at once
  memory->release();
  ASSERT_TRUE(dispatcher.flush(10s));
  EXPECT_EQ(reports, 4);
  const Stats stats = dispatcher.stats();
  EXPECT_EQ(stats.brokers.at("a").queued, 0U);
  EXPECT_EQ(stats.brokers.at("full").queued, 0U);
}

}  // namespace
}  // namespace action_triggers
