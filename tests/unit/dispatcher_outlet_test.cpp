// SPDX-License-Identifier: MIT
// Where rows go, by the configuration: what the relay's logic is told of destinations and targets.
#include "outbox/dispatcher_outlet.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <memory>
#include <string>

#include "support/outbox_fixture.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class DispatcherOutletTest : public tests::OutboxFixture {
 protected:
  ~DispatcherOutletTest() override {
    dispatcher_.reset();
    box_->close();
  }
  DispatcherOutlet& make_outlet(const std::string& triggers = "{}", const std::string& params = "{}") {
    dispatcher_.emplace(config_of(triggers, params), registry_);
    return outlet_.emplace(DispatcherAccess(*dispatcher_), box_, "0f1e", 0);
  }
  static OutboxRow row(const std::string& target, const std::string& body = "{}", std::int64_t id = 1) {
    OutboxRow made;
    made.target = target;
    made.body = body;
    made.id = id;
    return made;
  }
  std::vector<std::string> rows_of(const std::string& target) {
    const DispatcherOutlet::Turn turn(*outlet_);
    return outlet_->destination(outlet_->targets_of(row(target)).destinations.at(0)).row_targets;
  }

  const std::shared_ptr<OfferBox> box_ = std::make_shared<OfferBox>();
  std::optional<DispatcherOutlet> outlet_;
};

TEST_F(DispatcherOutletTest, ADestinationGetsItsOwnRowsAndEventsOfItsTriggers) {
  make_outlet(R"({"paid": {"events": ["order.paid", "order.sent"], "targets": ["orders"]},
                  "off": {"active": false, "events": ["order.off"], "targets": ["orders"]},
                  "all": {"events": ["order.*"], "targets": ["mails"]}})");
  EXPECT_THAT(rows_of("orders"), ElementsAre("orders", "event:order.paid", "event:order.sent"));
  EXPECT_THAT(rows_of("mails"), IsEmpty()) << "of a pattern nobody knows the names";
  EXPECT_THAT(rows_of("nobody"), ElementsAre("nobody"));
}

TEST_F(DispatcherOutletTest, AFunctionMaySendAnyEventAnywhere) {
  make_outlet();
  EXPECT_THAT(rows_of("orders"), ElementsAre("orders"));
  dispatcher_->on("#", "f", [](const Event&) { return std::vector<AddressedMessage>(); });
  EXPECT_THAT(rows_of("orders"), IsEmpty());
}

TEST_F(DispatcherOutletTest, ATargetWithParamsOfItsOwnIsAnotherDestination) {
  make_outlet(R"({"paid": {"events": ["order.paid"], "targets": ["orders", {"broker": "orders", "timeout_secs": 5}]}})",
              R"({"on_dead": "stop"})");
  const DispatcherOutlet::Turn turn(*outlet_);
  const RowTargets targets = outlet_->targets_of(row("event:order.paid"));
  ASSERT_THAT(targets.destinations, SizeIs(2));
  EXPECT_NE(targets.destinations[0], targets.destinations[1]);
  EXPECT_EQ(targets.destinations[0], outlet_->targets_of(row("orders", "{}", 2)).destinations.at(0));
  const RelayDestination derived = outlet_->destination(targets.destinations[1]);
  EXPECT_EQ(derived.name, "orders");
  EXPECT_EQ(derived.on_dead, OnDead::stop);
  EXPECT_THAT(derived.row_targets, ElementsAre("event:order.paid"));
}

TEST_F(DispatcherOutletTest, TheFingerprintIsOfTheListOfTargets) {
  make_outlet(
      R"({"paid": {"events": ["order.paid"], "targets": ["orders", {"broker": "mails", "when": {"a": [1]}}]}})");
  const DispatcherOutlet::Turn turn(*outlet_);
  const RowTargets both = outlet_->targets_of(row("event:order.paid", R"({"a": 1})", 1));
  const RowTargets one = outlet_->targets_of(row("event:order.paid", R"({"a": 2})", 2));
  EXPECT_THAT(both.destinations, SizeIs(2));
  EXPECT_THAT(one.destinations, SizeIs(1));
  EXPECT_NE(both.fingerprint, one.fingerprint);
  EXPECT_EQ(both.fingerprint, outlet_->targets_of(row("event:order.paid", R"({"a": 1})", 3)).fingerprint);
}

/// What a row cannot note would be sent, and buried, again and again.
TEST_F(DispatcherOutletTest, AnEventHasNoMoreTargetsThanItsRowCanNote) {
  const auto with_targets = [](int count) {
    std::string targets = R"("orders")";
    for (int i = 1; i < count; ++i) targets += R"(, "orders")";
    return R"({"paid": {"events": ["order.paid"], "targets": [)" + targets + "]}}";
  };
  make_outlet(with_targets(48));
  {
    const DispatcherOutlet::Turn turn(*outlet_);
    EXPECT_THAT(outlet_->targets_of(row("event:order.paid")).destinations, SizeIs(48));
  }
  outlet_.reset();
  make_outlet(with_targets(49));
  const DispatcherOutlet::Turn turn(*outlet_);
  const Status status = outlet_->targets_of(row("event:order.paid")).status;
  EXPECT_EQ(status.code(), StatusCode::invalid_argument);
  EXPECT_EQ(
      status.message(),
      "the event 'order.paid' has 49 targets, and one of an outbox can have 48: let some of them have an event of "
      "their own");
}

TEST_F(DispatcherOutletTest, TurnsTellOfChangesOfTriggersAndFunctions) {
  make_outlet();
  const std::uint64_t first = DispatcherOutlet::Turn(*outlet_).generation();
  EXPECT_EQ(DispatcherOutlet::Turn(*outlet_).generation(), first);
  dispatcher_->reload(config_of());
  const std::uint64_t second = DispatcherOutlet::Turn(*outlet_).generation();
  EXPECT_NE(second, first);
  dispatcher_->on("#", "f", [](const Event&) { return std::vector<AddressedMessage>(); });
  EXPECT_NE(DispatcherOutlet::Turn(*outlet_).generation(), second);
  dispatcher_->off("f");
  EXPECT_EQ(DispatcherOutlet::Turn(*outlet_).generation(), second);
}

TEST_F(DispatcherOutletTest, SendsAsLongAsThereIsRoom) {
  broker_->hold();
  make_outlet("{}", R"({"max_queued_messages": 2})");
  const DispatcherOutlet::Turn turn(*outlet_);
  for (std::int64_t id = 1; id <= 3; ++id) {
    const OutboxRow one = row("orders", "{}", id);
    const std::uint32_t number = outlet_->targets_of(one).destinations.at(0);
    EXPECT_EQ(outlet_->send(one, 0, number), id <= 2);
  }
  EXPECT_EQ(outlet_->sent(), 2U);
}

TEST_F(DispatcherOutletTest, SaysWhatHoldsADestination) {
  make_outlet();
  const DispatcherOutlet::Turn turn(*outlet_);
  const OutboxRow one = row("nobody");
  const std::uint32_t number = outlet_->targets_of(one).destinations.at(0);
  EXPECT_EQ(outlet_->why_held(number, Clock::now()), "");
  EXPECT_FALSE(outlet_->send(one, 0, number));
  EXPECT_EQ(outlet_->why_held(number, Clock::now()), "no destination is named 'nobody' in the configuration");

  broker_->hold();
  const OutboxRow other = row("orders", "{}", 2);
  const std::uint32_t orders = outlet_->targets_of(other).destinations.at(0);
  EXPECT_TRUE(outlet_->send(other, 0, orders));
  EXPECT_EQ(outlet_->why_held(orders, Clock::now()), "");
  EXPECT_EQ(outlet_->why_held(orders, Clock::now() + 1h), "the broker has confirmed nothing for a while");
}

}  // namespace
}  // namespace action_triggers::detail
