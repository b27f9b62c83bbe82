// SPDX-License-Identifier: MIT
// Queues that are declared and exchanges that are asked for, without a server.
#include "brokers/rabbitmq/declarations.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "action_triggers/rabbitmq.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr TimePoint start{1h};

std::string text_of(const amqp_field_value_t& value) {
  switch (value.kind) {
    case AMQP_FIELD_KIND_UTF8:
      return "'" + std::string(from_amqp(value.value.bytes)) + "'";
    case AMQP_FIELD_KIND_I64:
      return std::to_string(value.value.i64);
    case AMQP_FIELD_KIND_BOOLEAN:
      return value.value.boolean != 0 ? "true" : "false";
    default:
      return "?";
  }
}

class DeclarationsTest : public ::testing::Test, protected Declarations::Owner {
 protected:
  using Kind = Declarations::Kind;

  void send_method(amqp_channel_t channel, amqp_method_number_t method, void* decoded) override {
    const std::string at = std::to_string(channel) + " ";
    if (method == AMQP_CHANNEL_OPEN_METHOD) {
      sent.emplace_back(at + "open");
    } else if (method == AMQP_CHANNEL_CLOSE_METHOD) {
      sent.emplace_back(at + "close");
    } else if (method == AMQP_CHANNEL_CLOSE_OK_METHOD) {
      sent.emplace_back(at + "close-ok");
    } else if (method == AMQP_EXCHANGE_DECLARE_METHOD) {
      const auto& declare = *static_cast<const amqp_exchange_declare_t*>(decoded);
      sent.push_back(at + (declare.passive != 0 ? "probe " : "declare exchange ") +
                     std::string(from_amqp(declare.exchange)));
    } else if (method == AMQP_QUEUE_DECLARE_METHOD) {
      const auto& declare = *static_cast<const amqp_queue_declare_t*>(decoded);
      std::string text =
          at + "declare " + std::string(from_amqp(declare.queue)) + (declare.durable != 0 ? " durable" : "");
      for (int i = 0; i < declare.arguments.num_entries; ++i) {
        const amqp_table_entry_t& entry = declare.arguments.entries[i];
        text += " " + std::string(from_amqp(entry.key)) + "=" + text_of(entry.value);
      }
      sent.push_back(text);
    }
  }
  void exchange_exists(std::size_t index, TimePoint /*now*/) override {
    sent.push_back("exchange " + std::to_string(index) + " exists");
  }

  RabbitMqConfig& queue(const std::string& name, bool declare = true) {
    RabbitMqConfig& config = configs.emplace_back();
    config.queue = name;
    if (declare) config.declare.emplace();
    declarations.set_queue(configs.size() - 1, config);
    return config;
  }
  void request(Declarations::Subject subject) { declarations.request(subject, now); }
  void answer_ok(amqp_channel_t channel = 1, amqp_method_number_t id = AMQP_QUEUE_DECLARE_OK_METHOD) {
    declarations.on_method(channel, {.id = id, .decoded = nullptr}, now);
  }
  void answer_close(std::uint16_t code, const char* text, amqp_channel_t channel = 1) {
    amqp_channel_close_t close{};
    close.reply_code = code;
    close.reply_text = amqp_cstring_bytes(text);
    declarations.on_method(channel, {.id = AMQP_CHANNEL_CLOSE_METHOD, .decoded = &close}, now);
  }
  std::vector<std::string> take_sent() { return std::exchange(sent, {}); }

  std::deque<RabbitMqConfig> configs;
  std::vector<std::string> sent;
  TimePoint now = start;
  Declarations declarations{*this};
};

TEST_F(DeclarationsTest, AreAskedAtOnceEachOnAChannel) {
  queue("first");
  queue("second");
  declarations.set_exchange(0, "events");
  request({Kind::queue, 0});
  request({Kind::exchange, 0});
  request({Kind::queue, 1});
  request({Kind::queue, 1});  // is on its way
  EXPECT_THAT(take_sent(), ElementsAre("1 open", "1 declare first durable", "2 open", "2 probe events", "3 open",
                                       "3 declare second durable"));
  EXPECT_FALSE(declarations.exists({Kind::queue, 0}));
  answer_ok(3);
  EXPECT_TRUE(declarations.exists({Kind::queue, 1})) << "although the first is not answered";
  answer_ok(2, AMQP_EXCHANGE_DECLARE_OK_METHOD);
  EXPECT_THAT(take_sent(), ElementsAre("exchange 0 exists"));
  answer_ok(1);
  EXPECT_TRUE(declarations.exists({Kind::queue, 0}));
  answer_ok(1);  // to nothing
  EXPECT_THAT(take_sent(), IsEmpty());
}

TEST_F(DeclarationsTest, WhatIsMoreThanTheChannelsWaitsForOne) {
  const std::size_t channels = Declarations::last_control_channel;
  for (std::size_t i = 0; i < channels + 1; ++i) {
    queue("q" + std::to_string(i));
    request({Kind::queue, i});
  }
  EXPECT_EQ(take_sent().size(), 2 * channels);
  answer_ok(7);
  EXPECT_THAT(take_sent(), ElementsAre("7 declare q16 durable"));
}

TEST_F(DeclarationsTest, WhoMayHaveEndedTheConnectionIsAskedForOneAtATime) {
  const Status closed(StatusCode::unavailable, "541");
  for (const char* name : {"a", "bad", "c"}) queue(name);
  const auto connect = [&] {
    declarations.reset();
    for (std::size_t i = 0; i < configs.size(); ++i) request({Kind::queue, i});
  };
  connect();
  take_sent();
  declarations.closed_connection(closed, now);
  for (std::size_t i = 0; i < configs.size(); ++i) EXPECT_EQ(declarations.refused({Kind::queue, i}, now), nullptr);
  connect();
  EXPECT_THAT(take_sent(), ElementsAre("1 open", "1 declare a durable"));
  queue("new");
  request({Kind::queue, 3});
  EXPECT_THAT(take_sent(), ElementsAre("2 open", "2 declare new durable")) << "it is under no suspicion";
  answer_ok(1);
  EXPECT_THAT(take_sent(), ElementsAre("1 declare bad durable"));
  declarations.closed_connection(closed, now);
  connect();
  EXPECT_THAT(take_sent(), ElementsAre("1 open", "1 declare a durable", "2 open", "2 declare c durable", "3 open",
                                       "3 declare new durable"));
  ASSERT_NE(declarations.refused({Kind::queue, 1}, now), nullptr);
  EXPECT_THAT(declarations.refused({Kind::queue, 1}, now)->message(), HasSubstr("the queue 'bad'"));
}

TEST_F(DeclarationsTest, WhatEndsConnectionsIsRefusedForLongerAndLonger) {
  queue("bad");
  for (const auto time : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    declarations.reset();
    request({Kind::queue, 0});
    declarations.closed_connection({StatusCode::unavailable, "541"}, now);
    now += time - 1ms;
    EXPECT_NE(declarations.refused({Kind::queue, 0}, now), nullptr);
    now += 1ms;
    EXPECT_EQ(declarations.refused({Kind::queue, 0}, now), nullptr);
  }
  declarations.reset();
  request({Kind::queue, 0});
  answer_ok();
  declarations.reset();
  request({Kind::queue, 0});
  declarations.closed_connection({StatusCode::unavailable, "541"}, now);
  EXPECT_EQ(declarations.refused({Kind::queue, 0}, now + 1s), nullptr) << "from the beginning";
}

TEST_F(DeclarationsTest, WhatIsNotAnsweredIsGivenUpAndHoldsUpNobody) {
  queue("stuck");
  queue("good");
  request({Kind::queue, 0});
  EXPECT_TRUE(declarations.has_times());
  now += 9'999ms;
  declarations.check_times(now);
  EXPECT_EQ(declarations.refused({Kind::queue, 0}, now), nullptr);
  now += 1ms;
  take_sent();
  declarations.check_times(now);
  EXPECT_THAT(take_sent(), ElementsAre("1 close"));
  const Status* const refused = declarations.refused({Kind::queue, 0}, now);
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->code(), StatusCode::unavailable);
  EXPECT_THAT(refused->message(), HasSubstr("the queue 'stuck'"));
  EXPECT_FALSE(declarations.has_times());
  request({Kind::queue, 1});
  EXPECT_THAT(take_sent(), ElementsAre("2 open", "2 declare good durable"));
  answer_ok(1);  // too late, to what was given up
  EXPECT_FALSE(declarations.exists({Kind::queue, 0}));
  answer_ok(1, AMQP_CHANNEL_CLOSE_OK_METHOD);
  request({Kind::queue, 0});
  EXPECT_THAT(take_sent(), ElementsAre("1 open", "1 declare stuck durable"));
}

TEST_F(DeclarationsTest, AQueueThatIsGoneIsDeclaredAgain) {
  queue("orders");
  request({Kind::queue, 0});
  answer_ok();
  take_sent();
  declarations.forget({Kind::queue, 0});
  EXPECT_FALSE(declarations.exists({Kind::queue, 0}));
  request({Kind::queue, 0});
  declarations.forget({Kind::queue, 0});  // another message came back meanwhile
  request({Kind::queue, 0});
  EXPECT_THAT(take_sent(), ElementsAre("1 declare orders durable"));
}

TEST_F(DeclarationsTest, AQueueIsDeclaredAsConfigured) {
  QueueDeclaration& declare = *queue("orders").declare;
  declare.durable = false;
  declare.queue_type = "classic";
  declare.string_arguments["x-overflow"] = "reject-publish";
  declare.integer_arguments["x-max-length"] = 10;
  declare.boolean_arguments["x-single-active-consumer"] = true;
  request({Kind::queue, 0});
  EXPECT_EQ(sent.back(),
            "1 declare orders x-queue-type='classic' x-overflow='reject-publish' x-max-length=10 "
            "x-single-active-consumer=true");
}

TEST_F(DeclarationsTest, AQueueWithoutDeclareExists) {
  queue("orders", false);
  EXPECT_TRUE(declarations.exists({Kind::queue, 0}));
  declarations.reset();
  EXPECT_TRUE(declarations.exists({Kind::queue, 0}));
  EXPECT_THAT(sent, IsEmpty());
}

TEST_F(DeclarationsTest, ARefusalHoldsForASecondAndTheNextIsAsked) {
  queue("orders");
  declarations.set_exchange(3, "events");
  request({Kind::exchange, 3});
  take_sent();
  answer_close(404, "NOT_FOUND - no exchange 'events'");
  EXPECT_THAT(take_sent(), ElementsAre("1 close-ok"));
  request({Kind::queue, 0});
  EXPECT_THAT(take_sent(), ElementsAre("1 open", "1 declare orders durable"));
  const Status* refused = declarations.refused({Kind::exchange, 3}, now + 999ms);
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->code(), StatusCode::not_found);
  EXPECT_THAT(refused->message(), HasSubstr("no exchange 'events'"));
  EXPECT_EQ(declarations.refused({Kind::exchange, 3}, now + 1s), nullptr);
  EXPECT_EQ(declarations.refused({Kind::queue, 0}, now), nullptr);
  answer_ok();
  request({Kind::exchange, 3});
  EXPECT_THAT(take_sent(), ElementsAre("1 probe events"));
}

TEST_F(DeclarationsTest, AnExchangeThatExistedIsAskedForAgain) {
  declarations.set_exchange(0, "events");
  request({Kind::exchange, 0});
  answer_ok(1, AMQP_EXCHANGE_DECLARE_OK_METHOD);
  take_sent();
  request({Kind::exchange, 0});  // its channel was closed, the exchange may be gone
  EXPECT_THAT(take_sent(), ElementsAre("1 probe events"));
}

TEST_F(DeclarationsTest, APublishMayBeRefusedToo) {
  queue("orders");
  declarations.refuse({Kind::queue, 0}, {StatusCode::permission_denied, "no"}, now);
  EXPECT_NE(declarations.refused({Kind::queue, 0}, now), nullptr);
  declarations.reset();
  EXPECT_EQ(declarations.refused({Kind::queue, 0}, now), nullptr) << "a new connection asks again";
}

TEST_F(DeclarationsTest, ANewConnectionBeginsAnew) {
  queue("first");
  queue("second");
  request({Kind::queue, 0});
  request({Kind::queue, 1});
  take_sent();
  declarations.reset();
  answer_ok();  // nothing was asked
  EXPECT_FALSE(declarations.exists({Kind::queue, 0}));
  request({Kind::queue, 1});
  EXPECT_THAT(take_sent(), ElementsAre("1 open", "1 declare second durable"));
}

TEST_F(DeclarationsTest, AnAnswerToWhatWasRemovedIsNotForItsSuccessor) {
  queue("first");
  queue("second");
  request({Kind::queue, 0});
  request({Kind::queue, 1});
  declarations.remove({Kind::queue, 1});
  declarations.remove({Kind::queue, 0});
  RabbitMqConfig successor;
  successor.queue = "third";
  successor.declare.emplace();
  declarations.set_queue(0, successor);
  request({Kind::queue, 0});
  EXPECT_THAT(take_sent(), ElementsAre("1 open", "1 declare first durable", "2 open", "2 declare second durable",
                                       "3 open", "3 declare third durable"));
  answer_close(406, "PRECONDITION_FAILED");  // of the first
  EXPECT_EQ(declarations.refused({Kind::queue, 0}, now), nullptr);
  EXPECT_FALSE(declarations.exists({Kind::queue, 0}));
  answer_ok(3);
  EXPECT_TRUE(declarations.exists({Kind::queue, 0}));
}

TEST_F(DeclarationsTest, SettingTheSameExchangeAgainKeepsItsState) {
  declarations.set_exchange(0, "events");
  request({Kind::exchange, 0});
  answer_close(404, "NOT_FOUND");
  declarations.set_exchange(0, "events");
  EXPECT_NE(declarations.refused({Kind::exchange, 0}, now), nullptr);
  declarations.set_exchange(0, "others");
  EXPECT_EQ(declarations.refused({Kind::exchange, 0}, now), nullptr);
}

}  // namespace
}  // namespace action_triggers::detail
