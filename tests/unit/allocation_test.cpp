// SPDX-License-Identifier: MIT
// Memory that runs out. In fire(): std::bad_alloc, and nothing was fired. On a lane's thread: outcomes come later, and
// none is lost. A program of its own: it replaces operator new.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/commit_scope.hpp"
#include "action_triggers/memory.hpp"
#include "action_triggers/testing/in_memory_broker.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "dispatch/dispatcher.hpp"
#include "support/condition_text.hpp"
#include "support/registries.hpp"
#include "triggers/body_template.hpp"
#include "triggers/event_table.hpp"
#include "triggers/trigger_selection.hpp"
#include "unit/configs.hpp"
#include "unit/template_support.hpp"

namespace {

thread_local int allocations_left = -1;  // -1: as many as there are

thread_local std::size_t allocated = 0;  // how often, by this thread
std::atomic<std::size_t> in_use{0};      // bytes, by all

// Beside the main thread, every so many-th allocation fails; 0: none does.
const std::thread::id main_thread = std::this_thread::get_id();
std::atomic<unsigned> every{0};
std::atomic<unsigned> allocations{0};
std::atomic<unsigned> failures{0};

void* allocate(std::size_t size) {
  ++allocated;
  if (const unsigned n = every; n != 0 && std::this_thread::get_id() != main_thread && ++allocations % n == 0) {
    ++failures;
    throw std::bad_alloc();
  }
  if (allocations_left == 0) throw std::bad_alloc();
  if (allocations_left > 0) --allocations_left;
  if (void* memory = std::malloc(size)) {
    in_use += malloc_usable_size(memory);
    return memory;
  }
  throw std::bad_alloc();
}

void release(void* memory) noexcept {
  in_use -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t /*size*/) noexcept { release(memory); }

namespace action_triggers {
namespace {

using namespace std::chrono_literals;

/// Calls `fire` with none, one, two, … allocations allowed, until it succeeds. How often it threw.
template <class Fire>
int until_it_succeeds(Fire&& fire, int most = 100) {
  for (int allowed = 0;; ++allowed) {
    allocations_left = allowed;
    try {
      fire();
      allocations_left = -1;
      return allowed;
    } catch (const std::bad_alloc&) {
      allocations_left = -1;
    }
    if (allowed > most) throw std::runtime_error("it never succeeds");
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

/// Confirms at once, and keeps nothing.
class InstantBroker final : public Broker {
  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override {
    for (const OutboundMessage* message : batch) events.complete(*message, Outcome::persisted());
    return batch.size();
  }
};

/// Destinations that come and go, where memory may run out at any place.
class ChangesTest : public ::testing::Test {
 protected:
  static std::shared_ptr<const BrokerConfig> config_of(const std::string& name, const std::string& connection) {
    return tests::config_of({name}, [&](BrokerConfig& config) { config.connection_key = connection; }).brokers.at(name);
  }
  /// Allows `change` more and more allocations until it succeeds. What failed must have changed nothing.
  template <class Change>
  void until_it_succeeds_as_a_whole(Change&& change) {
    const auto names = [&] {
      std::set<std::string> all;
      for (const auto& [name, stats] : dispatcher_.stats().brokers) all.insert(name);
      return all;
    };
    const std::set<std::string> before = names();
    const std::size_t lanes = dispatcher_.stats().lanes;
    EXPECT_GE(until_it_succeeds([&] {
                const int allowed = std::exchange(allocations_left, -1);
                ASSERT_EQ(names(), before);
                ASSERT_EQ(dispatcher_.stats().lanes, lanes);
                for (const char* name : {"a", "b", "c"}) {
                  ASSERT_EQ(dispatcher_.find(name) != nullptr, before.count(name) == 1) << name;
                }
                allocations_left = allowed;
                change();
              }),
              1);
    EXPECT_NE(names(), before);
  }
  StatusCode fire(std::string_view name) { return dispatcher_.fire(name, {"x", nullptr}, {}).wait().status.code(); }

  const std::shared_ptr<InMemoryBroker> memory_ = std::make_shared<InMemoryBroker>();
  const BrokerRegistry registry_ = tests::registry_of(memory_->maker());
  detail::Dispatcher dispatcher_{{{"a", config_of("a", "shared")}}, registry_, DispatcherOptions()};
};

TEST_F(ChangesTest, ADestinationIsAddedAsAWholeOrNotAtAll) {
  const auto b = config_of("b", "shared");
  until_it_succeeds_as_a_whole([&] { dispatcher_.add(b, registry_); });
  const auto c = config_of("c", "another connection");
  until_it_succeeds_as_a_whole([&] { dispatcher_.add(c, registry_); });
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(fire(name), StatusCode::ok) << name;
}

TEST_F(ChangesTest, ADestinationIsRemovedAsAWholeOrNotAtAll) {
  dispatcher_.add(config_of("b", "shared"), registry_);
  dispatcher_.add(config_of("c", "another connection"), registry_);
  for (const char* name : {"b", "c"}) {
    until_it_succeeds_as_a_whole([&] { dispatcher_.remove(name, Clock::now() + 1min); });
    EXPECT_EQ(fire(name), StatusCode::not_found);
  }
  EXPECT_EQ(fire("a"), StatusCode::ok);
}

TEST(AllocationTest, AReloadHappensAsAWholeOrNotAtAll) {
  auto memory = std::make_shared<InMemoryBroker>();
  const BrokerRegistry registry = tests::registry_of(memory->maker());
  TriggerDispatcher dispatcher(tests::config_of({"a", "b", "c"}), registry);
  const Config changed = tests::config_of({"a", "b", "d"}, [](BrokerConfig& config) {
    config.timeout = 50s;
    if (config.name == "d") config.connection_key = "another connection";
  });
  memory->hold();
  std::vector<Delivery> before;
  int failed = 0;
  const auto fire = [&](const std::string& body) {
    for (const char* name : {"a", "b", "c"}) before.push_back(dispatcher.fire(name, body));
  };
  fire("0");
  EXPECT_GE(until_it_succeeds(
                [&] {
                  const int allowed = std::exchange(allocations_left, -1);
                  if (failed % 10 == 0) fire(std::to_string(failed));
                  ++failed;
                  allocations_left = allowed;
                  dispatcher.reload(changed);
                },
                2'000),
            10);
  EXPECT_EQ(dispatcher.fire("c", "x").wait().status.code(), StatusCode::not_found);
  std::vector<Delivery> after;
  for (const char* name : {"a", "b", "d"}) after.push_back(dispatcher.fire(name, "after"));
  memory->release();
  for (const Delivery& delivery : before) EXPECT_TRUE(delivery.wait().status.ok()) << delivery.wait().status.message();
  for (const Delivery& delivery : after) EXPECT_TRUE(delivery.wait().status.ok()) << delivery.wait().status.message();
  ASSERT_FALSE(memory->messages("a").empty());
  EXPECT_EQ(memory->messages("a").back().body, "after");
  EXPECT_EQ(memory->messages("a").size(), memory->messages("c").size() + 1);
  // Nothing is left that would wait for what it does not replace.
  const auto began = Clock::now();
  EXPECT_TRUE(dispatcher.close(1min).complete());
  EXPECT_LT(Clock::now() - began, 20s);
}

TEST(AllocationTest, InTheLongRunAFireAllocatesNothingUpToFourKibibytesAndOnceBeyond) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "under AddressSanitizer every record is malloc's, so that it sees what is used after it was freed";
#endif
  BrokerRegistry registry;
  registry.add("subject", [](const BrokerConfig&) { return std::make_unique<InstantBroker>(); });
  TriggerDispatcher dispatcher(tests::config_of({"a"}), registry);
  std::atomic<int> reports{0};
  constexpr int rounds = 100;
  constexpr int fires = 100;
  const auto allocated_by_round = [&](std::size_t size) {
    const std::string body(size, 'x');
    std::vector<std::size_t> result;
    for (int round = 0; round < rounds; ++round) {
      const std::size_t before = allocated;
      for (int i = 0; i < fires; ++i) dispatcher.fire("a", body, [&reports](const DeliveryReport&) { ++reports; });
      result.push_back(allocated - before);
      EXPECT_TRUE(dispatcher.flush(10s));
    }
    return result;
  };
  for (const std::size_t size : {0U, 256U, 1'000U, 3'500U}) {
    allocated_by_round(size);  // until there are enough records
    // A thread that finds the shared records taken does not wait for them: while the system holds up a lane that is at
    // them, a whole round may allocate.
    const auto by_round = allocated_by_round(size);
    EXPECT_GE(std::count(by_round.begin(), by_round.end(), 0U), rounds * 9 / 10) << size << " bytes";
  }
  EXPECT_THAT(allocated_by_round(5'000), ::testing::Each(std::size_t{fires}));
  EXPECT_EQ(reports, 9 * rounds * fires);
}

TEST(AllocationTest, OnceWarmNothingIsAllocatedToReadAPayloadAndToRenderATemplate) {
  const tests::LoadedTemplate<detail::BodyTemplate> loaded(
      R"({"id": "{{ /id }}", "text": "{{ /customer/name }} at {{ event.time }}", "x": "{{ /none:-some default text }}"})");
  ASSERT_THAT(loaded.problems(), ::testing::IsEmpty());
  detail::PayloadJson json;
  std::string result;
  std::string error;
  const auto allocated_by_one = [&] {
    const std::size_t before = allocated;
    detail::EventView event({.name = "order.paid", .body = R"({"id":9223372036854775808,"customer":{"name":"é"}})"},
                            json);
    result.clear();
    EXPECT_TRUE(loaded.get().render(event, result, error)) << error;
    return allocated - before;
  };
  EXPECT_GT(allocated_by_one(), 0U);
  EXPECT_EQ(allocated_by_one(), 0U);
}

TEST(AllocationTest, OnceWarmNothingIsAllocatedToFindATriggerAndToMatchItsCondition) {
  detail::EventTable table;
  table.add("order.a-rather-long-word.paid", 0);
  table.add("order.*.paid", 1);
  table.add("#.paid", 2);
  const detail::Condition condition = tests::condition_of(R"({
    "status": ["paid", "a text that no std::string holds in itself"],
    "total": [{"numeric": [">=", 100, "<", 1e20]}],
    "customer": {"mail": [{"suffix": "@example.org"}], "name": [{"equals-ignore-case": "ANN FROM EXAMPLE, INC."}]},
    "lines": {"sku": [{"wildcard": "*A*B*C"}], "count": [{"anything-but": [0, 1]}]},
    "$or": [{"vip": [true]}, {"note": [{"exists": false}]}], "$not": {"test": [true]}})");
  detail::PayloadJson json;
  detail::EventTable::Search search;
  const auto allocated_by_one = [&] {
    const std::size_t before = allocated;
    EXPECT_EQ(table.find("order.a-rather-long-word.paid", search).size(), 3U);
    EXPECT_TRUE(json.read(R"({"status": "a text that no std::string holds in itself", "total": 100.00000000000000000001,
      "customer": {"mail": "ann.from.example.inc@example.org", "name": "Ann from Example, Inc."},
      "lines": [{"sku": "1A2B3D"}, {"sku": "1A2B3C, and long enough not to be short, C", "count": 2}], "vip": true})"));
    EXPECT_TRUE(condition.matches(json.root()));
    return allocated - before;
  };
  EXPECT_GT(allocated_by_one(), 0U);
  EXPECT_EQ(allocated_by_one(), 0U);
}

TEST(AllocationTest, WhatOneLargeEventNeedsIsGivenBack) {
  BrokerRegistry registry;
  registry.add("subject", [](const BrokerConfig&) { return std::make_unique<InstantBroker>(); });
  TriggerDispatcher dispatcher(parse_config(R"({
    "brokers": {"a": {"broker_type": "subject"}},
    "triggers": {"t": {"events": ["e"], "targets": [{"broker": "a", "body": "{{ /list }}", "key": "{{ /key }}"}]}}})",
                                            registry),
                               registry);
  const auto emit = [&](const std::string& list) {
    EXPECT_EQ(dispatcher.emit("e", R"({"key": 1, "list": [1)" + list + "]}").size(), 1U);
    EXPECT_TRUE(dispatcher.flush(10s));
    return in_use.load();
  };
  const std::size_t before = emit("");
  std::string million;
  for (int i = 0; i < 1'000'000; ++i) million += ",1";
  emit(million);
  EXPECT_LT(emit(""), before + 1'000'000 + million.capacity());
}

TEST(AllocationTest, OnceWarmNothingIsAllocatedToSelectTriggers) {
  std::vector<detail::TriggerConfig> triggers(20);
  std::vector<const detail::TriggerConfig*> all;
  for (detail::TriggerConfig& trigger : triggers) {
    all.push_back(&trigger);
    const std::string when =
        R"({"order": {"status": ["a rather long text, and )" + std::to_string(all.size()) + R"("]}})";
    trigger.events = {all.size() % 2 == 0 ? "order.paid" : "order.#"};
    trigger.when = tests::condition_of(when);
  }
  const detail::TriggerSelection selection(all);
  detail::TriggerSelection::Search search;
  const auto allocated_by_one = [&] {
    const std::size_t before = allocated;
    const auto found = selection.find(
        "order.paid", R"({"order": {"status": ["a rather long text, \u0061nd 7", "a rather long text, and 8"]}})",
        search);
    const std::size_t by_one = allocated - before;
    EXPECT_EQ(found.size(), 2U);
    return by_one;
  };
  EXPECT_GT(allocated_by_one(), 0U);
  EXPECT_EQ(allocated_by_one(), 0U);
}

TEST(AllocationTest, InAScopeAFireOrAnEventThatThrowsLeavesNothing) {
  auto memory = std::make_shared<InMemoryBroker>();
  const BrokerRegistry registry = tests::registry_of(memory->maker());
  TriggerDispatcher dispatcher(parse_config(
                                   R"({"brokers": {"a": {"broker_type": "subject"}, "b": {"broker_type": "subject"}},
              "triggers": {"t": {"events": ["e"], "targets": ["a", "b", "a", "b", "a", "b"]}}})",
                                   registry),
                               registry);
  int dropped = 0;
  const DeliveryCallback callback = [&dropped, more = std::string(100, 'x')](const DeliveryReport& report) {
    if (!report.status.ok()) ++dropped;
  };
  CommitScope scope(dispatcher);
  const std::string body(5'000, 'x');  // each record is malloc's
  EXPECT_GE(until_it_succeeds([&] { scope.fire("a", body, callback); }), 1);
  EXPECT_EQ(scope.size(), 1U);
  EXPECT_GE(until_it_succeeds([&] {
              const int allowed = std::exchange(allocations_left, -1);
              ASSERT_EQ(scope.size(), 1U);
              ASSERT_EQ(dispatcher.stats().brokers.at("a").queued, 1U);
              allocations_left = allowed;
              try {
                scope.emit("e", body, DeliveryCallback());
              } catch (const std::bad_alloc&) {
                allocations_left = -1;
                throw;
              }
            }),
            1);
  EXPECT_EQ(scope.size(), 7U);
  EXPECT_EQ(dropped, 0);
  EXPECT_GE(until_it_succeeds([&] { static_cast<void>(scope.savepoint()); }), 1);
  scope.commit();
  ASSERT_TRUE(dispatcher.flush(10s));
  EXPECT_EQ(memory->size(), 7U);
}

TEST(AllocationTest, ACommitAllocatesNothing) {
  auto memory = std::make_shared<InMemoryBroker>();
  TriggerDispatcher dispatcher(tests::config_of({"a", "b"}), tests::registry_of(memory->maker()));
  CommitScope scope(dispatcher);
  std::vector<Delivery> deliveries;
  for (int i = 0; i < 100; ++i) deliveries.push_back(scope.fire(i % 2 == 0 ? "a" : "b", "x"));
  allocations_left = 0;
  scope.commit();
  allocations_left = -1;
  for (const Delivery& delivery : deliveries) EXPECT_TRUE(delivery.wait().status.ok());
  scope.fire("a", "fire and forget");
  allocations_left = 0;
  scope.rollback();
  allocations_left = -1;
}

TEST(AllocationTest, ARollbackWithoutMemoryForItsReportsWaitsForSome) {
  auto memory = std::make_shared<InMemoryBroker>();
  TriggerDispatcher dispatcher(tests::config_of({"a"}), tests::registry_of(memory->maker()));
  CommitScope scope(dispatcher);
  std::vector<Delivery> deliveries;
  for (int i = 0; i < 10; ++i) deliveries.push_back(scope.fire("a", "x"));
  const unsigned failed_before = failures;
  every = 1;
  std::thread rolling_back([&] { scope.rollback(); });
  while (failures < failed_before + 3) std::this_thread::yield();
  every = 0;
  rolling_back.join();
  for (const Delivery& delivery : deliveries) EXPECT_EQ(delivery.wait().status.code(), StatusCode::rolled_back);
}

TEST(AllocationTest, ALaneWithoutMemoryReportsLaterAndLosesNothing) {
  auto memory = std::make_shared<InMemoryBroker>();
  BrokerRegistry registry;
  registry.add("subject", memory->maker());
  constexpr int messages = 100;
  for (unsigned n = 1; n <= 60; ++n) {
    std::array<std::atomic<int>, messages> reports{};
    std::atomic<int> callbacks{0};
    std::vector<Delivery> deliveries;
    std::set<std::string> reported_ok;
    DispatcherOptions options;
    options.log = [](LogLevel, std::string_view, std::string_view text) { EXPECT_FALSE(text.empty()); };
    options.on_failure = [](const DeliveryReport&) {};
    {
      TriggerDispatcher dispatcher(tests::config_of({"a", "b", "drops"},
                                                    [](BrokerConfig& config) {
                                                      if (config.name != "drops") return;
                                                      config.max_queued_messages = 5;
                                                      config.overflow = Overflow::drop_oldest;
                                                    }),
                                   registry, std::move(options));
      allocations = 0;
      every = n;
      for (int i = 0; i < messages; ++i) {
        const char* name = i % 10 == 0 ? "drops" : i % 2 == 0 ? "a" : "b";
        deliveries.push_back(dispatcher.fire(
            name,
            {.body = std::string(100, 'x'), .id = "a long enough id " + std::to_string(n) + "/" + std::to_string(i)},
            [&reports, &callbacks, i](const DeliveryReport&) {
              ++reports[static_cast<std::size_t>(i)];
              ++callbacks;
            }));
      }
      // For a while there is not enough; then there is.
      const auto end = std::chrono::steady_clock::now() + 50ms;
      while (callbacks < messages && std::chrono::steady_clock::now() < end) std::this_thread::yield();
      every = 0;
      ASSERT_TRUE(dispatcher.flush(10s)) << "every " << n << ". allocation";
    }
    for (int i = 0; i < messages; ++i) {
      ASSERT_EQ(reports[static_cast<std::size_t>(i)], 1) << "message " << i << ", every " << n << ". allocation";
      const DeliveryReport& report = deliveries[static_cast<std::size_t>(i)].wait();
      if (report.status.ok()) reported_ok.insert(report.message_id);
    }
    std::set<std::string> arrived;
    for (const char* name : {"a", "b", "drops"}) {
      for (const auto& message : memory->messages(name)) arrived.insert(message.id);
    }
    EXPECT_TRUE(std::includes(arrived.begin(), arrived.end(), reported_ok.begin(), reported_ok.end()));
    EXPECT_GE(reported_ok.size(), 90U);
    memory->clear();
  }
  EXPECT_GE(failures, 1'000U);
}

TEST(AllocationTest, CloseWithoutMemoryEndsOnTimeAndReportsEverything) {
  auto memory = std::make_shared<InMemoryBroker>();
  BrokerRegistry registry;
  registry.add("subject", memory->maker());
  TriggerDispatcher dispatcher(tests::config_of({"a"}), registry);
  memory->hold();
  std::vector<Delivery> deliveries;
  for (int i = 0; i < 10; ++i) deliveries.push_back(dispatcher.fire("a", std::string(100, 'x')));
  const unsigned failed_before = failures;
  every = 1;
  std::thread memory_comes_back([failed_before] {
    while (failures < failed_before + 3) std::this_thread::yield();
    every = 0;
  });
  const CloseReport left = dispatcher.close(0ms);
  memory_comes_back.join();
  EXPECT_EQ(left.abandoned_by_broker.at("a"), 10U);
  for (const Delivery& delivery : deliveries) EXPECT_EQ(delivery.wait().status.code(), StatusCode::closed);
}

}  // namespace
}  // namespace action_triggers
