// SPDX-License-Identifier: MIT
// Destinations that share a connection which takes less than they have.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "action_triggers/broker.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "support/registries.hpp"
#include "unit/configs.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;

constexpr int backlog = 1'000;

struct Narrowness {
  std::atomic<bool> open{false};
  /// Of the first so many messages as one destination has: whose they were. By OutboundMessage::destination_index().
  std::array<std::atomic<int>, 3> early{};
};

/// Takes ten messages between two polls, as a socket does whose buffer is full.
class NarrowBroker final : public Broker {
 public:
  explicit NarrowBroker(std::shared_ptr<Narrowness> shared) : shared_(std::move(shared)) {}

  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override {
    std::size_t taken = 0;
    for (; taken < batch.size() && room_ > 0; ++taken, --room_) {
      if (++total_ <= backlog) ++shared_->early[batch[taken]->destination_index()];
      events.complete(*batch[taken], Outcome::persisted());
    }
    return taken;
  }
  void poll(BrokerEvents& events) override {
    now_ = events.now();
    if (shared_->open) room_ = 10;
  }
  [[nodiscard]] WaitRequest wait_request() const override { return {.at = now_ + 1ms}; }

 private:
  const std::shared_ptr<Narrowness> shared_;
  int room_ = 0;
  int total_ = 0;
  TimePoint now_{};
};

class StarvationTest : public ::testing::TestWithParam<std::string> {};

TEST_P(StarvationTest, DestinationsTakeTurnsOnANarrowConnection) {
  const auto narrowness = std::make_shared<Narrowness>();
  TriggerDispatcher dispatcher(tests::config_of({"a", "b", "c"}), tests::registry_of<NarrowBroker>(narrowness));
  for (const char name : GetParam()) {
    for (int i = 0; i < backlog; ++i) dispatcher.fire(std::string_view(&name, 1), "x");
  }
  narrowness->open = true;
  ASSERT_TRUE(dispatcher.flush(60s));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_GE(narrowness->early[i], backlog / 6) << "half of its share, for destination " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(WhoeverCameFirst, StarvationTest, ::testing::Values("abc", "cba"));

}  // namespace
}  // namespace action_triggers
