// SPDX-License-Identifier: MIT
#include "base/message_id.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <utility>

namespace action_triggers::detail {
namespace {

constexpr const char* uuid_version_7 = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
constexpr std::uint64_t now = 0x0198'1234'5678ULL;

std::string next(MessageIdGenerator& ids, std::uint64_t unix_ms) {
  std::string id(MessageId::text_size, ' ');
  ids.next(unix_ms).write_text(id.data());
  return id;
}

/// The first 12 digits: milliseconds since 1970.
std::uint64_t time_of(const std::string& id) { return std::stoull(id.substr(0, 8) + id.substr(9, 4), nullptr, 16); }

TEST(MessageIdTest, WritesItsTimeAndVersionAsDigits) {
  for (const auto& [unix_ms, time] : {std::pair(0x0123456789ABULL, "01234567-89ab-7"),  // every digit there is
                                      std::pair(0xFEDCBA987654ULL, "fedcba98-7654-7")}) {
    MessageIdGenerator ids(1);
    const std::string id = next(ids, unix_ms);
    EXPECT_THAT(id, ::testing::StartsWith(time));
    EXPECT_THAT(id, ::testing::MatchesRegex(uuid_version_7));
  }
}

TEST(MessageIdTest, EveryIdHasVersionSevenAndTheVariantOfTheRfc) {
  std::set<char> variants;
  for (std::uint64_t seed = 0; seed < 1'000; ++seed) {
    MessageIdGenerator ids(seed);
    const std::string id = next(ids, now + seed);
    ASSERT_THAT(id, ::testing::MatchesRegex(uuid_version_7));
    variants.insert(id[19]);
  }
  EXPECT_THAT(variants, ::testing::ElementsAre('8', '9', 'a', 'b')) << "the two bits below are random";
}

TEST(MessageIdTest, WritesNothingBeforeOrAfterItsPlace) {
  MessageIdGenerator ids(1);
  std::string text(MessageId::text_size + 2, '#');
  ids.next(now).write_text(text.data() + 1);
  EXPECT_EQ(text.front(), '#');
  EXPECT_EQ(text.back(), '#');
  EXPECT_THAT(text.substr(1, MessageId::text_size), ::testing::MatchesRegex(uuid_version_7));
}

TEST(MessageIdTest, IncreasesWithinAMillisecondAndFromOneToTheNext) {
  MessageIdGenerator ids(7);
  std::string before;
  for (std::uint64_t ms = 0; ms < 100; ++ms) {
    for (int i = 0; i < 10; ++i) {
      const std::string id = next(ids, now + ms);
      ASSERT_LT(before, id);
      ASSERT_EQ(time_of(id), now + ms);
      before = id;
    }
  }
}

TEST(MessageIdTest, IncreasesWhenTheClockGoesBackwards) {
  MessageIdGenerator ids(7);
  std::string before = next(ids, now);
  for (const std::uint64_t back : {1ULL, 1'000ULL, 3'600'000ULL}) {
    const std::string id = next(ids, now - back);
    EXPECT_LT(before, id);
    EXPECT_EQ(time_of(id), now) << "the latest time that it saw";
    before = id;
  }
  EXPECT_LT(before, next(ids, now + 1));
}

TEST(MessageIdTest, BorrowsTheNextMillisecondWhenTheCounterIsFull) {
  MessageIdGenerator ids(7);
  std::string before = next(ids, now);
  for (int i = 0; i < 0x1000; ++i) {
    const std::string id = next(ids, now);
    ASSERT_LT(before, id);
    before = id;
  }
  EXPECT_EQ(time_of(before), now + 1);
  const std::string later = next(ids, now + 1);
  EXPECT_LT(before, later);
  EXPECT_EQ(time_of(later), now + 1);
}

TEST(MessageIdTest, GeneratorsWithDifferentSeedsDiffer) {
  std::set<std::string> ids;
  for (std::uint64_t seed = 0; seed < 1'000; ++seed) {
    MessageIdGenerator generator(seed);
    ids.insert(next(generator, now));
  }
  EXPECT_EQ(ids.size(), 1'000U);
}

}  // namespace
}  // namespace action_triggers::detail
