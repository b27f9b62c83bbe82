// SPDX-License-Identifier: MIT
// How a destination goes on after nacks and channel errors.
#include "brokers/rabbitmq/publisher.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/rabbitmq_support.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using Decision = Publisher::Decision;

class PublisherTest : public ::testing::Test {
 protected:
  Decision offer(std::uint32_t attempt, bool alone = false) {
    return publisher.offer(tests::OfferedMessage(Message{}, 0, attempt), alone, now);
  }
  /// Publishes as many as it may, of `most`, on a channel of its own.
  std::size_t publish_group(std::size_t most) {
    std::size_t published = 0;
    while (published < most && offer(2, true) == Decision::publish) {
      publisher.published();
      ++published;
    }
    return published;
  }
  void complete(std::size_t messages) {
    for (std::size_t i = 0; i < messages; ++i) publisher.completed();
  }

  Publisher publisher;
  TimePoint now{1h};
};

TEST_F(PublisherTest, AfterANackAMessageIsSentAgainOnANewChannel) {
  publisher.published();
  publisher.nacked();
  publisher.completed();
  EXPECT_EQ(offer(1), Decision::publish) << "a first attempt need not wait for it";
  EXPECT_EQ(offer(2), Decision::new_channel);
  EXPECT_EQ(offer(2), Decision::publish);
}

TEST_F(PublisherTest, GetsANewChannelOnceASecondAtMost) {
  publisher.nacked();
  ASSERT_EQ(offer(2), Decision::new_channel);
  publisher.nacked();
  now += 999ms;
  EXPECT_EQ(offer(3), Decision::publish);
  now += 1ms;
  EXPECT_EQ(offer(3), Decision::new_channel);
}

TEST_F(PublisherTest, WaitsUntilNothingOfItsOwnIsUnconfirmed) {
  publisher.published();
  publisher.nacked();
  EXPECT_EQ(offer(2), Decision::wait);
  publisher.completed();
  EXPECT_EQ(offer(2), Decision::new_channel);
}

TEST_F(PublisherTest, ASuspectNeedsAChannelOfItsOwn) {
  publisher.suspect(10, true);
  EXPECT_EQ(offer(2, false), Decision::new_channel);
  EXPECT_EQ(publish_group(100), 10U) << "all of them: it may be another destination";
  EXPECT_EQ(offer(2, true), Decision::wait);
  complete(10);
  EXPECT_EQ(publish_group(100), 100U) << "innocent";
}

TEST_F(PublisherTest, AmongManyTheCauseIsFoundInAFewGroups) {
  // The 700th of 1,000 is at fault; what is confirmed needs no second try.
  std::size_t first = 0;
  std::size_t suspects = 1'000;
  std::size_t errors = 0;
  std::size_t round_trips = 0;
  publisher.suspect(suspects, false);
  while (true) {
    const std::size_t group = publish_group(1'000 - first);
    ++round_trips;
    complete(group);
    if (first + group <= 700) {
      first += group;
      continue;
    }
    ++errors;
    if (group == 1) break;
    publisher.suspect(group, false);
  }
  EXPECT_EQ(first, 700U);
  EXPECT_LE(errors, 3U);
  EXPECT_LE(round_trips, 40U);
  publisher.cause_found(now);
  EXPECT_EQ(publish_group(299), 299U) << "the others go together again";
}

TEST_F(PublisherTest, WhoClosedAChannelSharesNoneForTenMinutes) {
  publisher.cause_found(now);
  now += Publisher::apart_for - 1ms;
  EXPECT_FALSE(publisher.is_calm(now));
  EXPECT_EQ(offer(1), Decision::new_channel);
  EXPECT_EQ(offer(1, true), Decision::publish);
  publisher.published();
  EXPECT_EQ(offer(1), Decision::publish) << "the connection has no other one";
  publisher.completed();
  now += 1ms;
  EXPECT_TRUE(publisher.is_calm(now));
  EXPECT_EQ(offer(1), Decision::publish);
}

TEST_F(PublisherTest, ANewConnectionForgetsTheTrouble) {
  publisher.nacked();
  publisher.cause_found(now);
  publisher.suspect(10, false);
  publisher.reset();
  EXPECT_EQ(offer(2), Decision::publish);
}

}  // namespace
}  // namespace action_triggers::detail
