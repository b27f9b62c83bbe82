// SPDX-License-Identifier: MIT
// Confirmations, returns, and what happens after trouble, without a server.
#include "brokers/rabbitmq/publish_channel.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

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
using Decision = PublishChannel::Decision;
using State = PublishChannel::State;

constexpr TimePoint start{1h};

class PublishChannelTest : public ::testing::Test {
 protected:
  PublishChannelTest() { channel.opened(); }

  OfferedMessage& message(const std::string& id, std::uint32_t attempt = 1, std::uint32_t destination = 0) {
    Message content;
    content.body = "body";
    content.id = id;
    return messages.emplace_back(content, destination, attempt);
  }
  /// Publishes a message with nothing in its way.
  void publish(const std::string& id, std::uint32_t attempt = 1, std::uint32_t destination = 0) {
    OfferedMessage& offered = message(id, attempt, destination);
    ASSERT_EQ(channel.offer(offered, now), Decision::publish) << id;
    channel.published(offered);
  }
  Decision offer(const std::string& id, std::uint32_t attempt, std::uint32_t destination = 0) {
    return channel.offer(message(id, attempt, destination), now);
  }
  Status ack(std::uint64_t tag, bool multiple = false) {
    return channel.confirmed(tag, multiple, Confirmation::ack, events);
  }
  Status nack(std::uint64_t tag, bool multiple = false) {
    return channel.confirmed(tag, multiple, Confirmation::nack, events);
  }
  void return_whole(const std::string& id, std::uint64_t body = 0) {
    channel.return_begins(312, "NO_ROUTE", "q");
    EXPECT_TRUE(channel.return_header(id, body).ok());
    if (body > 0) {
      EXPECT_TRUE(channel.return_body(body).ok());
    }
  }
  /// The channel is closed by the broker and opened again, as the broker does it.
  std::optional<std::size_t> close_and_open(const Status& why) {
    const auto cause = channel.closed_by_broker(why, events);
    EXPECT_EQ(channel.state(), State::closed);
    channel.opened();
    return cause;
  }

  std::deque<OfferedMessage> messages;
  RecordedEvents events;
  TimePoint now = start;
  PublishChannel channel{2, ""};
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
  channel.reset();
  channel.opened();
  publish("b", 2);
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
  return_whole("b");
  EXPECT_THAT(events.completed, IsEmpty()) << "its ack follows";
  EXPECT_TRUE(ack(2, true).ok());
  ASSERT_THAT(events.ids(), ElementsAre("a", "b"));
  EXPECT_EQ(events.completed[0].code, StatusCode::ok);
  EXPECT_EQ(events.completed[1].code, StatusCode::unroutable);
  EXPECT_EQ(events.completed[1].persistence, Persistence::not_persisted);
  EXPECT_THAT(events.completed[1].text, HasSubstr("312 NO_ROUTE; declare the queue 'q'"));
}

TEST_F(PublishChannelTest, AReturnThroughAnExchangeSaysWhatToBind) {
  PublishChannel exchange(3, "events");
  exchange.opened();
  exchange.published(message("a"));
  exchange.return_begins(312, "NO_ROUTE", "created");
  ASSERT_TRUE(exchange.return_header("a", 0).ok());
  ASSERT_TRUE(exchange.confirmed(1, false, Confirmation::ack, events).ok());
  EXPECT_THAT(events.completed.at(0).text, HasSubstr("the exchange 'events' for the routing key 'created'"));
}

TEST_F(PublishChannelTest, AReturnMayComeInPieces) {
  publish("a");
  channel.return_begins(312, "NO_ROUTE", "q");
  EXPECT_TRUE(channel.in_return());
  EXPECT_TRUE(channel.return_header("a", 10).ok());
  EXPECT_TRUE(channel.return_body(4).ok());
  EXPECT_TRUE(channel.in_return());
  EXPECT_TRUE(channel.return_body(6).ok());
  EXPECT_FALSE(channel.in_return());
  ASSERT_TRUE(ack(1).ok());
  EXPECT_EQ(events.completed[0].code, StatusCode::unroutable);
}

TEST_F(PublishChannelTest, PiecesThatNothingAnnouncedAreErrors) {
  publish("a");
  EXPECT_FALSE(channel.return_header("a", 0).ok());
  EXPECT_FALSE(channel.return_body(4).ok());
  channel.return_begins(312, "NO_ROUTE", "q");
  EXPECT_FALSE(channel.return_body(4).ok()) << "before the header";
  ASSERT_TRUE(channel.return_header("a", 4).ok());
  EXPECT_FALSE(channel.return_header("a", 4).ok()) << "a second header";
}

TEST_F(PublishChannelTest, AReturnThatNeverEndsIsForgottenWithItsConnection) {
  publish("a");
  channel.return_begins(312, "NO_ROUTE", "q");
  ASSERT_TRUE(channel.return_header("a", 10).ok());
  channel.lost({StatusCode::unavailable, "gone"}, events);
  EXPECT_EQ(events.completed.at(0).code, StatusCode::unavailable);
  channel.reset();
  channel.opened();
  EXPECT_FALSE(channel.in_return());
  publish("a", 2);
  EXPECT_TRUE(ack(1).ok());
  EXPECT_EQ(events.completed.at(1).code, StatusCode::ok);
}

TEST_F(PublishChannelTest, AReturnOfAnUnknownMessageChangesNothing) {
  publish("a");
  return_whole("somebody else's", 3);
  ASSERT_TRUE(ack(1).ok());
  EXPECT_EQ(events.completed[0].code, StatusCode::ok);
}

TEST_F(PublishChannelTest, AMessageReturnedTwiceUnderOneIdIsTwoMessages) {
  publish("same");
  publish("same");
  return_whole("same");
  return_whole("same");
  ASSERT_TRUE(ack(2, true).ok());
  EXPECT_EQ(events.completed[0].code, StatusCode::unroutable);
  EXPECT_EQ(events.completed[1].code, StatusCode::unroutable);
}

// After a nack

TEST_F(PublishChannelTest, ANackIsRejectedAndNotPersistedBehindTheDefaultExchange) {
  publish("a");
  ASSERT_TRUE(nack(1).ok());
  EXPECT_EQ(events.completed.at(0).code, StatusCode::rejected);
  EXPECT_EQ(events.completed[0].persistence, Persistence::not_persisted);
}

TEST_F(PublishChannelTest, ANackIsRejectedAndPossiblyPersistedBehindAnExchange) {
  PublishChannel exchange(3, "events");
  exchange.opened();
  exchange.published(message("a"));
  ASSERT_TRUE(exchange.confirmed(1, false, Confirmation::nack, events).ok());
  EXPECT_EQ(events.completed.at(0).persistence, Persistence::possibly_persisted);
}

TEST_F(PublishChannelTest, ANackedMessageIsSentAgainOnANewChannel) {
  publish("a");
  ASSERT_TRUE(nack(1).ok());
  EXPECT_EQ(offer("new", 1), Decision::publish) << "a first attempt need not wait for it";
  EXPECT_EQ(offer("a", 2), Decision::renew_channel);
  channel.close_sent();
  EXPECT_EQ(channel.state(), State::closing);
  EXPECT_TRUE(channel.close_confirmed());
  EXPECT_EQ(channel.state(), State::closed);
  channel.opened();
  EXPECT_EQ(offer("a", 2), Decision::publish);
}

TEST_F(PublishChannelTest, TheChannelIsRenewedOnceASecondAtMost) {
  publish("a");
  ASSERT_TRUE(nack(1).ok());
  ASSERT_EQ(offer("a", 2), Decision::renew_channel);
  channel.opened();
  publish("a", 2);
  ASSERT_TRUE(nack(1).ok());
  now += 999ms;
  EXPECT_EQ(offer("a", 3), Decision::publish);
  now += 1ms;
  EXPECT_EQ(offer("a", 3), Decision::renew_channel);
}

TEST_F(PublishChannelTest, TheChannelIsRenewedWhenItIsEmpty) {
  publish("a");
  publish("b");
  ASSERT_TRUE(nack(1).ok());
  EXPECT_EQ(offer("a", 2), Decision::wait);
  ASSERT_TRUE(ack(2).ok());
  EXPECT_EQ(offer("a", 2), Decision::renew_channel);
}

TEST_F(PublishChannelTest, ACloseThatTheBrokerSentAtTheSameTimeCounts) {
  channel.close_sent();
  channel.closed_by_broker({StatusCode::unavailable, "why"}, events);
  EXPECT_FALSE(channel.close_confirmed());
  EXPECT_EQ(channel.state(), State::closed);
}

// After a channel error

TEST_F(PublishChannelTest, AMessageThatWasAloneIsTheCauseOfAChannelError) {
  publish("a", 1, 5);
  EXPECT_EQ(close_and_open(refusal), 5U);
  EXPECT_EQ(events.completed.at(0).code, StatusCode::permission_denied);
  EXPECT_EQ(events.completed[0].persistence, Persistence::not_persisted);
}

TEST_F(PublishChannelTest, TheLastUnconfirmedOneIsTheCauseAlthoughOthersAreBeforeIt) {
  publish("a");
  publish("b", 1, 7);
  publish("c");
  ASSERT_TRUE(ack(3).ok());
  ASSERT_TRUE(ack(1).ok());
  EXPECT_EQ(close_and_open(refusal), 7U);
}

TEST_F(PublishChannelTest, AmongOthersTheCauseIsFoundOneAtATime) {
  publish("good");
  publish("bad");
  EXPECT_EQ(close_and_open(refusal), std::nullopt);
  ASSERT_THAT(events.ids(), ElementsAre("good", "bad"));
  EXPECT_EQ(events.completed[1].code, StatusCode::unavailable);
  EXPECT_EQ(events.completed[1].persistence, Persistence::possibly_persisted);
  EXPECT_THAT(events.completed[1].text, HasSubstr("no write access"));

  publish("good", 2);
  EXPECT_EQ(offer("bad", 2), Decision::wait) << "it goes alone";
  EXPECT_EQ(offer("new", 1), Decision::wait) << "nothing goes with one that goes alone";
  ASSERT_TRUE(ack(1).ok());
  publish("bad", 2);
  EXPECT_EQ(close_and_open(refusal), 0U);
  EXPECT_EQ(events.completed.back().code, StatusCode::permission_denied);
}

TEST_F(PublishChannelTest, AfterAChannelErrorFirstAttemptsStillGoTogether) {
  publish("a");
  publish("b");
  close_and_open(refusal);
  publish("c");
  publish("d");
  EXPECT_EQ(channel.unconfirmed(), 2U);
}

TEST_F(PublishChannelTest, AReasonThatPassesIsNobodysFault) {
  publish("a");
  EXPECT_EQ(close_and_open({StatusCode::unavailable, "541 INTERNAL_ERROR"}), std::nullopt);
  EXPECT_EQ(events.completed.at(0).persistence, Persistence::possibly_persisted);
}

TEST_F(PublishChannelTest, ANewConnectionForgetsTheTrouble) {
  publish("a");
  publish("b");
  ASSERT_TRUE(nack(2).ok());
  channel.closed_by_broker({StatusCode::unavailable, "why"}, events);
  channel.reset();
  channel.opened();
  publish("a", 2);
  publish("b", 2);
  EXPECT_EQ(channel.unconfirmed(), 2U);
}

// The reservation

class ReservedPublishChannelTest : public PublishChannelTest {
 protected:
  /// Destination 1 waits for the channel to be empty, which "slow" prevents.
  ReservedPublishChannelTest() {
    publish("a");
    publish("b");
    close_and_open(refusal);
    publish("slow");
    EXPECT_EQ(offer("retried", 2, 1), Decision::wait);
  }
};

TEST_F(ReservedPublishChannelTest, KeepsOtherDestinationsAway) {
  EXPECT_EQ(offer("other", 1, 0), Decision::wait);
  ASSERT_TRUE(ack(1).ok());
  EXPECT_EQ(offer("other", 1, 0), Decision::wait) << "the channel is empty, and reserved";
  EXPECT_EQ(offer("retried", 2, 1), Decision::publish);
}

TEST_F(ReservedPublishChannelTest, EndsWithWhatItWasFor) {
  ASSERT_TRUE(ack(1).ok());
  publish("retried", 2, 1);
  ASSERT_TRUE(ack(2).ok());
  EXPECT_EQ(offer("other", 1, 0), Decision::publish);
}

TEST_F(ReservedPublishChannelTest, EndsAfterASecond) {
  now += 999ms;
  EXPECT_EQ(offer("other", 1, 0), Decision::wait);
  now += 1ms;
  EXPECT_EQ(offer("other", 1, 0), Decision::publish);
}

TEST_F(ReservedPublishChannelTest, EndsWhenItsDestinationIsRemoved) {
  channel.forget_destination(0);
  EXPECT_EQ(offer("other", 1, 0), Decision::wait);
  channel.forget_destination(1);
  EXPECT_EQ(offer("other", 1, 0), Decision::publish);
}

TEST_F(PublishChannelTest, UsedForAnotherExchangeItKnowsNothingOfTheOldOne) {
  publish("a");
  ASSERT_TRUE(nack(1).ok());
  channel.use_for("events");
  EXPECT_EQ(channel.exchange(), "events");
  EXPECT_EQ(offer("a", 2), Decision::publish);
}

}  // namespace
}  // namespace action_triggers::detail
