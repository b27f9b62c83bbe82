// SPDX-License-Identifier: MIT
// Which patterns match which names; tests/live asks RabbitMQ the same.
#include "triggers/event_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "triggers/event_pattern.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::uint32_t> found(const EventTable& table, std::string_view event) {
  static thread_local EventTable::Search search;  // of whatever table was searched before
  const auto all = table.find(event, search);
  return {all.begin(), all.end()};
}

bool matches(std::string_view pattern, std::string_view event) {
  EventTable table;
  table.add(pattern, 0);
  return !found(table, event).empty();
}

TEST(EventTableTest, MatchesAsATopicExchangeDoes) {
  struct Row {
    std::string_view pattern;
    std::string_view event;
    bool expected;
  };
  for (const auto& [pattern, event, expected] : std::vector<Row>{
           {"order.paid", "order.paid", true},
           {"order.paid", "order.paid.late", false},
           {"order.paid", "Order.paid", false},
           {"order.*", "order.paid", true},
           {"order.*", "order.", true},  // an empty word is one
           {"order.*", "order", false},
           {"order.*", "order.42.paid", false},
           {"order.*.paid", "order.42.paid", true},
           {"order.*.paid", "order.paid", false},
           {"*", "order", true},
           {"*", "", false},  // no word at all
           {"*.*", ".", true},
           {"order.#", "order", true},
           {"order.#", "order.42.paid", true},
           {"order.#", "orders", false},
           {"#", "", true},
           {"#", "a.b.c", true},
           {"#.paid", "paid", true},
           {"#.paid", "order.42.paid", true},
           {"#.paid", "order.paid.late", false},
           {"#.b.#", "a.b.c", true},
           {"#.b.#", "b", true},
           {"#.b.#", "a.c", false},
           {"#.a.#.b.#", "x.b.a.x.b", true},
           {"#.a.#.b.#", "b.a", false},
           {"a.#.a", "a", false},
           {"a.#.a", "a.a", true},
           {"*.#", "", false},
           {"#.*", "a.b", true},
           {"#.*.#.*", "a", false},
           {"#.*.#.*", "a.b", true},
           {"a*.b", "a*.b", true},  // not a word of its own
           {"a*.b", "ax.b", false},
       }) {
    EXPECT_EQ(matches(pattern, event), expected) << pattern << " " << event;
  }
}

TEST(EventTableTest, GivesTheIndexesInOrder) {
  EventTable names;
  names.add("order.paid", 0);
  names.add("else", 2);
  names.add("order.paid", 5);
  EXPECT_THAT(found(names, "order.paid"), ElementsAre(0, 5));
  EXPECT_THAT(found(names, "order"), IsEmpty());
  EventTable table;
  table.add("#", 0);
  table.add("order.paid", 1);
  table.add("order.*", 3);
  table.add("#.#", 4);  // means the same as the first one
  table.add("*.paid", 5);
  table.add("order.paid", 7);
  EXPECT_THAT(found(table, "order.paid"), ElementsAre(0, 1, 3, 4, 5, 7));
  EXPECT_THAT(found(table, "order.new"), ElementsAre(0, 3, 4));
  EXPECT_THAT(found(table, "else"), ElementsAre(0, 4));
  EXPECT_THAT(found(EventTable(), "else"), IsEmpty());
}

/// The definition, without any care for time.
bool by_definition(const std::vector<std::string>& pattern, std::size_t p, const std::vector<std::string>& name,
                   std::size_t n) {
  if (p == pattern.size()) return n == name.size();
  if (pattern[p] == "#") {
    return by_definition(pattern, p + 1, name, n) || (n < name.size() && by_definition(pattern, p, name, n + 1));
  }
  return n < name.size() && (pattern[p] == "*" || pattern[p] == name[n]) && by_definition(pattern, p + 1, name, n + 1);
}

TEST(EventTableTest, ManyPatternsInOneTableMatchByTheDefinition) {
  std::mt19937 random(15);
  const auto words = [&](const std::vector<std::string>& of, std::size_t most) {
    std::vector<std::string> all(1 + random() % most);
    for (std::string& word : all) word = of[random() % of.size()];
    return all;
  };
  const auto joined = [](const std::vector<std::string>& of) {
    std::string text;
    for (std::size_t i = 0; i < of.size(); ++i) text += (i == 0 ? "" : ".") + of[i];
    return text;
  };
  EventTable table;
  std::vector<std::vector<std::string>> patterns;
  for (std::uint32_t i = 0; i < 300; ++i) {
    patterns.push_back(words({"a", "b", "*", "#", "#"}, 6));
    table.add(joined(patterns.back()), i);
  }
  for (int i = 0; i < 2000; ++i) {
    const std::vector<std::string> name = words({"a", "b", "c"}, 7);
    std::vector<std::uint32_t> expected;
    for (std::uint32_t k = 0; k < patterns.size(); ++k) {
      if (by_definition(patterns[k], 0, name, 0)) expected.push_back(k);
    }
    ASSERT_EQ(found(table, joined(name)), expected) << joined(name);
  }
}

TEST(EventTableTest, ManyHashesDoNotExplode) {
  std::string pattern;
  std::string event;
  for (int i = 0; i < 60; ++i) pattern += "#.a.";
  for (int i = 0; i < 20'000; ++i) event += "a.";
  // By trying every way this would take longer than the world will last.
  EXPECT_FALSE(matches(pattern + "b", event + "c"));
  EXPECT_TRUE(matches(pattern + "b", event + "b"));
}

TEST(EventTableTest, ThreadsShareATable) {
  EventTable small;
  small.add("#.x", 1);
  EventTable large;
  for (std::uint32_t i = 0; i < 1000; ++i) large.add("a" + std::to_string(i) + ".#", i);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint32_t i = 0; i < 1000; ++i) {
        if (found(small, i % 2 == 0 ? "y.x" : "x.y").size() != (i + 1) % 2) ++wrong;
        const std::uint32_t wanted = (i + t) % 1000;
        if (found(large, "a" + std::to_string(wanted) + ".b") != std::vector<std::uint32_t>{wanted}) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace action_triggers::detail
