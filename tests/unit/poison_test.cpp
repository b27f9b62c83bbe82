// SPDX-License-Identifier: MIT
// One message that a broker keeps refusing, among others that it takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "action_triggers/broker.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "support/gate.hpp"
#include "support/registries.hpp"
#include "unit/configs.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;

constexpr int healthy = 10'000;
constexpr int most_refusals = 15;  // of a second each, at most: half of one on average

struct Counts {
  std::atomic<int> refused{0};
  std::atomic<int> taken{0};
  tests::Gate first_refusal;
  tests::Gate over;  // all that is healthy was taken, or there were too many refusals
};

class PickyBroker final : public Broker {
 public:
  explicit PickyBroker(std::shared_ptr<Counts> counts) : counts_(std::move(counts)) {}

  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override {
    for (const OutboundMessage* message : batch) {
      if (message->body() == "poison") {
        if (++counts_->refused == 1) counts_->first_refusal.open();
        if (counts_->refused > most_refusals) counts_->over.open();
        events.complete(*message, Outcome::failed({StatusCode::rejected, "not this one"}));
      } else {
        if (++counts_->taken == healthy) counts_->over.open();
        events.complete(*message, Outcome::persisted());
      }
    }
    return batch.size();
  }

 private:
  const std::shared_ptr<Counts> counts_;
};

TEST(PoisonTest, AMessageThatIsRefusedAgainAndAgainHoldsUpNoOther) {
  const auto counts = std::make_shared<Counts>();
  DispatcherOptions options;
  options.close_timeout = 0ms;
  TriggerDispatcher dispatcher(tests::config_of({"a"},
                                                [](BrokerConfig& config) {
                                                  config.retry.initial_backoff = config.retry.max_backoff = 1s;
                                                  config.timeout = 10min;
                                                }),
                               tests::registry_of<PickyBroker>(counts), std::move(options));
  const Delivery poison = dispatcher.fire("a", "poison");
  ASSERT_TRUE(counts->first_refusal.wait());
  for (int i = 0; i < healthy; ++i) dispatcher.fire("a", "x");
  ASSERT_TRUE(counts->over.wait());
  EXPECT_EQ(counts->taken, healthy) << "after " << counts->refused << " refusals of the one";
  EXPECT_FALSE(poison.done());
}

}  // namespace
}  // namespace action_triggers
