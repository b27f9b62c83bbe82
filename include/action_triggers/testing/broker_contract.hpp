// SPDX-License-Identifier: MIT
/// A test suite that every Broker must pass: the rules at the top of broker.hpp, checked through a real lane.
///
/// In one source file of a GoogleTest program:
///
///     #include <action_triggers/testing/broker_contract.hpp>
///     INSTANTIATE_TEST_SUITE_P(MyBroker, BrokerContract, ::testing::Values(at::testing::ContractSubject{
///         .config = my_config, .make = [](const at::BrokerConfig& config) { … }}));
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "action_triggers/trigger_dispatcher.hpp"

namespace action_triggers::testing {

struct ContractSubject {
  std::string name;  ///< For the test's output.
  /// Two names, "first" and "second", of one broker type, on one connection, that can be delivered to.
  std::function<Config()> config;
  BrokerRegistry::Make make;
  /// Optional: what arrived at a name so far, in order of arrival, by message id. Without it arrival is not checked.
  std::function<std::vector<std::string>(const std::string& broker)> arrived;
  std::size_t messages = 2'000;
  std::chrono::seconds patience{30};

  friend void PrintTo(const ContractSubject& subject, std::ostream* out) { *out << subject.name; }
};

class BrokerContract : public ::testing::TestWithParam<ContractSubject> {
 protected:
  std::unique_ptr<TriggerDispatcher> make_dispatcher(DispatcherOptions options = {}) {
    const Config config = GetParam().config();
    BrokerRegistry registry;
    registry.add(config.brokers.at("first")->broker_type, GetParam().make);
    return std::make_unique<TriggerDispatcher>(config, registry, std::move(options));
  }
  static Message message(const std::string& id) {
    return {.body = "body of " + id,
            .key = "key",
            .headers = {{"n", id}},
            .content_type = "text/plain",
            .id = id,
            .expiration = {},
            .priority = {}};
  }
  /// Ids that no other run has used: the broker may be a server that keeps what it got.
  static std::string unique_id(std::size_t n) {
    static const auto run = std::chrono::system_clock::now().time_since_epoch().count();
    static std::atomic<int> calls{0};
    return std::to_string(run) + "-" + std::to_string(calls++) + "-" + std::to_string(n);
  }
};

// The header may be included without being used.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BrokerContract);

TEST_P(BrokerContract, ConfirmsEveryMessageExactlyOnce) {
  std::atomic<std::size_t> reports{0};
  auto dispatcher = make_dispatcher();
  std::vector<Delivery> deliveries;
  for (std::size_t i = 0; i < GetParam().messages; ++i) {
    deliveries.push_back(dispatcher->fire(i % 2 == 0 ? "first" : "second", message(unique_id(i)),
                                          [&](const DeliveryReport&) { ++reports; }));
  }
  ASSERT_TRUE(dispatcher->flush(GetParam().patience));
  for (const Delivery& delivery : deliveries) {
    ASSERT_TRUE(delivery.done());
    EXPECT_THAT(delivery.wait(), IsOk());
    EXPECT_THAT(delivery.wait(), PersistenceIs(Persistence::persisted));
  }
  EXPECT_EQ(reports, GetParam().messages);
  EXPECT_EQ(dispatcher->stats().brokers.at("first").queued, 0U);
  EXPECT_EQ(dispatcher->stats().brokers.at("first").in_flight, 0U);
}

TEST_P(BrokerContract, KeepsTheOrderOfOneName) {
  std::vector<std::string> ids;
  {
    auto dispatcher = make_dispatcher();
    for (std::size_t i = 0; i < GetParam().messages; ++i) {
      ids.push_back(unique_id(i));
      static_cast<void>(dispatcher->fire("first", message(ids.back())));
    }
    ASSERT_TRUE(dispatcher->flush(GetParam().patience));
  }
  if (!GetParam().arrived) return;
  std::vector<std::string> arrived = GetParam().arrived("first");
  const std::set<std::string> ours(ids.begin(), ids.end());
  std::erase_if(arrived, [&](const std::string& id) { return ours.count(id) == 0; });
  EXPECT_EQ(arrived, ids);
}

TEST_P(BrokerContract, CarriesAnyBytes) {
  auto dispatcher = make_dispatcher();
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte.push_back(static_cast<char>(byte));
  for (const std::string& body : {std::string(), std::string(1, '\0'), every_byte, std::string(100'000, 'x')}) {
    Message odd;
    odd.body = body;
    EXPECT_THAT(dispatcher->fire("first", odd).wait(), IsOk()) << body.size() << " bytes";
  }
}

TEST_P(BrokerContract, TakesFiresFromManyThreads) {
  auto dispatcher = make_dispatcher();
  std::array<std::thread, 4> threads;
  for (std::thread& thread : threads) {
    thread = std::thread([&] {
      for (std::size_t i = 0; i < GetParam().messages / 4; ++i) static_cast<void>(dispatcher->fire("second", "x"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(dispatcher->flush(GetParam().patience));
  EXPECT_EQ(dispatcher->stats().brokers.at("second").delivered, GetParam().messages / 4 * 4);
}

TEST_P(BrokerContract, AnIdleBrokerCloses) {
  const auto begin = std::chrono::steady_clock::now();
  auto dispatcher = make_dispatcher();
  const CloseReport report = dispatcher->close(std::chrono::seconds(5));
  EXPECT_TRUE(report.complete());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(7));
}

TEST_P(BrokerContract, CloseAccountsForEveryMessage) {
  std::atomic<std::size_t> reports{0};
  auto dispatcher = make_dispatcher();
  for (std::size_t i = 0; i < GetParam().messages; ++i) {
    static_cast<void>(dispatcher->fire("first", "x", [&](const DeliveryReport&) { ++reports; }));
  }
  const CloseReport report = dispatcher->close(std::chrono::milliseconds(0));
  EXPECT_EQ(reports, GetParam().messages);
  EXPECT_LE(report.delivered + report.failed + report.abandoned, GetParam().messages);
  const BrokerStats stats = dispatcher->stats().brokers.at("first");
  EXPECT_EQ(stats.delivered + stats.failed, GetParam().messages);
  EXPECT_EQ(stats.queued, 0U);
  EXPECT_THAT(dispatcher->fire("first", "late").wait(), HasCode(StatusCode::closed));
}

}  // namespace action_triggers::testing

// So that INSTANTIATE_TEST_SUITE_P finds it at namespace scope.
using action_triggers::testing::BrokerContract;  // NOLINT(google-global-names-in-headers)
