// SPDX-License-Identifier: MIT
// What a parser can read from an object, and what is said of what it did not get.
#include "config/section_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/json_parser.hpp"
#include "unit/config_support.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A section "s" that is the whole of a text.
class SectionReaderTest : public ::testing::Test {
 protected:
  ConfigSection read(std::string_view text) {
    positions_ = std::make_unique<TextPositions>(text);
    findings_ = std::make_unique<Findings>(Findings{*positions_});
    document_ = parse_document(text, *positions_, findings_->problems);
    SectionPlace place{.broker = "b", .section = "s", .key_prefix = {}, .pointer = "/s", .offset = 0};
    reader_ = std::make_shared<SectionReader>(*findings_, place, &document_);
    return reader_->section();
  }
  /// "column key pointer text" of each, unknown keys included.
  std::vector<std::string> problems() {
    reader_->report_unknown_keys();
    std::vector<std::string> found;
    for (const ConfigProblem& problem : findings_->problems) {
      EXPECT_EQ(problem.broker, "b");
      EXPECT_EQ(problem.section, "s");
      found.push_back(std::to_string(problem.column) + " " + problem.key + " " + problem.pointer + " " + problem.text);
    }
    return found;
  }

 private:
  std::unique_ptr<TextPositions> positions_;
  std::unique_ptr<Findings> findings_;
  Node document_;
  std::shared_ptr<SectionReader> reader_;
};

TEST_F(SectionReaderTest, ListsOfObjects) {
  ConfigSection section = read(R"({"list": [{"n": 1}, {"n": 2, "deep": {"m": 3}}]})");
  std::vector<ConfigSection> list = section.objects("list");
  ASSERT_THAT(list, SizeIs(2));
  EXPECT_EQ(list[0].integer("n"), 1);
  EXPECT_EQ(list[0].text(), std::nullopt);
  EXPECT_EQ(list[1].integer("n"), 2);
  EXPECT_EQ(list[1].object("deep").integer("m"), 3);
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(SectionReaderTest, ListsThatAreAbsentNullOrEmpty) {
  ConfigSection section = read(R"({"null": null, "empty": []})");
  EXPECT_THAT(section.objects("absent"), IsEmpty());
  EXPECT_THAT(section.objects("null"), IsEmpty());
  EXPECT_THAT(section.items("empty"), IsEmpty());
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(SectionReaderTest, ElementsHaveTheirPlaceInWhatIsWrongWithThem) {
  ConfigSection section = read(R"({"list": [{"n": 1}, {"n": "x", "deep": {"k": 1}, "nn": 2}]})");
  std::vector<ConfigSection> list = section.objects("list");
  ASSERT_THAT(list, SizeIs(2));
  EXPECT_EQ(list[0].integer("n"), 1);
  EXPECT_EQ(list[1].integer("n"), std::nullopt);
  EXPECT_EQ(list[1].required_string("m"), "");
  list[1].object("deep").problem("k", "is odd");
  list[1].problem("", "is odd too");
  EXPECT_THAT(problems(), ElementsAre("27 list.1.n /s/list/1/n The field 'n' must be an integer.",
                                      "21 list.1.m /s/list/1 The field 'm' must be provided.",
                                      "46 list.1.deep.k /s/list/1/deep/k is odd",  //
                                      "21 list.1 /s/list/1 is odd too",
                                      "46 list.1.deep.k /s/list/1/deep/k Unknown field 'k'. None is known here.",
                                      "56 list.1.nn /s/list/1/nn Unknown field 'nn'. Did you mean 'n'?"));
}

TEST_F(SectionReaderTest, ListsOfStringsAndObjects) {
  ConfigSection section = read(R"({"targets": ["orders", {"broker": "mails"}]})");
  std::vector<ConfigSection> targets = section.items("targets");
  ASSERT_THAT(targets, SizeIs(2));
  EXPECT_EQ(targets[0].text(), "orders");
  EXPECT_FALSE(targets[0].has("broker"));
  EXPECT_THAT(targets[0].keys(), IsEmpty());
  EXPECT_EQ(targets[1].text(), std::nullopt);
  EXPECT_EQ(targets[1].string("broker"), "mails");
  targets[0].problem("", "There is no broker 'orders'.");
  EXPECT_THAT(problems(), ElementsAre("14 targets.0 /s/targets/0 There is no broker 'orders'."));
}

TEST_F(SectionReaderTest, WrongTypesInLists) {
  ConfigSection section = read(R"({"a": {}, "b": ["x", {}, 1], "c": "x", "d": [null, {}, "", "\u0000"]})");
  EXPECT_THAT(section.objects("a"), IsEmpty());
  EXPECT_THAT(section.objects("b"), SizeIs(1));
  EXPECT_THAT(section.items("c"), IsEmpty());
  EXPECT_THAT(section.items("d"), SizeIs(1));
  EXPECT_THAT(problems(), ElementsAre("7 a /s/a The field 'a' must be a list of objects.",
                                      "17 b.0 /s/b/0 The field 'b.0' must be an object.",
                                      "26 b.2 /s/b/2 The field 'b.2' must be an object.",
                                      "35 c /s/c The field 'c' must be a list of strings and objects.",
                                      "46 d.0 /s/d/0 The field 'd.0' must be a string or an object.",
                                      "56 d.2 /s/d/2 The field 'd.2' must not be empty.",
                                      "60 d.3 /s/d/3 The field 'd.3' must not contain a NUL character."));
}

TEST_F(SectionReaderTest, KeysThatNobodyAskedForAreUnknown) {
  ConfigSection section = read(R"({"queue": "q", "qeue": "q", "retry": {"max": 1}})");
  EXPECT_EQ(section.string("queue"), "q");
  EXPECT_FALSE(section.object("retry").has("max_attempts"));
  EXPECT_THAT(problems(), ElementsAre("46 retry.max /s/retry/max Unknown field 'max'. Known: max_attempts.",
                                      "24 qeue /s/qeue Unknown field 'qeue'. Did you mean 'queue'?"));
}

}  // namespace
}  // namespace action_triggers::detail
