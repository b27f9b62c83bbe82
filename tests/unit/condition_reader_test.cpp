// SPDX-License-Identifier: MIT
// Conditions that are wrong: what is said, and where.
#include "triggers/condition_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/condition_text.hpp"

namespace action_triggers {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;
using tests::ConditionText;

/// "pointer: text hint" of each problem, after line 1's column.
std::vector<std::string> said_of(std::string_view when) {
  const ConditionText read(when);
  EXPECT_EQ(read.condition.has_value(), read.problems().empty()) << when;
  std::vector<std::string> all;
  for (const ConfigProblem& problem : read.problems()) {
    all.push_back(std::to_string(problem.column) + " " + problem.pointer + ": " + problem.text +
                  (problem.hint.empty() ? "" : " ") + problem.hint);
  }
  return all;
}

TEST(ConditionReaderTest, SaysWhatIsWrongAndWhere) {
  struct Row {
    std::string_view when;
    std::string_view said;
  };
  for (const auto& [when, said] : std::vector<Row>{
           {R"([1])", R"(1 /when: A condition is an object with fields, as {"status": ["paid"]}.)"},
           {R"({})", "1 /when: The condition is empty: it would always match. Leave it out, or name a field."},
           {R"({"a": {}})", "7 /when/a: The condition is empty: it would always match. Leave it out, or name a field."},
           {R"({"status": "paid"})", R"(12 /when/status: The values of a field stand in a list: write ["paid"].)"},
           {R"({"total": 99.90})", "11 /when/total: The values of a field stand in a list: write [99.90]."},
           {R"({"a": null})", "7 /when/a: The values of a field stand in a list: write [null]."},
           {R"({"a": {"numeric": [">", 5]}})",
            R"(8 /when/a/numeric: The operator 'numeric' must stand in a list: write [{"numeric": [">", 5]}]. )"
            R"(A field that is called 'numeric' is written as a JSON pointer: "/numeric".)"},
           {R"({"a": []})",
            "7 /when/a: The list is empty: no value would match. That a field is missing is "
            R"([{"exists": false}], that it is there [{"exists": true}].)"},
           {R"({"a": [[1]]})", "8 /when/a/0: A list does not stand in a list: write its values one by one."},
           {R"({"a": [{}]})", R"(8 /when/a/0: An operator is an object with one key, as {"prefix": "a"}.)"},
           {R"({"a": [1, {"prefix": "b", "suffix": "c"}]})",
            R"(11 /when/a/1: An operator is an object with one key, as {"prefix": "a"}. Several in one list are )"
            "alternatives; of a range, 'numeric' has both ends."},
           {R"({"a": [{"prefx": "b"}]})", "9 /when/a/0/prefx: Unknown operator 'prefx'. Did you mean 'prefix'?"},
           {R"({"a": [{"anything_but": "b"}]})",
            "9 /when/a/0/anything_but: Unknown operator 'anything_but'. Did you mean 'anything-but'?"},
           {R"({"a": [{">=": 5}]})", R"(9 /when/a/0/>=: Unknown operator '>='. Write {"numeric": [">=", …]}.)"},
           {R"({"a": [{"$in": [5]}]})",
            "9 /when/a/0/$in: Unknown operator '$in'. Write the values in the field's list."},
           {R"({"a": [{"cidr": "10.0.0.0/8"}]})",
            "9 /when/a/0/cidr: Unknown operator 'cidr'. Known: anything-but, equals-ignore-case, exists, numeric, "
            "prefix, "
            "suffix, wildcard."},
           {R"({"a": [{"prefix": 5}]})", R"(19 /when/a/0/prefix: The operator 'prefix' takes a string.)"},
           {R"({"a": [{"suffix": {"prefix": "a"}}]})",
            R"(19 /when/a/0/suffix: The operator 'suffix' takes a string, or {"equals-ignore-case": "…"}.)"},
           {R"({"a": [{"prefix": {"equals-ignore-case": 1}}]})",
            "42 /when/a/0/prefix/equals-ignore-case: The operator 'equals-ignore-case' takes a string."},
           {R"({"a": [{"equals-ignore-case": ["a"]}]})",
            "31 /when/a/0/equals-ignore-case: The operator 'equals-ignore-case' takes a string."},
           {R"({"a": [{"wildcard": "a**b"}]})",
            "21 /when/a/0/wildcard: Two stars must not stand side by side: one says it all."},
           {R"({"a": [{"wildcard": "*a*b*c*"}]})",
            "21 /when/a/0/wildcard: A wildcard has at most 3 stars; this one has 4."},
           {R"({"a": [{"exists": "yes"}]})", "19 /when/a/0/exists: The operator 'exists' takes true or false."},
           {R"({"a": [{"numeric": 5}]})",
            "20 /when/a/0/numeric: The operator 'numeric' takes a list of comparisons and numbers: "
            R"([">=", 100] or [">", 0, "<=", 5].)"},
           {R"({"a": [{"numeric": [">", 5, "<"]}]})",
            "20 /when/a/0/numeric: The operator 'numeric' takes a list of comparisons and numbers: "
            R"([">=", 100] or [">", 0, "<=", 5].)"},
           {R"({"a": [{"numeric": ["=>", 5]}]})",
            R"(21 /when/a/0/numeric/0: Unknown comparison "=>". Known: <, <=, =, >=, >.)"},
           {R"({"a": [{"numeric": [">", "5"]}]})",
            "26 /when/a/0/numeric/1: A number is expected here, after the comparison."},
           {R"({"a": [{"numeric": [">", 5, "<", 1]}]})",
            "20 /when/a/0/numeric: No number is in this range: its lower end is not below its upper end."},
           {R"({"a": [{"numeric": [">", 5, "<=", 5.0]}]})",
            "20 /when/a/0/numeric: No number is in this range: its lower end is not below its upper end."},
           {R"({"a": [{"numeric": [">", 5, ">=", 6]}]})",
            "20 /when/a/0/numeric: Of two comparisons, one is '>' or '>=', and the other '<' or '<='."},
           {R"({"a": [{"numeric": ["=", 5, "<", 6]}]})",
            "20 /when/a/0/numeric: Of two comparisons, one is '>' or '>=', and the other '<' or '<='."},
           {R"({"a": [{"anything-but": []}]})",
            "25 /when/a/0/anything-but: The list is empty: name at least one value."},
           {R"({"a": [{"anything-but": [["b"]]}]})",
            "26 /when/a/0/anything-but/0: In the list of 'anything-but' stand strings, numbers, true, false and null."},
           {R"({"a": [{"anything-but": {"numeric": ["=", 5]}}]})",
            "26 /when/a/0/anything-but/numeric: 'anything-but' takes no 'numeric'. Known: equals-ignore-case, prefix, "
            "suffix, wildcard."},
           {R"({"a": [{"anything-but": {"prefix": ""}}]})",
            "36 /when/a/0/anything-but/prefix: An empty string would exclude every string."},
           {R"({"a": [{"anything-but": {"prefix": ["b", 5]}}]})",
            "42 /when/a/0/anything-but/prefix/1: The operator 'prefix' takes a string."},
           {R"({"a": [{"anything-but": {"prefix": "b", "suffix": "c"}}]})",
            R"(25 /when/a/0/anything-but: 'anything-but' takes one operator: {"prefix": "…"}.)"},
           {R"({"$or": {"a": [1]}})",
            R"(9 /when/$or: '$or' takes a list of conditions, as [{"status": ["paid"]}, {"total": [0]}].)"},
           {R"({"$or": []})",
            R"(9 /when/$or: '$or' takes a list of conditions, as [{"status": ["paid"]}, {"total": [0]}].)"},
           {R"({"$or": [{"a": [1]}, 5]})",
            R"(22 /when/$or/1: A condition is an object with fields, as {"status": ["paid"]}.)"},
           {R"({"$not": [{"a": [1]}]})",
            R"(10 /when/$not: A condition is an object with fields, as {"status": ["paid"]}.)"},
           {R"({"$nor": [{"a": [1]}]})",
            "2 /when/$nor: Unknown condition '$nor'. Did you mean '$not'? "
            R"(A field of this name is written as a JSON pointer: "/$nor".)"},
           {R"({"a..b": [1]})",
            "2 /when/a..b: A name in this path is empty. A field whose name is empty or has dots is "
            R"(written as a JSON pointer: "/a.b".)"},
           {R"({"": [1]})",
            "2 /when/: A name in this path is empty. A field whose name is empty or has dots is written "
            R"(as a JSON pointer: "/a.b".)"},
           {R"({"/a~b": [1]})", "2 /when/~1a~0b: In a JSON pointer, '~' is written '~0', and '/' in a name '~1'."},
           {R"({"a.b": [1], "a": {"b": [2]}})",
            "20 /when/a/b: The field 'a.b' is named twice here. Put all of its values into one list."},
       }) {
    EXPECT_THAT(said_of(when), ElementsAre(said)) << when;
  }
}

TEST(ConditionReaderTest, TellsEverythingThatIsWrong) {
  EXPECT_THAT(said_of(R"({"a": "b", "c": [{"prefix": 1}, {"exist": true}], "$or": [{"d": 5}]})"), SizeIs(4));
}

TEST(ConditionReaderTest, FieldsThatAreCalledAsOperatorsArePointers) {
  EXPECT_TRUE(tests::matches(tests::condition_of(R"({"a": {"/prefix": ["b"]}})"), R"({"a": {"prefix": "b"}})"));
  EXPECT_TRUE(tests::matches(tests::condition_of(R"({"prefix": ["b"], "/$or": [1]})"), R"({"prefix": "b", "$or": 1})"));
}

TEST(ConditionReaderTest, ProblemsBeginWithThePlaceOfWhen) {
  const std::string text = R"({"total": 5})";
  const BrokerRegistry registry;
  const ConfigOptions options;
  detail::LoadContext context(text, registry, options);
  const detail::Node when = detail::parse_document(text, context.positions, context.findings.problems);
  EXPECT_FALSE(detail::read_condition(
      context, when, {.broker = "b", .section = "triggers", .key = "order.when", .pointer = "/triggers/order/when"}));
  EXPECT_THAT(context.findings.problems,
              ElementsAre(AllOf(Field(&ConfigProblem::broker, "b"), Field(&ConfigProblem::section, "triggers"),
                                Field(&ConfigProblem::key, "order.when.total"),
                                Field(&ConfigProblem::pointer, "/triggers/order/when/total"))));
}

TEST(ConditionReaderTest, WhatCameFromASubstitutionIsNotShown) {
  const std::string text = R"({"a": ["secret"], "b": [{"numeric": [">", "5"]}], "c": "secret"})";
  const BrokerRegistry registry;
  const ConfigOptions options;
  detail::LoadContext context(text, registry, options);
  detail::Node when = detail::parse_document(text, context.positions, context.findings.problems);
  detail::Node bare = when.members[2].value;
  when.members.pop_back();
  when.members[0].value.items[0].substituted = true;
  when.members[1].value.items[0].members[0].value.items[1].substituted = true;
  const auto condition = detail::read_condition(context, when, {});
  ASSERT_TRUE(condition);
  EXPECT_TRUE(tests::matches(*condition, R"({"a": "secret", "b": 6})"));
  EXPECT_EQ(tests::why_not(*condition, R"({"a": "b", "b": 6})"), "The field 'a' is \"b\"; wanted is ***.");
  EXPECT_EQ(tests::why_not(*condition, R"({"a": "secret", "b": 5})"),
            R"(The field 'b' is 5; wanted is {"numeric": [">", ***]}.)");
  bare.substituted = true;
  when.members[0].value = bare;
  EXPECT_FALSE(detail::read_condition(context, when, {}));
  EXPECT_EQ(context.findings.problems.back().text, "The values of a field stand in a list: write […].");
}

TEST(ConditionReaderTest, WhatCouldNotBeSubstitutedIsNoFurtherProblem) {
  const std::string text = R"({"a": ["?"], "b": [{"exists": "?"}], "c": "?", "d": [{"anything-but": ["?"]}]})";
  const BrokerRegistry registry;
  const ConfigOptions options;
  detail::LoadContext context(text, registry, options);
  detail::Node when = detail::parse_document(text, context.positions, context.findings.problems);
  when.members[0].value.items[0].unresolved = true;
  when.members[1].value.items[0].members[0].value.unresolved = true;
  when.members[2].value.unresolved = true;
  when.members[3].value.items[0].members[0].value.items[0].unresolved = true;
  EXPECT_FALSE(detail::read_condition(context, when, {}));
  EXPECT_THAT(context.findings.problems, IsEmpty());
}

TEST(ConditionReaderTest, LimitsAreSaid) {
  const auto values = [](int count) {
    std::string list;
    for (int i = 0; i < count; ++i) list += (i == 0 ? "" : ",") + std::to_string(i);
    return list;
  };
  EXPECT_THAT(said_of(R"({"a": [)" + values(1000) + "]}"), IsEmpty());
  const std::string too_many = "A condition has at most 1000 values and operators.";
  EXPECT_THAT(said_of(R"({"a": [)" + values(3000) + "]}"), ElementsAre(EndsWith(too_many)));
  EXPECT_THAT(said_of(R"({"a": [{"anything-but": [)" + values(1000) + "]}]}"), ElementsAre(EndsWith(too_many)));
  std::string fields = R"("x": [1])";
  for (int i = 0; i < 2000; ++i) fields += ", \"a" + std::to_string(i) + "\": [1]";
  EXPECT_THAT(said_of("{" + fields + "}"), ElementsAre(EndsWith(too_many)));

  const auto path = [](int names) {
    std::string text = "a";
    for (int i = 1; i < names; ++i) text += ".a";
    return text;
  };
  EXPECT_THAT(said_of("{\"" + path(64) + "\": [1]}"), IsEmpty());
  EXPECT_THAT(said_of("{\"" + path(65) + "\": [1]}"), ElementsAre(EndsWith("Nested deeper than 64 levels.")));
  EXPECT_THAT(said_of(R"({"$not": {")" + path(64) + "\": [1]}}"),
              ElementsAre(EndsWith("Nested deeper than 64 levels.")));
}

}  // namespace
}  // namespace action_triggers
