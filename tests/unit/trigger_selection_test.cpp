// SPDX-License-Identifier: MIT
// Which triggers are candidates for an event; that none is missing is found out at random, against evaluating them all.
#include "triggers/trigger_selection.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "support/condition_text.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TriggerSelectionTest : public ::testing::Test {
 protected:
  /// `when`: empty: none.
  void add(const std::vector<std::string>& events, const std::string& when = {}) {
    auto trigger = std::make_unique<TriggerConfig>();
    trigger->events = events;
    if (!when.empty()) trigger->when = tests::condition_of(when);
    triggers_.push_back(std::move(trigger));
  }
  /// Further triggers for "e", so that those with their field are worth to be looked up.
  void add_others(const std::string& field, int count = 6) {
    for (int i = 0; i < count; ++i) add({"e"}, R"({")" + field + R"(": ["other-)" + std::to_string(i) + R"("]})");
  }
  std::vector<std::uint32_t> found(const std::string& event, const std::string& payload) {
    if (selection_ == nullptr) {
      std::vector<const TriggerConfig*> all;
      for (const auto& trigger : triggers_) all.push_back(trigger.get());
      selection_ = std::make_unique<TriggerSelection>(all);
    }
    const auto indexes = selection_->find(event, payload, search_);
    return {indexes.begin(), indexes.end()};
  }
  /// All of the name whose `when` matches, which has to be asked of each one.
  std::vector<std::uint32_t> matching(const std::string& payload) {
    PayloadJson json;
    EXPECT_TRUE(json.read(payload));
    std::vector<std::uint32_t> all;
    for (std::uint32_t i = 0; i < triggers_.size(); ++i) {
      if (!triggers_[i]->when || triggers_[i]->when->matches(json.root())) all.push_back(i);
    }
    return all;
  }
  [[nodiscard]] std::uint64_t left_out(std::uint32_t trigger) const { return selection_->left_out(trigger); }

  std::vector<std::unique_ptr<TriggerConfig>> triggers_;
  std::unique_ptr<TriggerSelection> selection_;
  TriggerSelection::Search search_;
};

TEST_F(TriggerSelectionTest, AStringSelectsThoseThatWantIt) {
  add({"e"}, R"({"status": ["paid"]})");
  add_others("status");
  add({"e"}, R"({"status": ["paid", "sent"], "total": [{"numeric": [">", 1]}]})");
  add({"e"});
  add({"e"}, R"({"status": [{"prefix": "p"}]})");
  EXPECT_THAT(found("e", R"({"status": "paid"})"), ElementsAre(0, 7, 8, 9));
  EXPECT_THAT(found("e", R"({"status": "sent"})"), ElementsAre(7, 8, 9));
  EXPECT_THAT(found("e", R"({"status": "\u0070aid"})"), ElementsAre(0, 7, 8, 9)) << "an escape";
  EXPECT_THAT(found("e", R"({"status": "paid", "status": "new"})"), ElementsAre(8, 9)) << "the last one counts";
  EXPECT_THAT(found("e", R"({"status": ["new", ["sent", "paid"], 1, "sent"]})"), ElementsAre(0, 7, 8, 9));
  for (const char* payload : {"{}", R"({"status": 1})", R"({"status": {"status": "paid"}})", R"("paid")", "null"}) {
    EXPECT_THAT(found("e", payload), ElementsAre(8, 9)) << payload;
  }
  EXPECT_THAT(found("else", R"({"status": "paid"})"), IsEmpty());
}

TEST_F(TriggerSelectionTest, AListOnTheWaySelectsAll) {
  add({"e"}, R"({"a": {"b": ["x"]}})");
  add_others("a.b", 5);
  EXPECT_THAT(found("e", R"({"a": {"b": "x"}})"), ElementsAre(0));
  EXPECT_THAT(found("e", R"({"a": [{"b": "x"}]})"), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(found("e", R"([{"a": {"b": "x"}}])"), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST_F(TriggerSelectionTest, ALongListSelectsNoMoreThanThereAre) {
  for (int i = 0; i < 100; ++i) add({"e"}, R"({"a": ["x"]})");
  std::string list = R"(["x")";
  for (int i = 0; i < 10'000; ++i) list += R"(,"x")";
  EXPECT_EQ(found("e", R"({"a": )" + list + "]}").size(), 100U);
  EXPECT_LE(search_.triggers.capacity(), 1'000U);
}

TEST_F(TriggerSelectionTest, WhatNeedNotHoldIsNoKey) {
  for (int i = 0; i < 8; ++i) {
    const std::string text = "\"x" + std::to_string(i) + "\"";
    add({"e"}, R"({"$or": [{"a": [)" + text + R"(]}, {"b": [1]}]})");
    add({"e"}, R"({"$not": {"a": [)" + text + "]}}");
    add({"e"}, R"({"/a/0": [)" + text + "]}");
    add({"e"}, R"({"a": [)" + text + ", 1]}");
  }
  EXPECT_EQ(found("e", R"({"a": "none"})").size(), 32U);
}

TEST_F(TriggerSelectionTest, TheFieldThatTellsTriggersApartIsTaken) {
  for (int i = 0; i < 10; ++i) {
    add({"e"}, R"({"kind": ["order"], "id": ["id-)" + std::to_string(i) + R"("], "state": ["new"]})");
  }
  EXPECT_THAT(found("e", R"({"kind": "order", "id": "id-7", "state": "new"})"), ElementsAre(7));
}

TEST_F(TriggerSelectionTest, WhatIsNoJsonSelectsAll) {
  add_others("a");
  add({"f"});
  EXPECT_THAT(found("e", "{"), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(search_.is_json, false);
  EXPECT_FALSE(search_.json.error().text.empty());
}

TEST_F(TriggerSelectionTest, APayloadIsReadOnlyForThoseWhoLookIntoIt) {
  add_others("a");
  add({"f"});
  add({"f.#", "f"});
  EXPECT_THAT(found("f", "{"), ElementsAre(6, 7));
  EXPECT_EQ(search_.is_json, std::nullopt);
  EXPECT_THAT(found("e", "{}"), IsEmpty());
  EXPECT_EQ(search_.is_json, true);
  EXPECT_THAT(search_.buckets, ElementsAre(0)) << "the name is known";
  EXPECT_THAT(found("none", "{}"), IsEmpty());
  EXPECT_EQ(search_.is_json, std::nullopt);
  EXPECT_THAT(search_.buckets, IsEmpty());
}

TEST_F(TriggerSelectionTest, EventsThatLeaveATriggerOutAreCounted) {
  add({"e"}, R"({"a": ["x"]})");
  add_others("a");
  add({"e", "#"}, R"({"a": ["x"]})");  // of several patterns: it is a candidate each time
  for (int i = 0; i < 3; ++i) found("e", R"({"a": "x"})");
  for (int i = 0; i < 4; ++i) found("e", R"({"a": "y"})");
  found("e", "{");
  found("f", R"({"a": "y"})");
  EXPECT_EQ(left_out(0), 4U);
  EXPECT_EQ(left_out(1), 7U);
  EXPECT_EQ(left_out(7), 0U);
}

class Random {
 public:
  std::size_t below(std::size_t count) { return random_() % count; }
  std::string name() { return std::string(1, static_cast<char>('a' + below(3))); }
  std::string text() { return "\"v" + std::to_string(below(4)) + "\""; }

  std::string value(std::size_t depth) {
    const std::size_t kind = below(depth == 0 ? 4 : 9);
    if (kind < 3) return text();
    if (kind == 3) return std::to_string(below(2));
    std::string inside;
    const std::size_t count = below(4);
    for (std::size_t i = 0; i < count; ++i) {
      inside += (i == 0 ? "" : ", ") + (kind < 7 ? "\"" + name() + "\": " : "") + value(depth - 1);
    }
    return kind < 7 ? "{" + inside + "}" : "[" + inside + "]";
  }
  /// Mostly an object.
  std::string payload() {
    if (below(5) == 0) return value(3);
    return "{\"a\": " + value(2) + ", \"b\": " + value(2) + ", \"c\": " + value(2) + "}";
  }
  std::string matchers() {
    if (below(6) == 0) return R"([{"exists": false}])";
    if (below(6) == 0) return "[" + text() + ", 1]";
    return below(2) == 0 ? "[" + text() + "]" : "[" + text() + ", " + text() + "]";
  }
  std::string condition(std::size_t depth) {
    std::string inside;
    std::vector<std::string> names{"a", "b", "c", "/a/0", "/b/1"};
    std::shuffle(names.begin(), names.end(), random_);
    names.resize(1 + below(2));
    for (const std::string& name : names) {
      inside += (inside.empty() ? "\"" : ", \"") + name +
                "\": " + (depth == 0 || below(2) == 0 ? matchers() : condition(depth - 1));
    }
    if (below(8) == 0) inside += R"(, "$not": )" + condition(0);
    if (below(8) == 0) inside += R"(, "$or": [)" + condition(0) + ", " + condition(0) + "]";
    return "{" + inside + "}";
  }

 private:
  std::mt19937 random_{15};
};

TEST_F(TriggerSelectionTest, NoTriggerThatMatchesIsLeftOut) {
  Random random;
  std::size_t candidates = 0;
  std::size_t matches = 0;
  constexpr std::size_t count = 200;
  for (int round = 0; round < 30; ++round) {
    triggers_.clear();
    selection_.reset();
    for (std::size_t i = 0; i < count; ++i) {
      const std::vector<std::vector<std::string>> events{{"e"}, {"e"}, {"e"}, {"e"},      {"e"},
                                                         {"#"}, {"#"}, {"#"}, {"e", "*"}, {"e", "e"}};
      add(events[random.below(events.size())], random.below(20) == 0 ? "" : random.condition(2));
    }
    for (int i = 0; i < 200; ++i) {
      const std::string payload = random.payload();
      const auto chosen = found("e", payload);
      EXPECT_TRUE(std::is_sorted(chosen.begin(), chosen.end()));
      EXPECT_EQ(std::adjacent_find(chosen.begin(), chosen.end()), chosen.end());
      const auto wanted = matching(payload);
      ASSERT_TRUE(std::includes(chosen.begin(), chosen.end(), wanted.begin(), wanted.end())) << payload;
      candidates += chosen.size();
      matches += wanted.size();
    }
  }
  EXPECT_GT(matches, 10'000U);
  EXPECT_LT(candidates, std::size_t{30} * 200 * count * 9 / 10) << "otherwise nothing is selected";
}

}  // namespace
}  // namespace action_triggers::detail
