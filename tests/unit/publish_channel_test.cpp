// SPDX-License-Identifier: MIT
// Confirmations, returns, and what happens after trouble, without a server.
#include "brokers/rabbitmq/publish_channel.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "brokers/rabbitmq/message_encoder.hpp"
#include "unit/rabbitmq_support.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using tests::OfferedMessage;
using tests::RecordedEvents;
using Confirmation = PublishChannel::Confirmation;
using State = PublishChannel::State;

constexpr TimePoint start{1h};

class PublishChannelTest : public ::testing::Test {
 protected:
  PublishChannelTest() {
    events.time = start;
    channel.opened(start);
    channel.open_confirmed(start);
  }

  OfferedMessage& message(const Message& content, std::uint32_t destination = 0) {
    return messages.emplace_back(content, destination);
  }
  static Message content_of(const std::string& id, const std::string& body = "body") {
    Message content;
    content.body = body;
    content.id = id;
    return content;
  }
  void publish(const std::string& id, std::uint32_t destination = 0) {
    publish(content_of(id), {.key = "q"}, destination);
  }
  void publish(const Message& content, const PublishChannel::Routing& routing, std::uint32_t destination = 0) {
    channel.published(message(content, destination), routing, now());
  }
  Status ack(std::uint64_t tag, bool multiple = false) {
    return channel.confirmed(tag, multiple, Confirmation::ack, events);
  }
  Status nack(std::uint64_t tag, bool multiple = false) {
    return channel.confirmed(tag, multiple, Confirmation::nack, events);
  }
  Status return_header(const std::string& id, std::uint64_t body_size, std::vector<amqp_table_entry_t> headers = {}) {
    amqp_basic_properties_t properties = more;
    set_message_id(properties, id);
    if (!headers.empty()) set_headers(properties, headers);
    return channel.return_header(properties, body_size);
  }
  Status return_whole(const std::string& id, const std::string& body = "body", const std::string& key = "q",
                      const std::vector<amqp_table_entry_t>& headers = {}, const std::string& exchange = "") {
    channel.return_begins(312, "NO_ROUTE", exchange, key);
    if (Status status = return_header(id, body.size(), headers); !status.ok() || body.empty()) return status;
    return channel.return_body(body);
  }
  /// What became of the messages, in the order of publishing.
  std::vector<StatusCode> codes() const {
    std::vector<StatusCode> codes;
    for (const OfferedMessage& each : messages) {
      for (const auto& completed : events.completed) {
        if (completed.message == &each) codes.push_back(completed.code);
      }
    }
    return codes;
  }
  [[nodiscard]] TimePoint now() const { return *events.time; }

  std::deque<OfferedMessage> messages;
  RecordedEvents events;
  Publishers publishers = Publishers(10);
  amqp_basic_properties_t more{};  // of what is returned
  PublishChannel channel{2, publishers};
};

const Status refusal(StatusCode::permission_denied, "no write access");

// Tags

TEST_F(PublishChannelTest, AnAckCompletesItsMessage) {
  publish("a");
  publish("b");
  EXPECT_TRUE(ack(1).ok());
  EXPECT_THAT(events.ids(), ElementsAre("a"));
  EXPECT_EQ(events.completed[0].code, StatusCode::ok);
  EXPECT_EQ(events.completed[0].persistence, Persistence::persisted);
  EXPECT_EQ(channel.unconfirmed(), 1U);
}

TEST_F(PublishChannelTest, AMultipleAckCompletesAllBeforeIt) {
  for (const char* id : {"a", "b", "c", "d"}) publish(id);
  EXPECT_TRUE(ack(3, true).ok());
  EXPECT_THAT(events.ids(), ElementsAre("a", "b", "c"));
}

TEST_F(PublishChannelTest, AMultipleAckOfTagZeroCompletesAll) {
  for (const char* id : {"a", "b", "c"}) publish(id);
  EXPECT_TRUE(ack(1).ok());
  EXPECT_TRUE(ack(0, true).ok());
  EXPECT_THAT(events.ids(), ElementsAre("a", "b", "c"));
}

TEST_F(PublishChannelTest, AcksOutOfOrderCompleteEachMessageOnce) {
  for (const char* id : {"a", "b", "c", "d"}) publish(id);
  EXPECT_TRUE(ack(3).ok());
  EXPECT_TRUE(ack(1).ok());
  EXPECT_TRUE(ack(3).ok()) << "again, while a message before it is unconfirmed";
  EXPECT_TRUE(ack(4, true).ok());
  EXPECT_THAT(events.ids(), ElementsAre("c", "a", "b", "d"));
  EXPECT_EQ(channel.unconfirmed(), 0U);
}

TEST_F(PublishChannelTest, UnknownTagsAreErrors) {
  EXPECT_THAT(ack(0, true).message(), HasSubstr("delivery tag 0"));
  EXPECT_THAT(ack(1).message(), HasSubstr("delivery tag 1"));
  publish("a");
  publish("b");
  EXPECT_FALSE(ack(0).ok());
  EXPECT_FALSE(ack(3).ok());
  EXPECT_FALSE(ack(1ULL << 63U, true).ok());
  EXPECT_THAT(events.completed, IsEmpty());
  EXPECT_TRUE(ack(1).ok());
  EXPECT_FALSE(ack(1).ok()) << "for the second time";
}

TEST_F(PublishChannelTest, TagsBeginAtOneAgainWhenTheChannelIsOpened) {
  publish("a");
  publish("b");
  ASSERT_TRUE(ack(1).ok());
  channel.lost({StatusCode::unavailable, "gone"}, events);
  channel.opened(now());
  publish("b");
  EXPECT_TRUE(ack(1).ok());
  EXPECT_THAT(events.ids(), ElementsAre("a", "b", "b"));
}

TEST_F(PublishChannelTest, ALostChannelLeavesWhatIsUnconfirmedUnknown) {
  publish("a");
  publish("b");
  publish("c");
  ASSERT_TRUE(ack(2).ok());
  channel.lost({StatusCode::unavailable, "gone"}, events);
  EXPECT_THAT(events.ids(), ElementsAre("b", "a", "c"));
  EXPECT_EQ(events.completed[2].code, StatusCode::unavailable);
  EXPECT_EQ(events.completed[2].persistence, Persistence::possibly_persisted);
  EXPECT_EQ(channel.state(), State::closed);
  EXPECT_EQ(channel.unconfirmed(), 0U);
}

// Returns

TEST_F(PublishChannelTest, AReturnedMessageIsUnroutableAlthoughItIsAcked) {
  publish("a");
  publish("b");
  ASSERT_TRUE(return_whole("b").ok());
  EXPECT_THAT(events.completed, IsEmpty()) << "its ack follows";
  EXPECT_TRUE(ack(2, true).ok());
  ASSERT_THAT(events.ids(), ElementsAre("a", "b"));
  EXPECT_EQ(events.completed[0].code, StatusCode::ok);
  EXPECT_EQ(events.completed[1].code, StatusCode::unroutable);
  EXPECT_EQ(events.completed[1].persistence, Persistence::not_persisted);
  EXPECT_THAT(events.completed[1].text, HasSubstr("312 NO_ROUTE; declare the queue 'q'"));
}

TEST_F(PublishChannelTest, AReturnThroughAnExchangeSaysWhatToBind) {
  publish(content_of("a", ""), {.exchange = "events", .key = "created"});
  ASSERT_TRUE(return_whole("a", "", "created", {}, "events").ok());
  ASSERT_TRUE(ack(1).ok());
  EXPECT_THAT(events.completed.at(0).text, HasSubstr("the exchange 'events' for the routing key 'created'"));
}

TEST_F(PublishChannelTest, AReturnMayComeInPieces) {
  publish(content_of("a", "0123456789"), {.key = "q"});
  channel.return_begins(312, "NO_ROUTE", "", "q");
  EXPECT_TRUE(channel.in_return());
  EXPECT_TRUE(return_header("a", 10).ok());
  EXPECT_TRUE(channel.return_body("0123").ok());
  EXPECT_TRUE(channel.in_return());
  EXPECT_TRUE(channel.return_body("456789").ok());
  EXPECT_FALSE(channel.in_return());
  ASSERT_TRUE(ack(1).ok());
  EXPECT_EQ(events.completed[0].code, StatusCode::unroutable);
}

TEST_F(PublishChannelTest, PiecesThatNothingAnnouncedAreErrors) {
  publish("a");
  EXPECT_FALSE(return_header("a", 0).ok());
  EXPECT_FALSE(channel.return_body("body").ok());
  channel.return_begins(312, "NO_ROUTE", "", "q");
  EXPECT_FALSE(channel.return_body("body").ok()) << "before the header";
  ASSERT_TRUE(return_header("a", 4).ok());
  EXPECT_FALSE(return_header("a", 4).ok()) << "a second header";
}

TEST_F(PublishChannelTest, AReturnThatNeverEndsIsForgottenWithItsConnection) {
  publish("a");
  channel.return_begins(312, "NO_ROUTE", "", "q");
  ASSERT_TRUE(return_header("a", 4).ok());
  channel.lost({StatusCode::unavailable, "gone"}, events);
  EXPECT_EQ(events.completed.at(0).code, StatusCode::unavailable);
  channel.opened(now());
  EXPECT_FALSE(channel.in_return());
  publish("a");
  EXPECT_TRUE(ack(1).ok());
  EXPECT_EQ(events.completed.at(1).code, StatusCode::ok);
}

TEST_F(PublishChannelTest, AReturnOfAnUnknownMessageIsAnError) {
  publish("a");
  EXPECT_FALSE(return_whole("somebody else's").ok());
}

TEST_F(PublishChannelTest, TheIdNeedNotBeUnique) {
  // What tells them apart, from the first to the last: exchange, key, body's size, body, headers, whether it may be
  // returned.
  publish(content_of("same"), {.key = "bound"});
  publish(content_of("same"), {.key = "missing"});
  publish(content_of("same", "longer"), {.key = "missing"});
  publish(content_of("same", "ydob"), {.key = "missing"});
  Message with_header = content_of("same");
  with_header.headers = {{"region", "eu"}};
  publish(with_header, {.key = "missing"});
  publish(content_of("same"), {.key = "missing", .mandatory = false});
  publish(content_of("same"), {.exchange = "events", .key = "missing"});
  publish(content_of("same"), {.key = "missing"});
  ASSERT_TRUE(return_whole("same", "longer", "missing").ok());
  ASSERT_TRUE(return_whole("same", "body", "missing", {text_entry("region", "eu")}).ok());
  ASSERT_TRUE(return_whole("same", "body", "missing").ok());
  ASSERT_TRUE(ack(8, true).ok());
  EXPECT_THAT(codes(), ElementsAre(StatusCode::ok, StatusCode::ok, StatusCode::unroutable, StatusCode::ok,
                                   StatusCode::unroutable, StatusCode::ok, StatusCode::ok, StatusCode::unroutable));
}

TEST_F(PublishChannelTest, TypedHeadersTellMessagesApart) {
  const auto with = [](const Header& header) {
    Message content = content_of("same");
    content.headers = {header};
    return content;
  };
  publish(with(Header::integer("n", 1)), {.key = "q"});
  publish(with(Header::integer("n", 2)), {.key = "q"});
  publish(with(Header::integer("n", 20'000'000'000)), {.key = "q"});
  publish(with(Header::boolean("n", false)), {.key = "q"});
  publish(with(Header::boolean("n", true)), {.key = "q"});
  publish(with({"n", "2"}), {.key = "q"});
  ASSERT_TRUE(return_whole("same", "body", "q", {integer_entry("n", 2)}).ok());
  ASSERT_TRUE(return_whole("same", "body", "q", {integer_entry("n", 20'000'000'000)}).ok());
  ASSERT_TRUE(return_whole("same", "body", "q", {boolean_entry("n", true)}).ok());
  ASSERT_TRUE(return_whole("same", "body", "q", {text_entry("n", "2")}).ok());
  ASSERT_TRUE(ack(6, true).ok());
  EXPECT_THAT(codes(), ElementsAre(StatusCode::ok, StatusCode::unroutable, StatusCode::unroutable, StatusCode::ok,
                                   StatusCode::unroutable, StatusCode::unroutable));
}

TEST_F(PublishChannelTest, PropertiesTellMessagesApart) {
  for (const char* correlation_id : {"c-1", "c-2"}) {
    Message content = content_of("same");
    content.properties = Properties();
    content.properties->correlation_id = correlation_id;
    publish(content, {.key = "q"});
  }
  more._flags = AMQP_BASIC_CORRELATION_ID_FLAG;
  more.correlation_id = amqp_cstring_bytes("c-2");
  ASSERT_TRUE(return_whole("same").ok());
  ASSERT_TRUE(ack(2, true).ok());
  EXPECT_THAT(codes(), ElementsAre(StatusCode::ok, StatusCode::unroutable));
}

TEST_F(PublishChannelTest, ATombstoneComesBackWithoutItsBody) {
  Message content = content_of("a", "a body that is not sent");
  content.properties = Properties();
  content.properties->tombstone = true;
  publish(content, {.key = "q"});
  ASSERT_TRUE(return_whole("a", "").ok());
  ASSERT_TRUE(ack(1).ok());
  EXPECT_THAT(codes(), ElementsAre(StatusCode::unroutable));
}

TEST_F(PublishChannelTest, AHeaderThatTheBrokerAddedHidesNothing) {
  Message with_header = content_of("a");
  with_header.headers = {{"region", "eu"}};
  publish(with_header, {.key = "q"});
  ASSERT_TRUE(return_whole("a", "body", "q", {text_entry("region", "eu"), text_entry("x-routed-by", "n")}).ok());
  ASSERT_TRUE(ack(1).ok());
  EXPECT_THAT(codes(), ElementsAre(StatusCode::unroutable));
}

TEST_F(PublishChannelTest, AMessageReturnedTwiceUnderOneIdIsTwoMessages) {
  publish("same");
  publish("same");
  ASSERT_TRUE(return_whole("same").ok());
  ASSERT_TRUE(return_whole("same").ok());
  EXPECT_FALSE(return_whole("same").ok());
  ASSERT_TRUE(ack(2, true).ok());
  EXPECT_THAT(codes(), ElementsAre(StatusCode::unroutable, StatusCode::unroutable));
}

TEST_F(PublishChannelTest, ReturnsComeInTheOrderOfPublishing) {
  publish("same");
  publish("other");
  publish("same");
  ASSERT_TRUE(return_whole("other").ok());
  ASSERT_TRUE(return_whole("same").ok());
  ASSERT_TRUE(ack(3, true).ok());
  EXPECT_THAT(codes(), ElementsAre(StatusCode::ok, StatusCode::unroutable, StatusCode::unroutable));
}

TEST_F(PublishChannelTest, AQueueThatIsDeclaredHereIsDeclaredAgain) {
  RabbitMqConfig config;
  config.queue = "q";
  config.declare.emplace();
  publish(content_of("a"), {.key = "q", .mandatory = true, .declares = &config}, 3);
  ASSERT_TRUE(return_whole("a").ok());
  EXPECT_EQ(channel.take_gone_queue(), 3U);
  EXPECT_EQ(channel.take_gone_queue(), std::nullopt);
  ASSERT_TRUE(ack(1).ok());
  EXPECT_EQ(events.completed.at(0).code, StatusCode::unavailable) << "the message is sent again";
  EXPECT_EQ(events.completed[0].persistence, Persistence::not_persisted);
  EXPECT_THAT(events.completed[0].text, HasSubstr("is declared again"));
}

// Nacks

TEST_F(PublishChannelTest, ANackIsRejectedAndPossiblyPersisted) {
  publish("a");
  ASSERT_TRUE(nack(1).ok());
  EXPECT_EQ(events.completed.at(0).code, StatusCode::rejected);
  EXPECT_EQ(events.completed[0].persistence, Persistence::possibly_persisted)
      << "RabbitMQ also nacks what a queue's process had written before it died";
}

TEST_F(PublishChannelTest, ACloseThatTheBrokerSentAtTheSameTimeCounts) {
  channel.close_sent(now());
  channel.closed_by_broker({StatusCode::unavailable, "why"}, Persistence::possibly_persisted, events);
  EXPECT_FALSE(channel.close_confirmed());
  EXPECT_EQ(channel.state(), State::closed);
}

// Channel errors

TEST_F(PublishChannelTest, AMessageThatWasAloneIsTheCauseOfAChannelError) {
  publish(content_of("a"), {.key = "forbidden"}, 5);
  const auto cause = channel.closed_by_broker(refusal, Persistence::not_persisted, events);
  ASSERT_TRUE(cause);
  EXPECT_EQ(cause->destination, 5U);
  EXPECT_EQ(cause->routing_key, "forbidden");
  EXPECT_EQ(events.completed.at(0).code, StatusCode::permission_denied);
  EXPECT_EQ(events.completed[0].persistence, Persistence::not_persisted);
}

TEST_F(PublishChannelTest, TheLastUnconfirmedOneIsTheCauseAlthoughOthersAreBeforeIt) {
  publish("a");
  publish("b", 7);
  publish("c");
  ASSERT_TRUE(ack(3).ok());
  ASSERT_TRUE(ack(1).ok());
  EXPECT_EQ(channel.closed_by_broker(refusal, Persistence::not_persisted, events)->destination, 7U);
}

TEST_F(PublishChannelTest, AmongOthersTheCauseIsNotKnown) {
  publish("good");
  publish("bad");
  EXPECT_FALSE(channel.closed_by_broker(refusal, Persistence::not_persisted, events));
  EXPECT_EQ(channel.state(), State::closed);
  ASSERT_THAT(events.ids(), ElementsAre("good", "bad"));
  EXPECT_EQ(events.completed[1].code, StatusCode::unavailable);
  EXPECT_EQ(events.completed[1].persistence, Persistence::possibly_persisted);
  EXPECT_THAT(events.completed[1].text, HasSubstr("no write access"));
  EXPECT_EQ(publishers[0].unconfirmed(), 0U);
  EXPECT_EQ(publishers[0].offer(message(content_of("good")), false, now()), Publisher::Decision::new_channel);
}

TEST_F(PublishChannelTest, AReasonThatPassesIsNobodysFault) {
  publish("a");
  EXPECT_FALSE(channel.closed_by_broker({StatusCode::unavailable, "541"}, Persistence::possibly_persisted, events));
  EXPECT_EQ(events.completed.at(0).persistence, Persistence::possibly_persisted);
  EXPECT_EQ(publishers[0].offer(message(content_of("a")), false, now()), Publisher::Decision::publish);
}

// How much it takes, and time

TEST_F(PublishChannelTest, TakesNoMoreThanTheBrokerReadsUntilConfirmationsCome) {
  for (std::size_t i = 0; i < PublishChannel::safe_window; ++i) {
    ASSERT_TRUE(channel.has_room(now()));
    publish("a");
  }
  EXPECT_FALSE(channel.has_room(now()));
  ASSERT_TRUE(ack(200).ok()) << "the last one; the others are still before it";
  EXPECT_TRUE(channel.has_room(now())) << "the broker confirms";
  publish("a");
  EXPECT_FALSE(channel.has_room(now()));
  ASSERT_TRUE(ack(0, true).ok());
  for (std::size_t i = 0; i < 2 * PublishChannel::safe_window; ++i) {
    ASSERT_TRUE(channel.has_room(now())) << i;
    publish("a");
  }
}

TEST_F(PublishChannelTest, ThatNothingIsConfirmedIsNoticed) {
  EXPECT_FALSE(channel.has_times());
  for (std::size_t i = 0; i < PublishChannel::safe_window; ++i) publish("a");
  ASSERT_TRUE(ack(0, true).ok());
  for (std::size_t i = 0; i < PublishChannel::safe_window + 1; ++i) publish("a");
  EXPECT_TRUE(channel.has_times());
  EXPECT_TRUE(channel.over_safe_window());
  EXPECT_FALSE(channel.stalled(now()));
  EXPECT_TRUE(channel.has_room(now()));
  *events.time += 500ms;
  EXPECT_TRUE(channel.stalled(now()));
  EXPECT_FALSE(channel.has_room(now()));
  EXPECT_FALSE(channel.is_hopeless(now()));
  *events.time += 29'500ms;
  EXPECT_TRUE(channel.is_hopeless(now()));
  channel.restart_times(now());
  EXPECT_FALSE(channel.stalled(now()));
}

TEST_F(PublishChannelTest, AnOpenWithoutAnAnswerIsNoticed) {
  channel.opened(now());
  EXPECT_TRUE(channel.has_times());
  EXPECT_FALSE(channel.is_unanswered(now() + 4'999ms));
  EXPECT_TRUE(channel.is_unanswered(now() + 5s));
  channel.open_confirmed(now());
  EXPECT_FALSE(channel.is_unanswered(now() + 5s));
}

TEST_F(PublishChannelTest, ASilentChannelOfSeveralIsNoticed) {
  publish("a", 0);
  EXPECT_FALSE(channel.is_held_up(now() + 1h)) << "nobody else waits";
  publish("b", 1);
  EXPECT_FALSE(channel.is_held_up(now() + 4'999ms));
  EXPECT_TRUE(channel.is_held_up(now() + 5s));
  events.time = start + 4s;
  publish("c", 1);
  ASSERT_TRUE(ack(2).ok());
  EXPECT_FALSE(channel.is_held_up(start + 8s)) << "it has confirmed something";
  EXPECT_TRUE(channel.is_held_up(start + 9s));
  ASSERT_TRUE(ack(3).ok());
  EXPECT_FALSE(channel.is_held_up(start + 1h));
}

TEST_F(PublishChannelTest, WhoIsHeldUpGoesOnAlone) {
  publish("a", 0);
  publish("b", 1);
  channel.given_up({StatusCode::unavailable, "silent"}, events);
  EXPECT_EQ(channel.unconfirmed(), 0U);
  ASSERT_EQ(events.completed.size(), 2U);
  for (const RecordedEvents::Completed& each : events.completed) {
    EXPECT_EQ(each.code, StatusCode::unavailable);
    EXPECT_EQ(each.persistence, Persistence::possibly_persisted);
  }
  for (const std::uint32_t destination : {0U, 1U}) {
    EXPECT_EQ(publishers[destination].offer(message(content_of("again"), destination), /*alone=*/false, now()),
              Publisher::Decision::new_channel);
  }
}

}  // namespace
}  // namespace action_triggers::detail
