// SPDX-License-Identifier: MIT
// JSON with comments as a tree, and where everything in it stands.
#include "config/document.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/memory.hpp"
#include "unit/config_support.hpp"

namespace action_triggers {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using tests::problems_of;

TEST(DocumentTest, CommentsOfThreeKinds) {
  const Config config = parse_config(R"(# one
{ // two
  "brokers": { /* three
   { */ "b": {"broker_type": "memory", "conn_details": {"server": "a # b // c /* d */ \" // e"}} # four
}})");
  EXPECT_EQ(config.find_as<MemoryConfig>("b")->server, "a # b // c /* d */ \" // e");
}

TEST(DocumentTest, ByteOrderMarkAndLineEndsOfWindows) {
  EXPECT_NE(parse_config("\xEF\xBB\xBF{\r\n\"brokers\": {\"b\": {\"broker_type\": \"memory\"}}\r\n}").find("b"),
            nullptr);
}

TEST(DocumentTest, NamesAreWhateverJsonCanHold) {
  EXPECT_NE(parse_config(R"({"brokers": {"a/b~c é \" ": {"broker_type": "memory"}}})").find("a/b~c é \" "), nullptr);
}

TEST(DocumentTest, AMillionBracketsAreOneProblem) {
  EXPECT_THAT(problems_of([] { return parse_config(std::string(1'000'000, '[')); }),
              ElementsAre("Nested deeper than 64 levels."));
  std::string deep;
  for (int i = 0; i < 150'000; ++i) deep += "{\"a\":";
  EXPECT_THAT(problems_of([&] { return parse_config(deep); }), ElementsAre("Nested deeper than 64 levels."));
}

TEST(DocumentTest, SixtyFourLevelsAreFine) {
  BrokerRegistry registry;
  registry.add("mine", [](const BrokerConfig&) { return std::unique_ptr<Broker>(); });
  const auto text = [](std::size_t lists) {  // params is the fourth level
    return R"({"brokers": {"b": {"broker_type": "mine", "params": {"k": )" + std::string(lists, '[') +
           std::string(lists, ']') + "}}}}";
  };
  EXPECT_THAT(problems_of([&] { return parse_config(text(60), registry); }), IsEmpty());
  EXPECT_THAT(problems_of([&] { return parse_config(text(61), registry); }),
              ElementsAre("Nested deeper than 64 levels."));
}

TEST(DocumentTest, EveryNodeKnowsWhereItStands) {
  const std::string text = "{\"a\": /* , */ [1, -2.5e3 ,\n  true, null],\n \"b\" : {\"c\":\"d\"}}";
  const detail::TextPositions positions(text);
  std::vector<ConfigProblem> problems;
  const detail::Node root = detail::parse_document(text, positions, problems);
  EXPECT_THAT(problems, IsEmpty());
  const auto place = [&](std::size_t offset) {
    ConfigProblem at;
    positions.locate(offset, at);
    return std::to_string(at.line) + ":" + std::to_string(at.column);
  };
  const detail::Node& list = *root.find("a");
  EXPECT_EQ(place(list.offset), "1:15");
  EXPECT_EQ(place(list.items.at(0).offset), "1:16");
  EXPECT_EQ(place(list.items.at(1).offset), "1:19");
  EXPECT_EQ(place(list.items.at(2).offset), "2:3");
  EXPECT_EQ(place(list.items.at(3).offset), "2:9");
  EXPECT_EQ(place(root.members.at(1).key_offset), "3:2");
  EXPECT_EQ(place(root.find("b")->find("c")->offset), "3:13");
  EXPECT_EQ(root.find("z"), nullptr);
}

TEST(DocumentTest, CanonicalTextSortsKeys) {
  const std::string text = R"({"b": [1, 2.5, null, true], "a": {"d": "\"", "c": {}}})";
  const detail::TextPositions positions(text);
  std::vector<ConfigProblem> problems;
  EXPECT_EQ(detail::canonical_text(detail::parse_document(text, positions, problems)),
            R"({"a":{"c":{},"d":"\""},"b":[1,2.5,null,true]})");
}

TEST(DocumentTest, PointersEscapeSlashAndTilde) {
  EXPECT_EQ(detail::pointer_to("/a", "b/c~d"), "/a/b~1c~0d");
  EXPECT_EQ(detail::pointer_to("/a", 3), "/a/3");
}

}  // namespace
}  // namespace action_triggers
