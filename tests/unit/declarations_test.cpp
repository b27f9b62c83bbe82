// SPDX-License-Identifier: MIT
// Queues that are declared and exchanges that are asked for, without a server.
#include "brokers/rabbitmq/declarations.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "action_triggers/rabbitmq.hpp"
#include "brokers/rabbitmq/declare_methods.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr TimePoint start{1h};

std::string text_of(const amqp_table_t& table, const std::string& separator);

std::string text_of(const amqp_field_value_t& value) {
  switch (value.kind) {
    case AMQP_FIELD_KIND_UTF8:
      return "'" + std::string(from_amqp(value.value.bytes)) + "'";
    case AMQP_FIELD_KIND_I64:
      return std::to_string(value.value.i64);
    case AMQP_FIELD_KIND_BOOLEAN:
      return value.value.boolean != 0 ? "true" : "false";
    case AMQP_FIELD_KIND_F64:
      return ::testing::PrintToString(value.value.f64);
    case AMQP_FIELD_KIND_TABLE:
      return "{" + text_of(value.value.table, ",").substr(1) + "}";
    case AMQP_FIELD_KIND_ARRAY: {
      std::string text;
      for (int i = 0; i < value.value.array.num_entries; ++i) {
        text += (i > 0 ? "," : "") + text_of(value.value.array.entries[i]);
      }
      return "[" + text + "]";
    }
    default:
      return "?";
  }
}

std::string text_of(const amqp_table_t& table, const std::string& separator) {
  std::string text;
  for (int i = 0; i < table.num_entries; ++i) {
    text += separator + std::string(from_amqp(table.entries[i].key)) + "=" + text_of(table.entries[i].value);
  }
  return text;
}

class DeclarationsTest : public ::testing::Test, protected Declarations::Owner {
 protected:
  using Kind = Declarations::Kind;

  bool send_method(amqp_channel_t channel, amqp_method_number_t method, void* decoded) override {
    if (method == refused_method) return false;
    const std::string at = std::to_string(channel) + " ";
    if (method == AMQP_CHANNEL_OPEN_METHOD) {
      sent.emplace_back(at + "open");
    } else if (method == AMQP_CHANNEL_CLOSE_METHOD) {
      sent.emplace_back(at + "close");
    } else if (method == AMQP_CHANNEL_CLOSE_OK_METHOD) {
      sent.emplace_back(at + "close-ok");
    } else if (method == AMQP_EXCHANGE_DECLARE_METHOD) {
      const auto& declare = *static_cast<const amqp_exchange_declare_t*>(decoded);
      const std::string name(from_amqp(declare.exchange));
      sent.push_back(at + (declare.passive != 0 ? "probe " + name
                                                : "declare " + std::string(from_amqp(declare.type)) + " exchange " +
                                                      name + (declare.durable != 0 ? " durable" : "") +
                                                      (declare.auto_delete != 0 ? " auto-delete" : "") +
                                                      text_of(declare.arguments, " ")));
    } else if (method == AMQP_QUEUE_DECLARE_METHOD) {
      const auto& declare = *static_cast<const amqp_queue_declare_t*>(decoded);
      EXPECT_EQ(declare.exclusive, 0);
      sent.push_back(at + "declare " + std::string(from_amqp(declare.queue)) +
                     (declare.durable != 0 ? " durable" : "") + (declare.auto_delete != 0 ? " auto-delete" : "") +
                     text_of(declare.arguments, " "));
    } else if (method == AMQP_QUEUE_BIND_METHOD) {
      const auto& bind = *static_cast<const amqp_queue_bind_t*>(decoded);
      sent.push_back(at + "bind " + std::string(from_amqp(bind.queue)) + " to " +
                     std::string(from_amqp(bind.exchange)) + " by '" + std::string(from_amqp(bind.routing_key)) + "'" +
                     text_of(bind.arguments, " "));
    }
    return true;
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
  /// Publishes to "events", and declares it with the queue "audit", which is bound by two keys.
  RabbitMqConfig& exchange_with_queue() {
    RabbitMqConfig& config = queue("", false);
    config.exchange = "events";
    config.declare_exchange = RabbitMqExchangeDeclaration();
    config.declare_exchange->type = "topic";
    config.declare_exchange->queues = {
        {.queue = "audit", .declare = {}, .bindings = {{"order.#", {}}, {"mail", {{"x", {1}}}}}}};
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
  amqp_method_number_t refused_method = 0;  // does not fit a frame
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

TEST_F(DeclarationsTest, FewerChannelsAreUsedWhereTheConnectionHasFew) {
  declarations.reset(2);
  for (std::size_t i = 0; i < 3; ++i) {
    queue("q" + std::to_string(i));
    request({Kind::queue, i});
  }
  EXPECT_THAT(take_sent(), ElementsAre("1 open", "1 declare q0 durable", "2 open", "2 declare q1 durable"));
  answer_ok(1);
  EXPECT_THAT(take_sent(), ElementsAre("1 declare q2 durable"));
}

TEST_F(DeclarationsTest, WhatFitsNoFrameIsRefusedAndHoldsUpNobody) {
  queue("large");
  declarations.set_exchange(0, "events");
  refused_method = AMQP_QUEUE_DECLARE_METHOD;
  request({Kind::queue, 0});
  const Status* const refused = declarations.refused({Kind::queue, 0}, now);
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->code(), StatusCode::invalid_argument);
  EXPECT_THAT(refused->message(), HasSubstr("the queue 'large' does not fit one frame"));
  request({Kind::exchange, 0});
  EXPECT_THAT(take_sent(), ElementsAre("1 open", "1 probe events"));
}

TEST_F(DeclarationsTest, AnExchangeThatIsDeletedWhileItIsDeclaredIsDeclaredAgain) {
  exchange_with_queue();
  request({Kind::queue, 0});
  answer_close(404, "NOT_FOUND - no exchange 'events' in vhost '/'");  // the binding finds it gone
  const Status* const refused = declarations.refused({Kind::queue, 0}, now);
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->code(), StatusCode::unavailable) << "its messages are not to fail for good";
  EXPECT_THAT(refused->message(), HasSubstr("is declared again"));
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
  declare.auto_delete = true;
  declare.arguments = {{"x-overflow", {"reject-publish"}},
                       {"x-max-length", {10}},
                       {"x-single-active-consumer", {true}},
                       {"x-factor", {0.5}},
                       {"x-list", {RabbitMqList{{1}, {"two"}, {RabbitMqList{}}}}},
                       {"x-table", {RabbitMqTable{{"a", {1}}, {"b", {RabbitMqTable{{"c", {false}}}}}}}}};
  request({Kind::queue, 0});
  EXPECT_EQ(sent.back(),
            "1 declare orders auto-delete x-overflow='reject-publish' x-max-length=10 x-single-active-consumer=true "
            "x-factor=0.5 x-list=[1,'two',[]] x-table={a=1,b={c=false}} x-queue-type='classic'");
}

TEST_F(DeclarationsTest, AnExchangeIsDeclaredThenItsQueuesAndTheLastAnswerCounts) {
  exchange_with_queue();
  request({Kind::queue, 0});
  EXPECT_THAT(take_sent(), ElementsAre("1 open", "1 declare topic exchange events durable", "1 declare audit durable",
                                       "1 bind audit to events by 'order.#'", "1 bind audit to events by 'mail' x=1"));
  answer_ok(1, AMQP_EXCHANGE_DECLARE_OK_METHOD);
  answer_ok(1, AMQP_QUEUE_DECLARE_OK_METHOD);
  answer_ok(1, AMQP_QUEUE_BIND_OK_METHOD);
  EXPECT_FALSE(declarations.exists({Kind::queue, 0}));
  answer_ok(1, AMQP_QUEUE_BIND_OK_METHOD);
  EXPECT_TRUE(declarations.exists({Kind::queue, 0}));
  EXPECT_FALSE(declarations.has_times());
}

TEST_F(DeclarationsTest, ABrokerThatIsSlowAtManyQueuesIsNotGivenUp) {
  exchange_with_queue();
  request({Kind::queue, 0});
  for (int i = 0; i < 3; ++i) {
    now += 9s;
    declarations.check_times(now);
    answer_ok();
  }
  EXPECT_EQ(declarations.refused({Kind::queue, 0}, now), nullptr);
  now += 10s;
  declarations.check_times(now);
  const Status* const refused = declarations.refused({Kind::queue, 0}, now);
  ASSERT_NE(refused, nullptr) << "the last answer is missing";
  EXPECT_THAT(refused->message(), HasSubstr("the exchange 'events' and its queues"));
}

TEST_F(DeclarationsTest, OneRefusalRefusesAllThatADestinationDeclares) {
  exchange_with_queue();
  queue("next");
  request({Kind::queue, 0});
  answer_ok(1, AMQP_EXCHANGE_DECLARE_OK_METHOD);
  take_sent();
  answer_close(406, "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'audit'");
  const Status* const refused = declarations.refused({Kind::queue, 0}, now);
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->code(), StatusCode::invalid_argument);
  EXPECT_THAT(refused->message(), HasSubstr("make params.declare agree with it"));
  request({Kind::queue, 1});
  EXPECT_THAT(take_sent(), ElementsAre("1 close-ok", "1 open", "1 declare next durable"));
  answer_ok();
  EXPECT_TRUE(declarations.exists({Kind::queue, 1})) << "one answer is enough: none of the first is left";
  EXPECT_FALSE(declarations.exists({Kind::queue, 0}));
}

TEST_F(DeclarationsTest, WhatADestinationDeclaresIsNotOnlyProbedForTheOthers) {
  exchange_with_queue();
  declarations.set_exchange(0, "events");
  declarations.set_exchange(1, "others");
  request({Kind::exchange, 0});
  request({Kind::exchange, 1});
  EXPECT_THAT(take_sent(),
              ElementsAre("1 open", "1 declare topic exchange events durable", "2 open", "2 probe others"));
  answer_ok(1, AMQP_EXCHANGE_DECLARE_OK_METHOD);
  EXPECT_THAT(take_sent(), ElementsAre("exchange 0 exists"));
}

TEST_F(DeclarationsTest, TwoThatDeclareAnExchangeOtherwiseAreBothToldSo) {
  exchange_with_queue();
  exchange_with_queue().declare_exchange->queues.clear();  // the same exchange
  exchange_with_queue().declare_exchange->auto_delete = true;
  declarations.set_exchange(0, "events");
  request({Kind::exchange, 0});
  EXPECT_THAT(take_sent(), ElementsAre("1 open", "1 declare topic exchange events durable",
                                       "1 declare topic exchange events durable auto-delete"));
  answer_ok(1, AMQP_EXCHANGE_DECLARE_OK_METHOD);
  EXPECT_FALSE(declarations.exists({Kind::exchange, 0}));
  answer_close(406, "PRECONDITION_FAILED - inequivalent arg 'auto_delete' for exchange 'events'");
  EXPECT_NE(declarations.refused({Kind::exchange, 0}, now), nullptr);
}

TEST_F(DeclarationsTest, AnExchangeThatMayBeGoneTookItsBindingsWithIt) {
  exchange_with_queue();
  queue("apart");
  declarations.set_exchange(0, "events");
  for (std::size_t i : {0U, 1U}) request({Kind::queue, i});
  for (int i = 0; i < 4; ++i) answer_ok(1, AMQP_QUEUE_BIND_OK_METHOD);
  answer_ok(2);
  EXPECT_TRUE(declarations.exists({Kind::queue, 0}));
  request({Kind::exchange, 0});
  EXPECT_FALSE(declarations.exists({Kind::queue, 0}));
  EXPECT_TRUE(declarations.exists({Kind::queue, 1}));
}

TEST_F(DeclarationsTest, ATypeThatTheBrokerDoesNotKnowEndsOneConnectionOnly) {
  exchange_with_queue().declare_exchange->type = "x-unknown";
  queue("good");
  declarations.set_exchange(0, "events");
  declarations.connection_lost("the broker says 503 COMMAND_INVALID - unknown exchange type 'x-unknown'");
  declarations.reset();
  request({Kind::queue, 0});
  request({Kind::exchange, 0});
  request({Kind::queue, 1});
  EXPECT_THAT(take_sent(), ElementsAre("1 open", "1 declare good durable"));
  for (const Declarations::Subject subject : {Declarations::Subject{Kind::queue, 0}, {Kind::exchange, 0}}) {
    const Status* const refused = declarations.refused(subject, now);
    ASSERT_NE(refused, nullptr);
    EXPECT_EQ(refused->code(), StatusCode::invalid_argument);
    EXPECT_THAT(refused->message(), HasSubstr("does not know the exchange type 'x-unknown'"));
  }
  declarations.connection_lost("the broker closed the connection");
  declarations.reset();  // the plugin may be enabled now
  request({Kind::exchange, 0});
  EXPECT_THAT(take_sent(), ElementsAre("1 open", "1 declare x-unknown exchange events durable"));
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

TEST(DeclareMethodsTest, ATopicIsMatchedWordByWord) {
  struct Case {
    const char* pattern;
    const char* key;
    bool matches;
  };
  for (const Case& c : std::initializer_list<Case>{{"order.created", "order.created", true},
                                                   {"order.created", "order", false},
                                                   {"order", "order.created", false},
                                                   {"order.*", "order.created", true},
                                                   {"order.*", "order", false},
                                                   {"order.*", "order.", true},
                                                   {"order.*", "order.a.b", false},
                                                   {"*.b", "a.b", true},
                                                   {"order.#", "order", true},
                                                   {"order.#", "order.a.b", true},
                                                   {"#.b", "b", true},
                                                   {"#.b", "a.b.b", true},
                                                   {"#.b", "a.b.c", false},
                                                   {"#.x.#", "a.x.b.x", true},
                                                   {"*.#.x", "x", false},
                                                   {"#", "", true},
                                                   {"#.#", "", true},
                                                   {"*", "", false},
                                                   {"", "", true},
                                                   {"", "a", false},
                                                   {"a..b", "a..b", true},
                                                   {"a.*.b", "a..b", true},
                                                   {"ord*", "order", false}}) {
    EXPECT_EQ(topic_matches(c.pattern, c.key), c.matches) << c.pattern << " " << c.key;
  }
}

TEST(DeclareMethodsTest, WhatAReturnSaysOfDeclaredQueuesDependsOnTheExchange) {
  RabbitMqConfig config;
  config.exchange = "events";
  config.declare_exchange = RabbitMqExchangeDeclaration();
  const auto reaches = [&](const char* type, const char* key) {
    config.declare_exchange->type = type;
    return reaches_declared_queue(config, key);
  };
  EXPECT_FALSE(reaches("fanout", "any")) << "there is no queue";
  config.declare_exchange->queues = {{.queue = "q", .declare = {}, .bindings = {{"a.*", {}}}}};
  EXPECT_TRUE(reaches("fanout", "any"));
  EXPECT_TRUE(reaches("direct", "a.*"));
  EXPECT_FALSE(reaches("direct", "a.b"));
  EXPECT_TRUE(reaches("topic", "a.b"));
  EXPECT_FALSE(reaches("topic", "b"));
  EXPECT_FALSE(reaches("headers", "a.*")) << "nobody can tell";
  EXPECT_FALSE(reaches("x-random", "a.*"));
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
