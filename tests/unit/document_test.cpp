// SPDX-License-Identifier: MIT
// JSON with comments as a tree, and where everything in it stands.
#include "config/document.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/memory.hpp"
#include "config/json_parser.hpp"
#include "support/mutated_json.hpp"
#include "unit/config_support.hpp"

namespace action_triggers {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;
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

TEST(DocumentTest, AcceptsWhatTheJsonLibraryAccepts) {
  // No comments, no equal keys, no numbers beyond a double: there the two differ on purpose.
  tests::MutatedJson mutated;
  int accepted = 0;
  for (int round = 0; round < 50'000; ++round) {
    const std::string text = mutated.next();
    const detail::TextPositions positions(text);
    std::vector<ConfigProblem> problems;
    const detail::Node node = detail::parse_document(text, positions, problems);
    std::erase_if(problems, [](const ConfigProblem& problem) { return problem.text.starts_with("The key "); });
    const nlohmann::json library = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    ASSERT_EQ(problems.empty(), !library.is_discarded()) << text << (problems.empty() ? "" : problems[0].text);
    if (!problems.empty()) continue;
    ++accepted;
    const bool has_equal_keys = library != nlohmann::json::parse(detail::canonical_text(node));
    ASSERT_TRUE(!has_equal_keys || text.find(',') != std::string::npos) << text;
  }
  EXPECT_GT(accepted, 10'000);
}

TEST(DocumentTest, CostIsThatOfTheTextWhateverIsWrongWithIt) {
  const auto object = [](const std::string& head, const std::string& tail, const auto& member) {
    std::string text = head;
    for (int i = 0; text.size() < max_config_bytes - 200; ++i) text += (i == 0 ? "" : ",") + member(std::to_string(i));
    return text + tail;
  };
  const auto unknown = [](const std::string& i) { return "\"k" + i + "\":1"; };
  const std::string in_params = R"({"brokers":{"b":{"broker_type":"rabbitmq","params":{"queue":"q",)";
  std::string deep = "\"deep\":";  // its pointers have 57 KB
  for (int i = 0; i < 58; ++i) deep += "{\"" + std::string(1000, 'k') + "\":";
  const std::vector<std::string> texts{
      object("{", "}", unknown),
      object(in_params, "}}}}", unknown),
      object(in_params + R"("declare":{"arguments":{)", "}}}}}}",
             [](const std::string& i) { return "\"k" + i + "\":{}"; }),
      object(in_params, "}}}}", [](const std::string&) { return std::string("\"queue\":1"); }),
      object("{\"brokers\":{", "}}", [](const std::string& i) { return "\"k" + i + "\":{}"; }),
      object("{\"brokers\":{", "}}",
             [](const std::string& i) { return "\"k" + i + "\":{\"broker_type\":\"memory\"}"; }),
      object("{\"brokers\":{", "}}",
             [](const std::string& i) {
               return "\"k" + i +
                      R"(":{"broker_type":"kafka","conn_details":{"bootstrap_servers":5},"params":{"tpic":1}})";
             }),
      object(R"({"brokers":{"b":{"broker_type":"kafka","params":{"topic":"t"},"conn_details":{"bootstrap_servers":[)",
             "]}}}}", [](const std::string&) { return std::string("\"a:b:c\""); }),
      object(in_params + R"("x":")", "\"}}}}", [](const std::string&) { return std::string("${NO_SUCH_VARIABLE}"); }),
      object(in_params + "\"" + std::string(1000, 'k') + "\":{", "}}}}}",
             [](const std::string& i) { return "\"k" + i + R"(":"${NO_SUCH_VARIABLE:-x}")"; }),
      "{\"" + std::string(1000, 'k') + "\":1}",
      object(in_params + deep + "\"", "\"" + std::string(58, '}') + "}}}}",
             [](const std::string&) { return std::string("${NO_SUCH_VARIABLE}"); }),
      object(in_params + deep + "[", "]" + std::string(58, '}') + "}}}}",
             [](const std::string&) { return std::string("1e400"); }),
      object(in_params + deep + "{", "}" + std::string(58, '}') + "}}}}",
             [](const std::string&) { return std::string("\"k\":1"); }),
      std::string(max_config_bytes, '{'),
      std::string(max_config_bytes, '\n'),
      std::string(max_config_bytes, '#'),
  };
  for (std::size_t i = 0; i < texts.size(); ++i) {
    SCOPED_TRACE(i);
    ASSERT_LE(texts[i].size(), max_config_bytes);
    const auto begin = std::chrono::steady_clock::now();
    std::size_t count = 0;
    try {
      static_cast<void>(parse_config(texts[i]));
    } catch (const ConfigError& error) {
      count = error.problems().size();
      EXPECT_LT(std::string(error.what()).size() + error.to_json().size(),
                15'000'000U);  // a hundred of the longest keys
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    EXPECT_LE(count, detail::max_config_problems + 1);
    // It takes a few tenths; what grew with the square took minutes. Room for sanitizers and a busy machine.
    EXPECT_LT(took.count(), 20) << texts[i].substr(0, 60);
    if (::getenv("ACTION_TRIGGERS_SHOW_TIMES") != nullptr)
      std::printf("%zu: %.3f s, %zu problems\n", i, took.count(), count);
  }
}

TEST(DocumentTest, AHundredProblemsAreToldAndTheRestIsMentioned) {
  const auto problems = [](int count) {
    std::string text = R"({"brokers": {})";
    for (int i = 0; i < count; ++i) text += ", \"k" + std::to_string(i) + "\": 1";
    return problems_of([&] { return parse_config(text + "}"); });
  };
  EXPECT_THAT(problems(100), SizeIs(100));
  EXPECT_THAT(problems(100), Each(StartsWith("Unknown field 'k")));
  const auto more = problems(250);
  EXPECT_THAT(more, SizeIs(101));
  EXPECT_EQ(more.back(), "There are more problems; these are 100 of them.");
}

TEST(DocumentTest, PointersEscapeSlashAndTilde) {
  EXPECT_EQ(detail::pointer_to("/a", "b/c~d"), "/a/b~1c~0d");
  EXPECT_EQ(detail::pointer_to("/a", 3), "/a/3");
}

}  // namespace
}  // namespace action_triggers
