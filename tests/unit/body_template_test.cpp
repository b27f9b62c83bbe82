// SPDX-License-Identifier: MIT
// Bodies: JSON and texts with placeholders.
#include "triggers/body_template.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "unit/template_support.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::ElementsAre;

tests::LoadedTemplate<BodyTemplate> load(const std::string& json) {
  return tests::LoadedTemplate<BodyTemplate>(json, {.names = {{"tenant", [] { return std::string("a \"b\"\n"); }},
                                                              {"bytes", [] { return std::string("\xFF"); }}}});
}

const std::string payload =
    R"({"id": 42, "total": 99.90, "big": 9223372036854775808, "huge": 1e400, "name": "Zo\u00eb \"Z\"",
"smile": "\ud83d\ude00 😀", "paid": true, "note": null, "customer": {"name": "Ann"}, "lines": [ {"sku": "A"}, 7 ]})";

struct Case {
  std::string body;
  std::string result;
};

class BodyTemplateTest : public ::testing::TestWithParam<Case> {};

TEST_P(BodyTemplateTest, Becomes) {
  const auto loaded = load(GetParam().body);
  const std::string result = loaded.render(payload, {.key = "k\t\"\x01",
                                                     .headers = {{"text", "5"},
                                                                 Header::integer("number", -5),
                                                                 Header::boolean("flag", true),
                                                                 Header::list("list", {"a", 1}),
                                                                 {"wrong", "5 ]", HeaderType::list}}});
  EXPECT_EQ(result, GetParam().result);
  if (!result.starts_with("error: ")) {
    EXPECT_EQ(nlohmann::json::accept(result), loaded.get().is_json() || result == "42") << result;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Types, BodyTemplateTest,
    ::testing::Values(
        Case{"null", "null"}, Case{"[true, false, null, {}, []]", "[true,false,null,{},[]]"},
        Case{"[1.50, -0, 9223372036854775808, 1e5]", "[1.50,-0,9223372036854775808,1e5]"},
        Case{R"({"b": "x\"\u0001é", "a\n": [1, {"c": ""}]})", R"({"b":"x\"\u0001é","a\n":[1,{"c":""}]})"},
        Case{R"(["{{ /id }}", "{{ /total }}"])", "[42,99.90]"},
        Case{R"(["{{ /big }}", "{{ /paid }}", "{{ /note }}"])", "[9223372036854775808,true,null]"},
        Case{R"({"n": "{{ /name }}"})", R"({"n":"Zo\u00eb \"Z\""})"},
        Case{R"({"c": "{{ /customer }}", "l": "{{ /lines }}"})", R"({"c":{"name": "Ann"},"l":[ {"sku": "A"}, 7 ]})"},
        Case{R"(["{{ event.name }}", "{{ event.time }}"])", R"(["order.paid","2025-11-26T12:05:06.007Z"])"},
        Case{R"(["{{ tenant }}", "{{ message.key }}"])", R"(["a \"b\"\n","k\t\"\u0001"])"},
        Case{R"(["{{ message.headers.text }}", "{{ message.headers.number }}"])", R"(["5",-5])"},
        Case{R"(["{{ message.headers.flag }}", "{{ message.headers.list }}"])", R"([true,["a",1]])"}));

INSTANTIATE_TEST_SUITE_P(
    InsideText, BodyTemplateTest,
    ::testing::Values(Case{R"(["Order {{ /id }} of {{ /name }}"])", R"(["Order 42 of Zo\u00eb \"Z\""])"},
                      Case{R"(["{{ /total }} {{ /note }} {{ /paid }}"])", R"(["99.90 null true"])"},
                      Case{R"([" {{ /customer }}"])", R"([" {\"name\": \"Ann\"}"])"},
                      Case{R"(["{{ /smile }}!"])", R"(["\ud83d\ude00 😀!"])"},
                      Case{R"(["\"{{ tenant }}\\"])", R"(["\"a \"b\"\n\\"])"},
                      Case{R"(["{{ message.headers.list }}!"])", R"(["[\"a\",1]!"])"},
                      Case{R"(["{{{{ /id }}", {"{{{{k": "}}"}])", R"(["{{ /id }}",{"{{k":"}}"}])"}));

INSTANTIATE_TEST_SUITE_P(
    Defaults, BodyTemplateTest,
    ::testing::Values(
        Case{R"(["{{ /x:-0 }}", "{{ /x:-null }}", "{{ /x:-[1, 2] }}", "{{ /x:-0.10 }}"])", "[0,null,[1, 2],0.10]"},
        Case{R"(["{{ /x:-none }}", "{{ /x:-01 }}", "{{ /x:- }}", "{{ /x:-\"5\" }}"])", R"(["none","01","","5"])"},
        Case{R"(["{{ /x:-{}}}", "{{/x:-{\"a\": {\"b\": 1}}}}", "<{{ /x:-{}}}>"])", R"([{},{"a": {"b": 1}},"<{}>"])"},
        Case{R"(["{{ /x:-{}} {{ /y:-}}}", "{{{ /x:-1 }}}"])", R"(["{ }","{1}"])"},
        Case{R"(["a {{ /x:-\"5\" }}", "{{ /x:-say \"no\"}}"])", R"(["a \"5\"","say \"no\""])"}));

INSTANTIATE_TEST_SUITE_P(Texts, BodyTemplateTest,
                         ::testing::Values(Case{R"("Order {{ /id }} \"of\" {{ /name }}")", "Order 42 \"of\" Zoë \"Z\""},
                                           Case{R"("{{ /id }}")", "42"}, Case{R"("{{ /name }}")", "Zoë \"Z\""}));

INSTANTIATE_TEST_SUITE_P(
    Failures, BodyTemplateTest,
    ::testing::Values(Case{R"({"a": {"b": "{{ /customer/mail }}"}})", "error: /customer/mail is missing."},
                      Case{R"(["{{ bytes }}"])", "error: bytes is not UTF-8 at byte 0, and JSON has to be."},
                      Case{R"([" {{ bytes }}"])", "error: bytes is not UTF-8 at byte 0, and JSON has to be."},
                      Case{R"(["{{ message.headers.wrong }}"])",
                           "error: message.headers.wrong is not what its type says."}));

TEST(BodyTemplateTest, NumbersBeyondADoubleKeepTheirDigits) {
  EXPECT_EQ(load(R"(["{{ /huge }}", "{{ /huge }}!"])").render(payload), R"([1e400,"1e400!"])");
}

TEST(BodyTemplateTest, BytesThatAreNotUtf8MayStandInATextOnly) {
  const Message message{.key = "a\xC3", .headers = {{"h", "\xED\xA0\x80"}}};
  EXPECT_EQ(load(R"(["{{ message.key }}"])").render("{}", message),
            "error: message.key is not UTF-8 at byte 1, and JSON has to be.");
  EXPECT_EQ(load(R"(["x{{ message.headers.h }}"])").render("{}", message),
            "error: message.headers.h is not UTF-8 at byte 0, and JSON has to be.");
  EXPECT_EQ(load(R"("{{ message.key }}")").render("{}", message), "a\xC3");
}

TEST(BodyTemplateTest, ProblemsSayWhereTheyAre) {
  EXPECT_THAT(
      load("{\"a\": [1,\n \"{{ /x\"], \"b/c\": \"{{ tenat }}\"}").problems(),
      ElementsAre("2:2 field.a.1 /t/a/1: '{{' is not closed by '}}'; write '{{{{' for the characters themselves.",
                  "2:19 field.b/c /t/b~1c: Path 'tenat' not allowed. Did you mean 'tenant'?"));
  EXPECT_THAT(load(R"({"{{ /id }}": 1})").problems(),
              ElementsAre("1:2 field.{{ /id }} /t/{{ ~1id }}: A key holds no placeholders, only values do."));
}

TEST(BodyTemplateTest, ProblemsAreMadeOnlyAsFarAsTheyAreTold) {
  // A pointer for each of these values would have 31 KB.
  std::string deep = "[";
  std::string end = "]";
  for (int i = 0; i < 31; ++i) {
    deep += "{\"" + std::string(1000, 'k') + "\":[";
    end = "]}" + end;
  }
  std::string right = deep + "0";
  std::string wrong = right;
  for (int i = 0; i < 60'000; ++i) {
    right += ",\"{{ /a }}\"";
    wrong += ",\"{{ tenat }}\"";
  }
  EXPECT_THAT(load(right + end).problems(), ElementsAre());
  EXPECT_EQ(load(wrong + end).problems().size(), 101U);
}

TEST(BodyTemplateTest, KnowsWhetherItLooksIntoThePayload) {
  EXPECT_FALSE(load(R"({"a": "{{ event.id }}"})").get().needs_json());
  EXPECT_TRUE(load(R"({"a": ["{{ /a }}"]})").get().needs_json());
  EXPECT_FALSE(BodyTemplate().needs_json());
}

TEST(BodyTemplateTest, DepthIsThatOfTheConfiguration) {
  EXPECT_EQ(load(std::string(64, '[') + std::string(64, ']')).render(), std::string(64, '[') + std::string(64, ']'));
  EXPECT_EQ(load(std::string(65, '[') + std::string(65, ']')).problems().size(), 1U);
}

}  // namespace
}  // namespace action_triggers::detail
