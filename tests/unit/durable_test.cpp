// SPDX-License-Identifier: MIT
// Durable messages in the lane, in virtual time: tried again until it is certain what becomes of them.
#include "dispatch/durable.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/message_id.hpp"
#include "dispatch/lane_core.hpp"
#include "unit/configs.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Answers at once what the test says, or holds the message.
class AnsweringBroker final : public Broker {
 public:
  struct Script {
    std::function<std::optional<Outcome>(const OutboundMessage&)> answer;
    std::function<void(BrokerEvents&)> in_poll;
    Status connect_fails;  // ok: it does not
    std::vector<std::string> sent;
    std::vector<const OutboundMessage*> held;
    bool throws_in_send = false;
    int made = 0;
  };
  explicit AnsweringBroker(Script& script) : script_(script) { ++script_.made; }

  void start(const LaneContext& /*context*/) override {}
  void connect(BrokerEvents& events) override {
    script_.connect_fails.ok() ? events.connected() : events.disconnected(script_.connect_fails);
  }
  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override {
    if (script_.throws_in_send) throw std::runtime_error("a bug");
    for (const OutboundMessage* message : batch) {
      script_.sent.emplace_back(message->body());
      if (auto outcome = script_.answer(*message)) {
        events.complete(*message, std::move(*outcome));
      } else {
        script_.held.push_back(message);
      }
    }
    return batch.size();
  }
  void poll(BrokerEvents& events) override {
    if (auto action = std::exchange(script_.in_poll, nullptr)) action(events);
  }
  [[nodiscard]] WaitRequest wait_request() const override { return {}; }
  void close(BrokerEvents& /*events*/, std::chrono::milliseconds /*timeout*/) override {}

 private:
  Script& script_;
};

/// Hears of each message by its body.
struct Listener final : OutcomeObserver {
  void resolved(const Record& record, StatusCode code, Persistence /*persistence*/) noexcept override {
    heard.push_back(std::string(record.body()) + " " + std::string(to_string(code)));
    if (record.report != nullptr) texts.push_back(record.report->status.message());
  }
  void resolved_late(const Record& record, StatusCode code, Persistence /*persistence*/) noexcept override {
    heard.push_back(std::string(record.body()) + " late " + std::string(to_string(code)));
  }
  void forgotten(const Record& record) noexcept override { gone.emplace_back(record.body()); }
  [[nodiscard]] std::uint32_t most_rejections() const noexcept override { return limit; }

  std::vector<std::string> heard;
  std::vector<std::string> texts;
  std::vector<std::string> gone;
  std::uint32_t limit = 0;
};

class DurableTest : public ::testing::Test {
 protected:
  DurableTest() {
    script_.answer = [](const OutboundMessage&) { return Outcome::persisted(); };
  }
  ~DurableTest() override {
    if (core_) close_now();
  }

  void make(const std::function<void(BrokerConfig&)>& adjust = {}) {
    core_ = std::make_unique<LaneCore>(
        LaneCore::Environment{.make_broker = [this] { return std::make_unique<AnsweringBroker>(script_); },
                              .log = [](LogLevel, std::string_view) {},
                              .clock = [this] { return now_; },
                              .waker = Waker([] {}),
                              .seed = 1,
                              .on_failure_is_set = true});
    const auto with_pauses = [&](BrokerConfig& config) {
      config.retry = RetryPolicy();
      if (adjust) adjust(config);
    };
    destination_ = std::make_unique<Destination>(tests::config_of({"a"}, with_pauses).brokers.at("a"));
    core_->add(*destination_);
    core_->make_broker();
    core_->start();
    step();
  }

  void offer(const std::string& body, bool durable = true) {
    const MessageParts parts{body, nullptr};
    ASSERT_EQ(destination_->capacity.reserve(body.size(), true), Capacity::Answer::reserved);
    Record* record = Record::make(*destination_, parts, body.size(), next_message_id(1'700'000'000'000), {});
    record->observer = &listener_;
    record->durable = durable;
    record->drop_reference();
    core_->admit(*record);
  }
  void answer(StatusCode code) {
    script_.answer = [code](const OutboundMessage&) { return Outcome::failed({code, "because"}); };
  }
  void confirm() {
    script_.answer = [](const OutboundMessage&) { return Outcome::persisted(); };
  }
  void hold() {
    script_.answer = [](const OutboundMessage&) { return std::nullopt; };
  }

  void step(std::chrono::nanoseconds later = {}) {
    now_ += later;
    core_->begin_turn();
    do {
      core_->step();
      core_->report([&](Record& record, const DeliveryReport& report) {
        reports_.push_back(std::string(record.body()) + " " + std::string(to_string(report.status.code())));
      });
    } while (core_->has_work() && !core_->finished());
  }
  void pass(std::chrono::seconds time) {
    for (auto left = time * 20; left.count() > 0; --left) step(50ms);
  }
  void close_now() {
    destination_->capacity.close();
    core_->begin_close(now_);
    step();
    EXPECT_TRUE(core_->finished());
    core_.reset();
  }

  TimePoint now_ = TimePoint(1h);
  AnsweringBroker::Script script_;
  Listener listener_;
  std::unique_ptr<Destination> destination_;
  std::unique_ptr<LaneCore> core_;
  std::vector<std::string> reports_;
};

class MendedStatusTest : public DurableTest, public ::testing::WithParamInterface<StatusCode> {};

TEST_P(MendedStatusTest, IsTriedAgainForHoursUntilSomebodyHasMendedIt) {
  make([](BrokerConfig& config) {
    config.timeout = 1s;
    config.retry.max_attempts = 1;
  });
  answer(GetParam());
  offer("1");
  offer("2");
  pass(2h);
  EXPECT_THAT(listener_.heard, IsEmpty());
  EXPECT_LT(script_.sent.size(), 2 * 3600 * 2 * 2) << "not faster than twice a second";
  confirm();
  pass(10s);
  EXPECT_THAT(listener_.heard, ElementsAre("1 ok", "2 ok"));
  EXPECT_THAT(listener_.gone, ElementsAre("1", "2"));
}

INSTANTIATE_TEST_SUITE_P(Statuses, MendedStatusTest,
                         ::testing::Values(StatusCode::rejected, StatusCode::unavailable, StatusCode::unroutable,
                                           StatusCode::not_found, StatusCode::unauthenticated,
                                           StatusCode::permission_denied, StatusCode::internal, StatusCode::timed_out),
                         [](const auto& one) { return std::string(to_string(one.param)); });

TEST_F(DurableTest, AMessageThatIsAtFaultItselfIsGivenUpAtOnceWithTheBrokersText) {
  make();
  for (const StatusCode code : {StatusCode::invalid_argument, StatusCode::too_large}) {
    answer(code);
    offer("1");
    step();
  }
  EXPECT_THAT(listener_.heard, ElementsAre("1 invalid_argument", "1 too_large"));
  EXPECT_THAT(listener_.texts, ElementsAre("because", "because"));
  EXPECT_THAT(reports_, ElementsAre("1 invalid_argument", "1 too_large")) << "on_failure hears of it";
}

TEST_F(DurableTest, NoDeadlineEndsIt) {
  make([](BrokerConfig& config) { config.timeout = 1s; });
  hold();
  offer("1");
  offer("2", /*durable=*/false);
  pass(3600s);
  EXPECT_THAT(listener_.heard, ElementsAre("2 timed_out"));
}

TEST_F(DurableTest, ItOutlivesARefusedLoginAndLostConnections) {
  script_.connect_fails = {StatusCode::unauthenticated, "wrong password"};
  make([](BrokerConfig& config) { config.retry.max_attempts = 2; });
  offer("1");
  pass(600s);
  EXPECT_THAT(listener_.heard, IsEmpty());
  script_.connect_fails = {};
  pass(10s);
  EXPECT_THAT(listener_.heard, ElementsAre("1 ok"));
}

TEST_F(DurableTest, ABrokerThatThrowsDoesNotSpin) {
  make();
  script_.throws_in_send = true;
  offer("1");
  pass(60s);
  EXPECT_THAT(listener_.heard, IsEmpty());
  EXPECT_LT(script_.made, 100);
  script_.throws_in_send = false;
  pass(10s);
  EXPECT_THAT(listener_.heard, ElementsAre("1 ok"));
}

TEST_F(DurableTest, TheObserversLimitCountsRejectionsAndNothingElse) {
  make();
  listener_.limit = 3;
  answer(StatusCode::not_found);
  offer("1");
  pass(60s);
  EXPECT_THAT(listener_.heard, IsEmpty());
  answer(StatusCode::rejected);
  pass(60s);
  EXPECT_THAT(listener_.heard, ElementsAre("1 rejected"));
  EXPECT_THAT(listener_.texts, ElementsAre("because"));
}

TEST_F(DurableTest, OrderIsKeptHoweverLongNothingIsTaken) {
  make();
  answer(StatusCode::not_found);
  for (const char* body : {"1", "2", "3"}) offer(body);
  pass(120s);
  script_.sent.clear();
  confirm();
  pass(10s);
  EXPECT_THAT(script_.sent, ElementsAre("1", "2", "3"));
}

TEST_F(DurableTest, CloseLeavesItToItsOutbox) {
  make();
  hold();
  offer("1");
  step();
  close_now();
  EXPECT_THAT(listener_.heard, ElementsAre("1 closed"));
  EXPECT_THAT(listener_.gone, ElementsAre("1"));
  EXPECT_THAT(reports_, IsEmpty()) << "nothing has failed";
  EXPECT_EQ(destination_->counters.abandoned_at_close.get(), 0U) << "nothing is lost";
}

TEST_F(DurableTest, ALateConfirmationIsHeard) {
  make();
  hold();
  offer("1");
  step();
  destination_->capacity.close();
  core_->remove(*destination_, now_);  // its time to leave has come
  step();
  EXPECT_THAT(listener_.heard, ElementsAre("1 closed"));
  EXPECT_THAT(listener_.gone, IsEmpty());
  script_.in_poll = [this](BrokerEvents& events) { events.complete(*script_.held.front(), Outcome::persisted()); };
  step();
  EXPECT_THAT(listener_.heard, ElementsAre("1 closed", "1 late ok"));
  EXPECT_THAT(listener_.gone, ElementsAre("1"));
}

TEST_F(DurableTest, DropOldestPassesItOver) {
  script_.connect_fails = {StatusCode::unavailable, "away"};
  make([](BrokerConfig& config) {
    config.overflow = Overflow::drop_oldest;
    config.max_queued_messages = 2;
  });
  offer("durable");
  offer("1", false);
  offer("2", false);
  offer("3", false);
  EXPECT_THAT(listener_.heard, ElementsAre("1 queue_full", "2 queue_full"));
}

}  // namespace
}  // namespace action_triggers::detail
