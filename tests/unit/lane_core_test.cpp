// The lane's logic in virtual time: no thread, no clock, no waiting.
#include "dispatch/lane_core.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <deque>
#include <new>
#include <utility>

#include "unit/configs.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A broker that does what the test says, when the test says it.
class ScriptedBroker final : public Broker {
 public:
  struct Script {
    std::vector<std::string> sent;  // bodies, every attempt
    std::deque<const OutboundMessage*> held;
    std::optional<Status> connect_fails;
    std::size_t takes_at_most = 1'000'000;  // of all that it is offered
    int connects = 0;
    int made = 0;
    bool closed = false;
    bool throws_in_send = false;
    std::function<void(BrokerEvents&)> in_poll;
    std::function<std::optional<Outcome>(const OutboundMessage&)> answer_at_once;
  };

  explicit ScriptedBroker(Script& script) : script_(script) { ++script_.made; }

  // Every one of them stands where the one before it stood: an address tells nothing about identity.
  static void* operator new(std::size_t size) {
    return size <= sizeof storage_ && !std::exchange(storage_taken_, true) ? storage_ : ::operator new(size);
  }
  static void operator delete(void* at) {
    if (at == storage_) {
      storage_taken_ = false;
    } else {
      ::operator delete(at);
    }
  }

  void connect(BrokerEvents& events) override {
    ++script_.connects;
    if (script_.connect_fails) {
      events.disconnected(*script_.connect_fails);
    } else {
      events.connected();
    }
  }
  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override {
    if (script_.throws_in_send) throw std::runtime_error("a bug in the broker");
    std::size_t taken = 0;
    for (; taken < batch.size() && script_.takes_at_most > 0; ++taken, --script_.takes_at_most) {
      const OutboundMessage& message = *batch[taken];
      script_.sent.emplace_back(message.body());
      if (script_.answer_at_once) {
        if (auto outcome = script_.answer_at_once(message)) {
          events.complete(message, std::move(*outcome));
          continue;
        }
      }
      script_.held.push_back(&message);
    }
    return taken;
  }
  void poll(BrokerEvents& events) override {
    if (auto action = std::exchange(script_.in_poll, nullptr)) action(events);
  }
  void close(BrokerEvents&, std::chrono::milliseconds) override { script_.closed = true; }

 private:
  alignas(std::max_align_t) static inline std::byte storage_[64];
  static inline bool storage_taken_ = false;
  Script& script_;
};

class LaneCoreTest : public ::testing::Test {
 protected:
  struct Report {
    std::string body;
    DeliveryReport outcome;
    std::uint32_t attempts;
    std::string id;
  };

  ~LaneCoreTest() override {
    if (core_) close_now();
  }

  void make(std::initializer_list<std::string> names, const std::function<void(BrokerConfig&)>& adjust = {}) {
    core_ = std::make_unique<LaneCore>(
        LaneCore::Environment{.make_broker = [this] { return std::make_unique<ScriptedBroker>(script_); },
                              .log = [this](LogLevel, std::string_view text) { log_.emplace_back(text); },
                              .clock = [this] { return now_; },
                              .waker = Waker([] {}),
                              .seed = 1,
                              .on_failure_is_set = true});
    for (const auto& [name, config] : tests::config_of(names, adjust).brokers) {
      destinations_.push_back(std::make_unique<Destination>(config));
      core_->add(*destinations_.back());
    }
    core_->make_broker();
    core_->start();
    step();
  }

  Delivery fire(const std::string& body, std::size_t name = 0, const std::string& id = {}) {
    Message message;
    message.body = body;
    message.id = id;
    const MessageParts parts{message.body, &message};
    const std::size_t bytes = Payload::counted_bytes(parts);
    Destination& destination = *destinations_[name];
    EXPECT_EQ(destination.capacity.reserve(bytes, true), Capacity::Answer::reserved);
    Record* record = Record::make(destination, parts, bytes, next_message_id(1'700'000'000'000),
                                  [](const DeliveryReport&) {});  // somebody reads it: it gets a report
    Delivery delivery = record->handle();
    core_->admit(*record);
    return delivery;
  }

  void step(std::chrono::nanoseconds later = {}) {
    now_ += later;
    core_->begin_turn();
    do {
      core_->step();
      core_->report([&](Record& record, const DeliveryReport& report) {
        reports_.push_back({std::string(record.body()), report, record.attempt(), std::string(record.id())});
      });
    } while (core_->has_work() && !core_->finished());
  }

  void in_poll(std::function<void(BrokerEvents&)> action) { script_.in_poll = std::move(action); }
  void confirm_oldest() {
    in_poll([this](BrokerEvents& events) {
      const OutboundMessage* const oldest = script_.held.front();
      script_.held.erase(script_.held.begin());
      events.complete(*oldest, Outcome::persisted());
    });
  }
  void confirm_all() {
    in_poll([this](BrokerEvents& events) {
      for (const OutboundMessage* message : std::exchange(script_.held, {})) {
        events.complete(*message, Outcome::persisted());
      }
    });
  }
  void lose_connection() {
    in_poll([this](BrokerEvents& events) {
      for (const OutboundMessage* message : std::exchange(script_.held, {})) {
        events.complete(*message, Outcome::failed({StatusCode::unavailable, "reset"}, Persistence::possibly_persisted));
      }
      events.disconnected({StatusCode::unavailable, "reset by peer"});
    });
  }
  void close_now() {
    for (const auto& destination : destinations_) destination->capacity.close();
    core_->begin_close(now_);
    step();
    EXPECT_TRUE(core_->finished());
    for (const auto& destination : destinations_)
      EXPECT_EQ(destination->capacity.messages(), 0U) << "a message was not freed";
    core_.reset();
  }
  [[nodiscard]] std::vector<std::string> reported_bodies() const {
    std::vector<std::string> bodies;
    for (const Report& report : reports_) bodies.push_back(report.body);
    return bodies;
  }

  TimePoint now_ = TimePoint(1h);
  ScriptedBroker::Script script_;
  std::vector<std::unique_ptr<Destination>> destinations_;
  std::vector<std::string> log_;
  std::unique_ptr<LaneCore> core_;
  std::vector<Report> reports_;
};

TEST_F(LaneCoreTest, AMessageIsSentAndItsConfirmationReported) {
  make({"a"});
  const Delivery delivery = fire("hello");
  step();
  EXPECT_THAT(script_.sent, ElementsAre("hello"));
  EXPECT_FALSE(delivery.done()) << "handed on is not confirmed";
  confirm_all();
  step(3ms);
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_TRUE(reports_[0].outcome.status.ok());
  EXPECT_EQ(reports_[0].outcome.persistence, Persistence::persisted);
  EXPECT_EQ(reports_[0].attempts, 1U);
  EXPECT_TRUE(delivery.done());
}

TEST_F(LaneCoreTest, TheWindowLimitsWhatIsInFlight) {
  make({"a"}, [](BrokerConfig& config) { config.max_in_flight = 2; });
  for (const char* body : {"1", "2", "3"}) fire(body);
  step();
  EXPECT_THAT(script_.sent, ElementsAre("1", "2"));
  confirm_all();
  step();
  EXPECT_THAT(script_.sent, ElementsAre("1", "2", "3"));
}

TEST_F(LaneCoreTest, AFullWindowIsFilledAgainOnceAnEighthOfItIsFree) {
  make({"a"}, [](BrokerConfig& config) { config.max_in_flight = 16; });
  for (int i = 0; i < 20; ++i) fire(std::to_string(i));
  step();
  ASSERT_THAT(script_.sent, ::testing::SizeIs(16));
  confirm_oldest();
  step();
  EXPECT_THAT(script_.sent, ::testing::SizeIs(16));
  confirm_oldest();
  step();
  EXPECT_THAT(script_.sent, ::testing::SizeIs(18));
}

TEST_F(LaneCoreTest, WhatTheBrokerDoesNotTakeIsOfferedAgainInOrder) {
  make({"a"});
  script_.takes_at_most = 1;
  for (const char* body : {"1", "2", "3"}) fire(body);
  step();
  EXPECT_THAT(script_.sent, ElementsAre("1"));
  script_.takes_at_most = 10;
  step();
  EXPECT_THAT(script_.sent, ElementsAre("1", "2", "3"));
}

TEST_F(LaneCoreTest, AfterALostConnectionTheUnconfirmedGoFirstAndInOrder) {
  make({"a"});
  for (const char* body : {"1", "2", "3"}) fire(body);
  step();
  lose_connection();
  step();
  fire("4");
  step(10ms);
  EXPECT_EQ(script_.connects, 2);
  EXPECT_THAT(script_.sent, ElementsAre("1", "2", "3", "1", "2", "3", "4"));
  confirm_all();
  step();
  EXPECT_THAT(reported_bodies(), ElementsAre("1", "2", "3", "4"));
  EXPECT_EQ(reports_[0].attempts, 2U);
  EXPECT_EQ(reports_[3].attempts, 1U);
}

TEST_F(LaneCoreTest, ARetryKeepsTheMessageId) {
  make({"a"});
  fire("1");
  step();
  const std::string first_id(script_.held.front()->id());
  EXPECT_EQ(first_id.size(), 36U);
  lose_connection();
  step();
  step(10ms);
  EXPECT_EQ(script_.held.front()->id(), first_id);
}

TEST_F(LaneCoreTest, ARefusedMessageIsTriedAgainBeforeNewerOnes) {
  make({"a"});
  script_.answer_at_once = [n = 0](const OutboundMessage&) mutable -> std::optional<Outcome> {
    if (++n == 1) return Outcome::failed({StatusCode::rejected, "nack"});
    return Outcome::persisted();
  };
  fire("1");
  step();
  fire("2");
  step();
  EXPECT_THAT(script_.sent, ElementsAre("1")) << "2 must not overtake 1";
  step(10ms);
  EXPECT_THAT(script_.sent, ElementsAre("1", "1", "2"));
}

TEST_F(LaneCoreTest, AfterMaxAttemptsTheLastFailureIsReported) {
  make({"a"}, [](BrokerConfig& config) { config.retry.max_attempts = 3; });
  script_.answer_at_once = [](const OutboundMessage&) { return Outcome::failed({StatusCode::rejected, "nack"}); };
  fire("1");
  for (int i = 0; i < 10; ++i) step(10ms);
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].outcome.status.code(), StatusCode::rejected);
  EXPECT_EQ(reports_[0].attempts, 3U);
}

TEST_F(LaneCoreTest, WithoutAConnectionAttemptsAreUsedUpToo) {
  script_.connect_fails = Status(StatusCode::unavailable, "connection refused");
  make({"a", "b"}, [](BrokerConfig& config) {
    if (config.name == "a") config.retry.max_attempts = 2;
  });
  fire("to a", 0);
  fire("to b", 1);
  for (int i = 0; i < 5; ++i) step(10ms);
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].body, "to a");
  EXPECT_EQ(reports_[0].outcome.status.code(), StatusCode::unavailable);
  EXPECT_EQ(reports_[0].outcome.persistence, Persistence::not_persisted);
}

TEST_F(LaneCoreTest, ThePermanentFailureOfAConnectionIsReportedAtOnceAndTriedAgainSlowly) {
  script_.connect_fails = Status(StatusCode::unauthenticated, "wrong password");
  make({"a"});
  fire("1");
  step(2s);
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].outcome.status.code(), StatusCode::unauthenticated);
  const int connects = script_.connects;
  for (int i = 0; i < 1'000; ++i) {
    fire("x");
    step(900us);
  }
  EXPECT_LE(script_.connects, connects + 1) << "however many fires come";
}

TEST_F(LaneCoreTest, ATimeOutNamesTheLastRefusalAndNotTheTimeOutsBefore) {
  make({"a"}, [](BrokerConfig& config) { config.timeout = 250ms; });
  script_.answer_at_once = [](const OutboundMessage&) {
    return Outcome::failed({StatusCode::rejected, "a nack"}, Persistence::not_persisted);
  };
  for (int i = 0; i < 3; ++i) fire(std::to_string(i));
  step();
  step(250ms);
  ASSERT_EQ(reports_.size(), 3U);
  for (const Report& report : reports_) {
    const std::string& text = report.outcome.status.message();
    EXPECT_EQ(text.find("no outcome within"), text.rfind("no outcome within")) << text;
  }
  EXPECT_THAT(reports_[0].outcome.status.message(), HasSubstr("a nack"));
}

TEST_F(LaneCoreTest, TheDeadlineIsKeptToTheMillisecond) {
  make({"a"}, [](BrokerConfig& config) { config.timeout = 250ms; });
  fire("1");
  step();
  EXPECT_EQ(core_->wait_request().at, now_ + 250ms);
  step(249ms);
  EXPECT_TRUE(reports_.empty());
  step(1ms);
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].outcome.status.code(), StatusCode::timed_out);
  EXPECT_EQ(reports_[0].outcome.persistence, Persistence::possibly_persisted) << "it was handed on";
  EXPECT_THAT(reports_[0].outcome.status.message(), AllOf(HasSubstr("0.25 s"), HasSubstr("confirmation")));
}

TEST_F(LaneCoreTest, ALateConfirmationIsCountedAndNotReported) {
  make({"a"}, [](BrokerConfig& config) { config.timeout = 10ms; });
  fire("1");
  step();
  step(10ms);
  EXPECT_EQ(destinations_[0]->capacity.messages(), 1U) << "the client still holds its bytes";
  confirm_all();
  step();
  EXPECT_EQ(reports_.size(), 1U);
  EXPECT_EQ(destinations_[0]->counters.late_outcomes.get(), 1U);
  EXPECT_EQ(destinations_[0]->capacity.messages(), 0U);
}

TEST_F(LaneCoreTest, ATimeOutSaysWhatItWaitedFor) {
  script_.connect_fails = Status(StatusCode::unavailable, "no route to host");
  make({"a"}, [](BrokerConfig& config) { config.timeout = 20ms; });
  fire("1");
  step(20ms);
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].outcome.persistence, Persistence::not_persisted) << "it was never handed on";
  EXPECT_THAT(reports_[0].outcome.status.message(), AllOf(HasSubstr("connection"), HasSubstr("no route to host")));
}

TEST_F(LaneCoreTest, AZeroTimeoutIsLegalAndTimesOutAtOnce) {
  make({"a"}, [](BrokerConfig& config) { config.timeout = 0ms; });
  fire("1");
  step();
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].outcome.status.code(), StatusCode::timed_out);
  EXPECT_TRUE(script_.sent.empty());
}

TEST_F(LaneCoreTest, APossibleEarlierArrivalStaysPossible) {
  make({"a"}, [](BrokerConfig& config) { config.retry.max_attempts = 2; });
  fire("1");
  step();
  lose_connection();  // the first attempt may have arrived
  step();
  script_.answer_at_once = [](const OutboundMessage&) { return Outcome::failed({StatusCode::not_found, "gone"}); };
  step(10ms);
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].outcome.status.code(), StatusCode::not_found);
  EXPECT_EQ(reports_[0].outcome.persistence, Persistence::possibly_persisted);
}

TEST_F(LaneCoreTest, DropOldestDropsWhatWasNotHandedOn) {
  make({"a"}, [](BrokerConfig& config) {
    config.overflow = Overflow::drop_oldest;
    config.max_queued_messages = 3;
    config.max_in_flight = 1;
  });
  fire("1");
  step();
  for (const char* body : {"2", "3", "4", "5"}) fire(body);
  step();
  EXPECT_THAT(reported_bodies(), ElementsAre("2", "3"));
  EXPECT_EQ(reports_[0].outcome.status.code(), StatusCode::queue_full);
  EXPECT_EQ(reports_[0].outcome.persistence, Persistence::not_persisted);
}

TEST_F(LaneCoreTest, OneDestinationThatIsStuckDoesNotHoldUpAnother) {
  make({"a", "b"}, [](BrokerConfig& config) { config.retry.initial_backoff = config.retry.max_backoff = 10s; });
  script_.answer_at_once = [](const OutboundMessage& message) -> std::optional<Outcome> {
    if (message.destination().name == "a") return Outcome::failed({StatusCode::rejected, "nack"});
    return Outcome::persisted();
  };
  fire("to a", 0);
  step();
  for (int i = 0; i < 5; ++i) fire("to b", 1);
  step();
  EXPECT_EQ(destinations_[1]->counters.outcomes[0].get(), 5U);
}

TEST_F(LaneCoreTest, ManyDestinationsTakeTurns) {
  make({"a", "b"});
  for (int i = 0; i < 1'000; ++i) fire("a", 0);
  fire("b", 1);
  step();
  const auto at = std::find(script_.sent.begin(), script_.sent.end(), "b");
  ASSERT_NE(at, script_.sent.end());
  EXPECT_LE(at - script_.sent.begin(), 256) << "a backlog of one destination must not delay the other";
}

TEST_F(LaneCoreTest, AWindowOfOneKeepsTheOrderAlsoOfWhatIsRefusedWithinSend) {
  make({"a"}, [](BrokerConfig& config) { config.max_in_flight = 1; });
  script_.answer_at_once = [refused = false](const OutboundMessage&) mutable {
    if (!std::exchange(refused, true)) return Outcome::failed({StatusCode::rejected, "nack"});
    return Outcome::persisted();
  };
  for (const char* body : {"1", "2", "3"}) fire(body);
  step();
  EXPECT_THAT(script_.sent, ElementsAre("1"));
  step(10ms);
  EXPECT_THAT(script_.sent, ElementsAre("1", "1", "2", "3"));
}

TEST_F(LaneCoreTest, ABrokerThatThrowsIsReplaced) {
  make({"a"});
  script_.throws_in_send = true;
  fire("1");
  step();
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].outcome.status.code(), StatusCode::internal);
  EXPECT_THAT(reports_[0].outcome.status.message(), HasSubstr("a bug in the broker"));
  script_.throws_in_send = false;
  fire("2");
  step(10ms);
  EXPECT_EQ(script_.made, 2);
  EXPECT_THAT(script_.sent, ElementsAre("2"));
}

TEST_F(LaneCoreTest, ABrokerThatCompletesTwiceIsToldSo) {
  make({"a"});
  const Delivery keeps_the_record = fire("1");
  step();
  const OutboundMessage* message = script_.held.front();
  script_.held.clear();
  in_poll([message](BrokerEvents& events) {
    events.complete(*message, Outcome::persisted());
    events.complete(*message, Outcome::failed({StatusCode::rejected, "again"}));
  });
  step();
  EXPECT_EQ(reports_.size(), 1U);
  EXPECT_THAT(log_, ::testing::Contains(HasSubstr("bug in the broker")));
}

TEST_F(LaneCoreTest, CloseWaitsForConfirmationsThenReportsTheRest) {
  make({"a"}, [](BrokerConfig& config) { config.max_in_flight = 1; });
  fire("in flight");
  fire("waiting");
  step();
  for (const auto& destination : destinations_) destination->capacity.close();
  core_->begin_close(now_ + 1s);
  step(500ms);
  EXPECT_FALSE(core_->finished());
  EXPECT_TRUE(reports_.empty());
  step(500ms);
  EXPECT_TRUE(core_->finished());
  EXPECT_TRUE(script_.closed);
  ASSERT_EQ(reports_.size(), 2U);
  EXPECT_EQ(reports_[0].outcome.status.code(), StatusCode::closed);
  EXPECT_EQ(reports_[0].outcome.persistence, Persistence::possibly_persisted);
  EXPECT_EQ(reports_[1].outcome.persistence, Persistence::not_persisted);
  EXPECT_EQ(destinations_[0]->counters.abandoned_at_close.get(), 2U);
  core_.reset();
}

// Decision 8: capacity is released before an outcome is reported, for several messages at once, but never for much
// memory.
TEST_F(LaneCoreTest, CapacityIsReleasedBeforeTheReportAndNotForMuchMoreThanThat) {
  const auto messages_counted = [&](std::size_t body_bytes) {
    for (int i = 0; i < 3; ++i) fire(std::string(body_bytes, 'x'));
    step();
    confirm_all();
    core_->begin_turn();
    core_->step();
    std::vector<std::uint64_t> counted;
    core_->report([&](Record&, const DeliveryReport&) { counted.push_back(destinations_[0]->capacity.messages()); });
    return counted;
  };
  make({"a"});
  EXPECT_THAT(messages_counted(100), ElementsAre(0U, 0U, 0U));
  EXPECT_THAT(messages_counted(100'000), ElementsAre(2U, 1U, 0U));
}

TEST_F(LaneCoreTest, CloseWaitsForAFireThatIsStillOnItsWay) {
  make({"a"});
  const MessageParts parts{"late", nullptr};
  const std::size_t bytes = Payload::counted_bytes(parts);
  // Between reserving its capacity and pushing:
  ASSERT_EQ(destinations_[0]->capacity.reserve(bytes, false), Capacity::Answer::reserved);
  destinations_[0]->capacity.close();
  core_->begin_close(now_);
  core_->begin_turn();
  for (int i = 0; i < 5; ++i) core_->step();
  EXPECT_FALSE(core_->finished());
  Record* record = Record::make(*destinations_[0], parts, bytes, next_message_id(1), {});
  const Delivery delivery = record->handle();
  core_->admit(*record);
  step();
  EXPECT_TRUE(core_->finished());
  EXPECT_TRUE(delivery.done());
  core_.reset();
}

struct CountedBarrier final : FlushBarrier {
  explicit CountedBarrier(int& counter) : reached_count(counter) {}
  void reached() noexcept override {
    ++reached_count;
    delete this;
  }
  int& reached_count;
};

TEST_F(LaneCoreTest, AFlushWaitsForWhatWasFiredBeforeAndForNothingElse) {
  make({"a"});
  int reached = 0;
  fire("before");
  core_->flush(*new CountedBarrier(reached));
  step();
  EXPECT_EQ(reached, 0);
  confirm_all();
  fire("after");
  step();
  EXPECT_EQ(reached, 1);
  core_->flush(*new CountedBarrier(reached));
  EXPECT_EQ(reached, 1) << "\"after\" is still under way";
  confirm_all();
  step();
  EXPECT_EQ(reached, 2);
  core_->flush(*new CountedBarrier(reached));
  EXPECT_EQ(reached, 3) << "nothing to wait for";
}

TEST_F(LaneCoreTest, BackoffGrowsAndStaysWithinItsBounds) {
  script_.connect_fails = Status(StatusCode::unavailable, "refused");
  make({"a"}, [](BrokerConfig& config) {
    config.retry.initial_backoff = 100ms;
    config.retry.max_backoff = 5s;
  });
  for (int i = 0; i < 20; ++i) {
    const auto pause = core_->wait_request().at - now_;
    EXPECT_GT(pause, 0ns);
    EXPECT_LE(pause, std::min<std::chrono::nanoseconds>(5s, 100ms * (1 << std::min(i, 10))));
    step(pause);
  }
  EXPECT_EQ(script_.connects, 21);
}

TEST_F(LaneCoreTest, AnIdleLaneAsksForNothing) {
  make({"a"});
  fire("1");
  step();
  confirm_all();
  step();
  EXPECT_EQ(core_->wait_request().at, TimePoint::max());
  EXPECT_FALSE(core_->has_work());
}

}  // namespace
}  // namespace action_triggers::detail
