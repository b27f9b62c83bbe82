// SPDX-License-Identifier: MIT
// The lane's logic in virtual time: no thread, no clock, no waiting.
#include "dispatch/lane_core.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A broker that does what the test says, when the test says it.
class ScriptedBroker final : public Broker {
 public:
  struct Script {
    std::vector<std::string> sent;  // bodies, every attempt
    std::deque<const OutboundMessage*> held;
    std::optional<Status> connect_fails;
    std::size_t takes_at_most = 1'000'000;  // of all that it is offered
    std::size_t takes_a_turn = 1'000'000;   // set anew by each poll()
    bool says_full = false;                 // when it takes less than it was offered
    bool says_one_less = false;             // than it took: a bug
    bool throws_in_wait_request = false;
    std::vector<std::string> offered;  // destinations, one for each send()
    std::vector<std::string> calls;    // about destinations
    int connects = 0;
    int made = 0;
    bool closed = false;
    bool throws_in_send = false;
    std::string unconfirmed;  // "throw": it does
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

  void start(const LaneContext& context) override {
    std::string names;
    for (const BrokerConfig* config : context.destinations) names += ' ' + config->name;
    script_.calls.push_back("start" + names);
  }
  void add_destination(const BrokerConfig& config, std::size_t index) override {
    script_.calls.push_back("add " + config.name + ' ' + std::to_string(index));
  }
  void remove_destination(std::size_t index) override { script_.calls.push_back("remove " + std::to_string(index)); }
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
    script_.offered.push_back(batch.front()->destination().name);
    std::size_t taken = 0;
    for (; taken < batch.size() && script_.takes_at_most > 0 && left_in_turn_ > 0;
         ++taken, --script_.takes_at_most, --left_in_turn_) {
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
    if (taken < batch.size() && script_.says_full) events.full();
    return script_.says_one_less && taken > 0 ? taken - 1 : taken;
  }
  void poll(BrokerEvents& events) override {
    left_in_turn_ = script_.takes_a_turn;
    if (auto action = std::exchange(script_.in_poll, nullptr)) action(events);
  }
  [[nodiscard]] WaitRequest wait_request() const override {
    if (script_.throws_in_wait_request) throw std::runtime_error("a bug in wait_request");
    return {};
  }
  [[nodiscard]] std::string why_unconfirmed(const OutboundMessage& message) const override {
    if (script_.unconfirmed == "throw") throw std::runtime_error("a bug in why_unconfirmed");
    return script_.unconfirmed.empty() ? "" : script_.unconfirmed + " of " + std::string(message.body());
  }
  void close(BrokerEvents&, std::chrono::milliseconds) override { script_.closed = true; }

 private:
  alignas(std::max_align_t) static inline std::byte storage_[64];
  static inline bool storage_taken_ = false;
  Script& script_;
  std::size_t left_in_turn_ = 0;
};

/// Writes down what it hears.
struct Listener final : OutcomeObserver {
  void resolved(const Record& record, StatusCode code, Persistence) noexcept override {
    heard.push_back(std::string(record.body()) + ' ' + std::string(to_string(code)));
  }
  void resolved_late(const Record& record, StatusCode code, Persistence) noexcept override {
    heard.push_back(std::string(record.body()) + " late " + std::string(to_string(code)));
  }
  std::vector<std::string> heard;
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
    core_->removed = [this](Destination& destination) { removed_.push_back(destination.name); };
    core_->make_broker();
    core_->start();
    step();
  }

  /// As a destination that is given to a lane that runs.
  void add(const std::string& name) {
    destinations_.push_back(std::make_unique<Destination>(tests::config_of({name}).brokers.at(name)));
    core_->add(*destinations_.back());
  }
  void remove(std::size_t name, TimePoint deadline) {
    destinations_[name]->capacity.close();
    core_->remove(*destinations_[name], deadline);
  }

  Delivery fire(const std::string& body, std::size_t name = 0, const std::string& id = {},
                OutcomeObserver* observer = nullptr) {
    Message message;
    message.body = body;
    message.id = id;
    const MessageParts parts{message.body, &message};
    const std::size_t bytes = Payload::counted_bytes(parts);
    Destination& destination = *destinations_[name];
    EXPECT_EQ(destination.capacity.reserve(bytes, true), Capacity::Answer::reserved);
    Record* record = Record::make(destination, parts, bytes, next_message_id(1'700'000'000'000),
                                  [](const DeliveryReport&) {});  // somebody reads it: it gets a report
    record->observer = observer;
    Delivery delivery = record->handle();
    core_->admit(*record);
    return delivery;
  }

  /// Of all that was sent, how many messages of each body.
  [[nodiscard]] std::size_t sent_of(const std::string& body) const {
    return static_cast<std::size_t>(std::count(script_.sent.begin(), script_.sent.end(), body));
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
  std::vector<std::string> removed_;
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

TEST_F(LaneCoreTest, WhatRetryOnNamesIsTriedAgain) {
  make({"a"}, [](BrokerConfig& config) {
    config.retry.on = {StatusCode::unroutable};
    config.retry.max_attempts = 3;
  });
  script_.answer_at_once = [bad = 0](const OutboundMessage& message) mutable {
    if (message.body() == "lost") return Outcome::failed({StatusCode::not_found, "no exchange"});
    if (message.body() == "never" || ++bad < 3) return Outcome::failed({StatusCode::unroutable, "no queue"});
    return Outcome::persisted();
  };
  fire("mended");
  for (int i = 0; i < 100; ++i) step(100ms);
  fire("never");
  for (int i = 0; i < 100; ++i) step(100ms);
  fire("lost");
  step();
  ASSERT_EQ(reports_.size(), 3U);
  EXPECT_TRUE(reports_[0].outcome.status.ok()) << reports_[0].outcome.status;
  EXPECT_EQ(reports_[0].attempts, 3U);
  EXPECT_EQ(reports_[1].outcome.status.code(), StatusCode::unroutable);
  EXPECT_EQ(reports_[1].attempts, 3U);
  EXPECT_EQ(reports_[2].outcome.status.code(), StatusCode::not_found) << "which retry.on does not name";
  EXPECT_EQ(reports_[2].attempts, 1U);
}

TEST_F(LaneCoreTest, WhatRetryOnNamesDoesNotHoldUpTheOthersForEver) {
  make({"a"}, [](BrokerConfig& config) { config.retry.on = {StatusCode::unroutable}; });
  script_.answer_at_once = [](const OutboundMessage& message) {
    if (message.body() == "bad") return Outcome::failed({StatusCode::unroutable, "no queue for this key"});
    return Outcome::persisted();
  };
  fire("bad");
  for (int i = 0; i < 20; ++i) {
    fire("good");
    step(1s);
  }
  EXPECT_EQ(sent_of("good"), 20U);
}

TEST_F(LaneCoreTest, RetryOnWaitsOutARefusedLogin) {
  script_.connect_fails = Status(StatusCode::unauthenticated, "wrong password");
  make({"a", "b"}, [](BrokerConfig& config) {
    if (config.name == "a") config.retry.on = {StatusCode::unauthenticated};
  });
  fire("patient", 0);
  fire("other", 1);
  step(2s);
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].body, "other");
  script_.connect_fails.reset();
  script_.answer_at_once = [](const OutboundMessage&) { return Outcome::persisted(); };
  for (int i = 0; i < 10; ++i) step(1s);
  ASSERT_EQ(reports_.size(), 2U);
  EXPECT_TRUE(reports_[1].outcome.status.ok()) << reports_[1].outcome.status;
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

TEST_F(LaneCoreTest, AMessageThatWasNeverOfferedIsReportedWithItsId) {
  make({"a"}, [](BrokerConfig& config) {
    config.max_in_flight = 1;
    config.timeout = 250ms;
  });
  fire("1");
  fire("2");
  step();
  ASSERT_EQ(sent_of("2"), 0U);
  step(250ms);
  ASSERT_EQ(reports_.size(), 2U);
  for (const Report& report : reports_) {
    EXPECT_THAT(report.id, ::testing::MatchesRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"));
    EXPECT_EQ(report.outcome.message_id, report.id);
  }
  EXPECT_NE(reports_[0].id, reports_[1].id);
}

TEST_F(LaneCoreTest, WhatTimesOutAtTheClientSaysWhatTheBrokerKnowsOfIt) {
  make({"a"}, [](BrokerConfig& config) { config.timeout = 10s; });
  fire("1");
  step();
  script_.unconfirmed = "no leader";
  step(10s);
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_THAT(reports_[0].outcome.status.message(), HasSubstr("confirmation; no leader of 1"));
  fire("2");
  step();
  script_.unconfirmed = "throw";
  step(10s);
  ASSERT_EQ(reports_.size(), 2U);
  EXPECT_THAT(reports_[1].outcome.status.message(), ::testing::EndsWith("confirmation"));
  EXPECT_EQ(script_.made, 1) << "a text is no reason to lose a broker";
}

TEST_F(LaneCoreTest, WhatTimesOutAtTheClientSaysHowTheLastTryFailed) {
  make({"a"}, [](BrokerConfig& config) { config.timeout = 10s; });
  fire("1");
  step();
  in_poll([this](BrokerEvents& events) {
    const OutboundMessage* const held = script_.held.front();
    script_.held.pop_front();
    events.complete(*held, Outcome::failed({StatusCode::unavailable, "no leader"}));
  });
  step();
  step(5s);
  ASSERT_EQ(sent_of("1"), 2U);
  step(5s);
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_THAT(reports_[0].outcome.status.message(), AllOf(HasSubstr("confirmation"), HasSubstr("no leader")));
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

TEST_F(LaneCoreTest, CallbacksDoNotKeepTheBrokerFromItsTurn) {
  make({"a"});
  for (int i = 0; i < 100; ++i) fire("x");
  core_->begin_turn();
  core_->step();
  confirm_all();
  core_->step();
  int called = 0;
  const auto takes_a_millisecond = [&](Record&, const DeliveryReport&) {
    ++called;
    now_ += 1ms;
  };
  core_->report(takes_a_millisecond);
  EXPECT_EQ(called, 10);
  EXPECT_TRUE(core_->has_work());
  while (core_->has_work()) {
    core_->step();
    core_->report(takes_a_millisecond);
  }
  EXPECT_EQ(called, 100);
}

// ------------------------------------------------------------------------------------------------- refused messages

TEST_F(LaneCoreTest, AMessageThatIsRefusedAgainAndAgainLetsTheOthersPass) {
  make({"a"}, [](BrokerConfig& config) {
    config.retry = {.max_attempts = {}, .initial_backoff = 100ms, .max_backoff = 100ms};
  });
  bool mended = false;
  script_.answer_at_once = [&mended](const OutboundMessage& message) {
    if (message.body() == "bad" && !mended) return Outcome::failed({StatusCode::rejected, "nack"});
    return Outcome::persisted();
  };
  fire("bad");
  step();
  for (int i = 0; i < 10; ++i) {  // until the lane knows that it is the message's fault
    fire("good");
    step(100ms);
  }
  const std::size_t before = reports_.size();
  for (int i = 0; i < 1'000; ++i) fire("good");
  step();
  EXPECT_EQ(reports_.size(), before + 1'000) << "without a pause, and not one batch a pause";
  for (int i = 0; i < 5; ++i) {
    fire("good");
    step(100ms);  // it is refused once more
    fire("good");
    step();
  }
  EXPECT_EQ(reports_.size(), before + 1'010);
  EXPECT_GE(sent_of("bad"), 10U) << "and is tried all the time";
  mended = true;
  step(100ms);
  EXPECT_EQ(reports_.back().body, "bad");
  EXPECT_TRUE(reports_.back().outcome.status.ok());
  EXPECT_EQ(core_->wait_request().at, TimePoint::max());
}

TEST_F(LaneCoreTest, ADestinationThatTakesNothingKeepsItsOrder) {
  make({"a"}, [](BrokerConfig& config) {
    config.max_in_flight = 4;
    config.retry = {.max_attempts = {}, .initial_backoff = 100ms, .max_backoff = 1s};
  });
  bool electing = true;
  script_.answer_at_once = [&electing](const OutboundMessage&) {
    return electing ? Outcome::failed({StatusCode::rejected, "no leader"}) : Outcome::persisted();
  };
  for (const char* body : {"1", "2", "3", "4", "5", "6", "7", "8"}) fire(body);
  for (int i = 0; i < 90; ++i) step(100ms);
  EXPECT_GE(sent_of("1"), 8U);
  EXPECT_EQ(sent_of("5"), 0U);
  electing = false;
  for (int i = 0; i < 20; ++i) step(100ms);
  std::vector<std::string> bodies;
  for (const Report& report : reports_) bodies.push_back(report.body);
  EXPECT_THAT(bodies, ElementsAre("1", "2", "3", "4", "5", "6", "7", "8"));
}

TEST_F(LaneCoreTest, AWindowOfRefusedMessagesDoesNotHideTheOthersForEver) {
  make({"a"}, [](BrokerConfig& config) {
    config.max_in_flight = 4;
    config.retry = {.max_attempts = {}, .initial_backoff = 100ms, .max_backoff = 1s};
  });
  script_.answer_at_once = [](const OutboundMessage& message) {
    return message.body() == "bad" ? Outcome::failed({StatusCode::rejected, "nack"}) : Outcome::persisted();
  };
  for (int i = 0; i < 4; ++i) fire("bad");
  fire("good");
  for (int i = 0; i < 130; ++i) step(100ms);
  EXPECT_EQ(sent_of("good"), 1U);
  EXPECT_EQ(reports_.size(), 1U);
}

TEST_F(LaneCoreTest, AWindowOfOneWaitsForWhatIsRefusedAgainAndAgain) {
  make({"a"}, [](BrokerConfig& config) { config.max_in_flight = 1; });
  script_.answer_at_once = [refusals = 0](const OutboundMessage& message) mutable {
    if (message.body() == "2" && ++refusals <= 7) return Outcome::failed({StatusCode::rejected, "nack"});
    return Outcome::persisted();
  };
  for (const char* body : {"1", "2", "3", "4"}) fire(body);
  for (int i = 0; i < 20; ++i) step(10ms);
  EXPECT_THAT(script_.sent, ElementsAre("1", "2", "2", "2", "2", "2", "2", "2", "2", "3", "4"));
}

TEST_F(LaneCoreTest, WhatWaitsApartKeepsItsDeadline) {
  make({"a"}, [](BrokerConfig& config) {
    config.timeout = 1s;
    config.retry = {.max_attempts = {}, .initial_backoff = 10ms, .max_backoff = 10'000ms};
  });
  script_.answer_at_once = [](const OutboundMessage& message) {
    if (message.body() == "bad") return Outcome::failed({StatusCode::rejected, "nack"});
    return Outcome::persisted();
  };
  fire("bad");
  for (int i = 0; i < 99; ++i) {
    step(10ms);
    fire("good");
  }
  step(10ms);
  const auto report =
      std::find_if(reports_.begin(), reports_.end(), [](const Report& one) { return one.body == "bad"; });
  ASSERT_NE(report, reports_.end());
  EXPECT_EQ(report->outcome.status.code(), StatusCode::timed_out);
  EXPECT_EQ(report->outcome.latency, 1s);
}

// ---------------------------------------------------------------------------------------------------- narrow brokers

TEST_F(LaneCoreTest, ABrokerThatTakesTenATurnServesTwoDestinationsAlike) {
  for (const bool says_full : {false, true}) {
    SCOPED_TRACE(says_full);
    script_ = {};
    script_.takes_a_turn = 10;
    script_.says_full = says_full;
    script_.answer_at_once = [](const OutboundMessage&) { return Outcome::persisted(); };
    destinations_.clear();
    make({"a", "b"});
    for (int i = 0; i < 1'000; ++i) fire("a", 0);
    for (int i = 0; i < 1'000; ++i) fire("b", 1);
    while (script_.sent.size() < 500) step();
    EXPECT_NEAR(static_cast<double>(sent_of("a")), static_cast<double>(sent_of("b")), 20);
    while (script_.sent.size() < 2'000) step();
    close_now();
  }
}

TEST_F(LaneCoreTest, AfterFullNothingIsOfferedUntilTheNextTurn) {
  make({"a", "b", "c"});
  script_.takes_a_turn = 2;
  script_.says_full = true;
  for (std::size_t name = 0; name < 3; ++name) {
    for (int i = 0; i < 3; ++i) fire("x", name);
  }
  step();
  EXPECT_THAT(script_.offered, ElementsAre("a"));
  step();
  EXPECT_THAT(script_.offered, ElementsAre("a", "b")) << "whose turn it is";
  script_.says_full = false;
  step();
  EXPECT_THAT(script_.offered, ElementsAre("a", "b", "c", "a", "b")) << "only the destination was full";
}

// ------------------------------------------------------------------------------------- destinations that come and go

TEST_F(LaneCoreTest, ADestinationMayComeWhileTheLaneRuns) {
  make({"a"});
  fire("to a");
  step();
  add("b");
  fire("to b", 1);
  step();
  EXPECT_THAT(script_.calls, ElementsAre("start a", "add b 1"));
  ASSERT_THAT(script_.sent, ElementsAre("to a", "to b"));
  EXPECT_EQ(script_.held[1]->destination_index(), 1U);
  EXPECT_EQ(script_.connects, 1);
}

TEST_F(LaneCoreTest, ARemovedDestinationLeavesWithItsLastConfirmationAndItsIndexIsFree) {
  make({"a", "b"});
  fire("1");
  step();
  remove(0, now_ + 1h);
  step();
  EXPECT_THAT(removed_, IsEmpty());
  confirm_all();
  step();
  EXPECT_THAT(reported_bodies(), ElementsAre("1"));
  EXPECT_THAT(removed_, ElementsAre("a"));
  add("c");
  EXPECT_THAT(script_.calls, ElementsAre("start a b", "remove 0", "add c 0"));
  fire("to c", 2);
  step();
  EXPECT_EQ(script_.held[0]->destination_index(), 0U);
  EXPECT_EQ(script_.held[0]->destination().name, "c");
}

TEST_F(LaneCoreTest, AnIdleDestinationLeavesAtOnce) {
  make({"a", "b"});
  remove(1, now_ + 1h);
  step();
  EXPECT_THAT(removed_, ElementsAre("b"));
  EXPECT_EQ(core_->wait_request().at, TimePoint::max());
}

TEST_F(LaneCoreTest, WhatARemovedDestinationHasLeftAtItsDeadlineIsClosed) {
  make({"a", "b"}, [](BrokerConfig& config) { config.max_in_flight = 1; });
  fire("in flight");
  fire("waiting");
  fire("of another", 1);
  step();
  remove(0, now_ + 100ms);
  EXPECT_LE(core_->wait_request().at, now_ + 100ms);
  step(99ms);
  EXPECT_THAT(reports_, IsEmpty());
  step(1ms);
  ASSERT_THAT(reported_bodies(), ElementsAre("in flight", "waiting"));
  EXPECT_EQ(reports_[0].outcome.status.code(), StatusCode::closed);
  EXPECT_EQ(reports_[0].outcome.persistence, Persistence::possibly_persisted);
  EXPECT_EQ(reports_[1].outcome.persistence, Persistence::not_persisted);
  EXPECT_THAT(removed_, IsEmpty()) << "the broker holds a message of it";
  confirm_all();
  step();
  EXPECT_THAT(removed_, ElementsAre("a"));
  EXPECT_THAT(reported_bodies(), ElementsAre("in flight", "waiting", "of another"));
}

TEST_F(LaneCoreTest, AMessageThatCameAfterTheRemovalIsClosedAtItsDeadlineToo) {
  make({"a"});
  script_.takes_a_turn = 0;
  // A thread that fires reserved its capacity before, and pushes after.
  const MessageParts parts{"late", nullptr};
  const std::size_t bytes = Payload::counted_bytes(parts);
  ASSERT_EQ(destinations_[0]->capacity.reserve(bytes, false), Capacity::Answer::reserved);
  remove(0, now_ + 100ms);
  step();
  EXPECT_THAT(removed_, IsEmpty());
  Record* const record =
      Record::make(*destinations_[0], parts, bytes, next_message_id(1), [](const DeliveryReport&) {});
  const Delivery delivery = record->handle();
  core_->admit(*record);
  step();
  EXPECT_EQ(core_->wait_request().at, now_ + 100ms);
  step(100ms);
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].outcome.status.code(), StatusCode::closed);
  EXPECT_THAT(removed_, ElementsAre("a"));
}

TEST_F(LaneCoreTest, ANewBrokerLearnsOfTheDestinationsWithoutGaps) {
  make({"a", "b", "c"});
  remove(1, now_);
  step();
  script_.throws_in_send = true;
  fire("x", 0);
  step();
  script_.throws_in_send = false;
  fire("y", 2);
  step(10ms);
  EXPECT_THAT(script_.calls, ElementsAre("start a b c", "remove 1", "start a c"));
  ASSERT_THAT(script_.held, ::testing::SizeIs(1));
  EXPECT_EQ(script_.held[0]->destination_index(), 1U);
}

TEST_F(LaneCoreTest, DestinationsWithSeveralTimeoutsExpireEachInItsTime) {
  make({"a", "b", "c"}, [](BrokerConfig& config) {
    config.timeout = config.name == "a" ? 300ms : config.name == "b" ? 100ms : 200ms;
  });
  fire("in 300", 0);
  fire("in 100", 1);
  fire("in 200", 2);
  step();
  for (const auto after : {100ms, 100ms, 100ms}) {
    EXPECT_EQ(core_->wait_request().at, now_ + after);
    step(after);
  }
  EXPECT_THAT(reported_bodies(), ElementsAre("in 100", "in 200", "in 300"));
}

// --------------------------------------------------------------------------------------------------------- observers

TEST_F(LaneCoreTest, AnObserverHearsTheOutcomeAndWhatTheBrokerSaysAfterIt) {
  make({"a"}, [](BrokerConfig& config) { config.timeout = 10ms; });
  Listener listener;
  fire("1", 0, {}, &listener);
  step();
  confirm_all();
  step();
  EXPECT_THAT(listener.heard, ElementsAre("1 ok"));
  fire("2", 0, {}, &listener);
  step();
  step(10ms);
  EXPECT_THAT(listener.heard, ElementsAre("1 ok", "2 timed_out"));
  confirm_all();
  step();
  EXPECT_THAT(listener.heard, ElementsAre("1 ok", "2 timed_out", "2 late ok"));
}

TEST_F(LaneCoreTest, AnObserverIsNotToldThatAMessageArrivedBecauseTheLaneEnds) {
  make({"a"}, [](BrokerConfig& config) { config.timeout = 10ms; });
  Listener listener;
  fire("1", 0, {}, &listener);
  step();
  step(10ms);
  close_now();
  EXPECT_THAT(listener.heard, ::testing::Contains("1 timed_out"));
  EXPECT_THAT(listener.heard, ::testing::Not(::testing::Contains("1 late ok"))) << "the broker never said so";
}

TEST_F(LaneCoreTest, AnObserverHearsBeforeTheReport) {
  make({"a"});
  Listener listener;
  fire("1", 0, {}, &listener);
  step();
  confirm_all();
  core_->begin_turn();
  core_->step();
  EXPECT_THAT(listener.heard, ElementsAre("1 ok"));
  EXPECT_THAT(reports_, IsEmpty());
  step();
}

// ------------------------------------------------------------------------------------------------- brokers with bugs

TEST_F(LaneCoreTest, ABrokerThatCompletesWhatItSaysItDidNotTakeIsToldSo) {
  make({"a"});
  script_.answer_at_once = [](const OutboundMessage&) { return Outcome::persisted(); };
  script_.says_one_less = true;
  for (const char* body : {"1", "2", "3"}) fire(body);
  step();
  EXPECT_THAT(reported_bodies(), ElementsAre("1", "2", "3"));
  EXPECT_EQ(destinations_[0]->counters.in_flight.get(), 0U);
  EXPECT_EQ(sent_of("3"), 1U);
  EXPECT_THAT(log_, ::testing::Contains(HasSubstr("bug in the broker")));
}

TEST_F(LaneCoreTest, ABrokerThatThrowsInWaitRequestIsReplacedAndItsMessagesAreReportedAtOnce) {
  make({"a"});
  fire("1");
  step();
  script_.held.clear();
  script_.throws_in_wait_request = true;
  EXPECT_LE(core_->wait_request().at, now_) << "there is an outcome to report";
  script_.throws_in_wait_request = false;
  step();
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].outcome.status.code(), StatusCode::internal);
  EXPECT_THAT(reports_[0].outcome.status.message(), HasSubstr("a bug in wait_request"));
  step(10ms);
  EXPECT_EQ(script_.made, 2);
}

// -------------------------------------------------------------------------------------------------- the connection's
// log

TEST_F(LaneCoreTest, AFailureOfTheConnectionIsLoggedOncePerChangeOfState) {
  script_.connect_fails = Status{StatusCode::unavailable, "refused"};
  make({"a"});
  for (int i = 0; i < 9; ++i) step(10s);
  EXPECT_EQ(script_.connects, 10);
  EXPECT_THAT(log_, ElementsAre("cannot connect: refused"));
  script_.connect_fails = Status{StatusCode::unavailable, "no such name"};
  step(10s);
  EXPECT_THAT(log_.back(), AllOf(HasSubstr("no such name"), HasSubstr("9 times")));
  step(10s);
  script_.connect_fails.reset();
  step(10s);
  ASSERT_THAT(log_, SizeIs(3));
  EXPECT_THAT(log_.back(), AllOf(HasSubstr("connected"), HasSubstr("1 times")));
  lose_connection();
  step(10s);
  ASSERT_THAT(log_, SizeIs(4));
  EXPECT_THAT(log_.back(), HasSubstr("connection lost"));
}

// --------------------------------------------------------------------------------------------------- what stats() says

TEST_F(LaneCoreTest, TheOldestMessageIsKnownByDestination) {
  make({"a", "b"});
  const auto oldest_of = [&](std::size_t name) {
    core_->note_oldest();
    return destinations_[name]->oldest_since.load();
  };
  EXPECT_EQ(oldest_of(0), TimePoint::max()) << "there is none";
  fire("first");
  const TimePoint first = now_;
  step(1s);
  fire("second");
  const TimePoint second = now_;
  step(1s);
  EXPECT_EQ(oldest_of(0), first);
  EXPECT_EQ(oldest_of(1), TimePoint::max());
  confirm_oldest();
  step();
  EXPECT_EQ(oldest_of(0), second);
  confirm_oldest();
  step();
  EXPECT_EQ(oldest_of(0), TimePoint::max());
}

TEST_F(LaneCoreTest, ARefusedMessageIsTroubleUntilOneIsConfirmed) {
  make({"a"});
  script_.answer_at_once = [](const OutboundMessage&) {
    return Outcome::failed({StatusCode::rejected, "the queue is full"});
  };
  fire("one");
  step();
  const TimePoint refused = now_;
  EXPECT_EQ(destinations_[0]->failures().trouble.code(), StatusCode::rejected) << "although it has no outcome yet";
  script_.answer_at_once = nullptr;
  step(5s);
  EXPECT_EQ(destinations_[0]->failures().trouble_since, refused);
  confirm_all();
  step();
  EXPECT_TRUE(destinations_[0]->failures().trouble.ok());
}

TEST_F(LaneCoreTest, TheConnectionsFactsAreThoseOfTheTurn) {
  script_.connect_fails = Status(StatusCode::unauthenticated, "wrong password");
  make({"a"});
  const TimePoint made = now_;
  EXPECT_EQ(core_->connection_facts().state, ConnectionState::disconnected);
  EXPECT_EQ(core_->connection_facts().error_code, StatusCode::unauthenticated);
  step(2s);
  EXPECT_EQ(core_->connection_facts().failed_attempts_since, 2U);
  EXPECT_EQ(core_->connection_facts().down_since, made);
  script_.connect_fails = std::nullopt;
  step(20s);
  EXPECT_EQ(core_->connection_facts().state, ConnectionState::connected);
  EXPECT_EQ(core_->connection_facts().since, now_);
  EXPECT_EQ(core_->connection_facts().reconnects, 0U) << "the first one is none";
  lose_connection();
  step();
  step(20s);
  EXPECT_EQ(core_->connection_facts().reconnects, 1U);
}

}  // namespace
}  // namespace action_triggers::detail
