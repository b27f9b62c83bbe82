// SPDX-License-Identifier: MIT
#include "base/hash_table.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace action_triggers::detail {
namespace {

constexpr auto whichever = [](int) { return true; };

TEST(HashTableTest, AnEmptyOneFindsNothing) { EXPECT_EQ(HashTable<int>().find(0, whichever), nullptr); }

TEST(HashTableTest, FindsAllThatWereAddedWhileItGrows) {
  HashTable<int> table;
  for (int i = 0; i < 1000; ++i) {
    table.add(hash_of(std::to_string(i)), i);
    ASSERT_EQ(table.size(), static_cast<std::size_t>(i) + 1);
    for (int known = 0; known <= i; known += 1 + i / 20) {
      const int* const found = table.find(hash_of(std::to_string(known)), whichever);
      ASSERT_NE(found, nullptr) << known << " of " << i;
      EXPECT_EQ(*found, known);
    }
  }
  EXPECT_EQ(table.find(hash_of("1000"), whichever), nullptr);
}

TEST(HashTableTest, ValuesUnderOneHashAreToldApart) {
  HashTable<int> table;
  for (int i = 0; i < 10; ++i) table.add(7, i);
  for (int i = 0; i < 10; ++i) {
    int* const found = table.find(7, [&](int value) { return value == i; });
    ASSERT_NE(found, nullptr) << i;
    EXPECT_EQ(*found, i);
  }
  EXPECT_EQ(table.find(7, [](int value) { return value == 10; }), nullptr);
}

// Numbered names are what people have. A hash that misses the digits would make each look-up a walk.
TEST(HashTableTest, NumberedTextsSpread) {
  constexpr int bits = 11;
  for (const std::string prefix : {"", "b", "orders", "broker-", "a-rather-long-name-of-a-broker-"}) {
    for (const std::string suffix : {"", "-eu", "-with-a-long-ending"}) {
      std::set<std::uint64_t> places;
      for (int i = 0; i < 1'000; ++i) places.insert(hash_of(prefix + std::to_string(i) + suffix) >> (64 - bits));
      EXPECT_GT(places.size(), 700U) << prefix << "…" << suffix;  // of 2,048; at random: 791
    }
  }
}

}  // namespace
}  // namespace action_triggers::detail
