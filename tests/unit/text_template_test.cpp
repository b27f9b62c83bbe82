// SPDX-License-Identifier: MIT
// Placeholders in keys, headers and content types: what they become, and what is wrong with them.
#include "triggers/text_template.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "unit/template_support.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

ConfigOptions names() {
  return {.names = {{"tenant", [] { return std::string("acme"); }},
                    {"broken", []() -> std::string { throw std::runtime_error("no tenant here"); }},
                    {"worse", []() -> std::string { throw 5; }}}};
}

tests::LoadedTemplate<TextTemplate> load(const std::string& text) {
  return tests::LoadedTemplate<TextTemplate>(nlohmann::json(text).dump(), names());
}

const std::string payload =
    R"({"id": 42, "total": 99.90, "big": 9223372036854775808, "huge": 1e400, "name": "Zo\u00eb \"Z\"",
"paid": true, "note": null, "customer": {"name": "Ann", "a/b": 1, "m~n": 2, "": 3}, "lines": [ {"sku": "A"}, 7 ],
"0": "zero", "twice": 1, "twice": 2, "": {"": "empty"}, " b ": 8})";

Message message() {
  return {.key = "order-42",
          .headers = {{"tenant", "first"}, {"tenant", "last"}, Header::integer("try", 3), {"x.y", "dotted"}}};
}

struct Case {
  std::string text;
  std::string result;
};

class TextTemplateTest : public ::testing::TestWithParam<Case> {};

TEST_P(TextTemplateTest, Becomes) { EXPECT_EQ(load(GetParam().text).render(payload, message()), GetParam().result); }

INSTANTIATE_TEST_SUITE_P(
    Values, TextTemplateTest,
    ::testing::Values(Case{"", ""}, Case{"plain", "plain"}, Case{"order-{{ /id }}", "order-42"},
                      Case{"{{/id}}{{ /id}}{{/id }}", "424242"}, Case{"{{ /total }}", "99.90"},
                      Case{"{{ /big }}", "9223372036854775808"}, Case{"{{ /huge }}", "1e400"},
                      Case{"<{{ /name }}>", "<Zoë \"Z\">"}, Case{"{{ /paid }} {{ /note }}", "true null"},
                      Case{"{{ /customer/name }}", "Ann"}, Case{"{{ /lines }}", "[ {\"sku\": \"A\"}, 7 ]"},
                      Case{"{{ /lines/0/sku }}{{ /lines/1 }}", "A7"}, Case{"{{ /0 }}", "zero"},
                      Case{"{{ /twice }}", "2"}, Case{"{{ /customer/a~1b }}{{ /customer/m~0n }}", "12"},
                      Case{"{{ /customer/ }}", "3"}, Case{"{{ / }}", "{\"\": \"empty\"}"}, Case{"{{ // }}", "empty"},
                      Case{"{{ event.payload }}", payload}, Case{"{{ event.name }}", "order.paid"},
                      Case{"{{ event.id }}", "0190-id"}, Case{"{{ event.time }}", "2025-11-26T12:05:06.007Z"},
                      Case{"{{ message.key }}", "order-42"}, Case{"{{ message.headers.tenant }}", "last"},
                      Case{"{{ message.headers.try }}", "3"}, Case{"{{ message.headers.x.y }}", "dotted"},
                      Case{"{{ tenant }}/{{ /id }}", "acme/42"}));

INSTANTIATE_TEST_SUITE_P(
    Defaults, TextTemplateTest,
    ::testing::Values(Case{"{{ /customer/mail:-none }}", "none"}, Case{"{{ /id:-none }}", "42"},
                      Case{"{{ /note:-none }}", "null"}, Case{"{{ /mail:- }}", ""},
                      Case{"{{ /mail:-a customer }}", "a customer"}, Case{"{{ /mail:-\"a\":-b }}", "\"a\":-b"},
                      Case{"{{ /lines/2:-x }}{{ /lines/01:-y }}{{ /lines/-:-z }}{{ /id/0:-u }}", "xyzu"},
                      Case{"{{ /lines/99999999999999999999:-x }}", "x"}, Case{"{{ message.headers.none:-x }}", "x"},
                      Case{"{{ /lines/0/sku/0:-x }}", "x"}));

INSTANTIATE_TEST_SUITE_P(Braces, TextTemplateTest,
                         ::testing::Values(Case{"{ {} }}", "{ {} }}"}, Case{"{{{{ /id }}", "{{ /id }}"},
                                           Case{"{{{ /id }}}", "{42}"}, Case{"{{{{{{ /id }}", "{{42"},
                                           Case{"{{{{{", "{{{"}, Case{"{{ /id }} }}", "42 }}"}));

INSTANTIATE_TEST_SUITE_P(
    Failures, TextTemplateTest,
    ::testing::Values(Case{"{{ /customer/mail }}", "error: /customer/mail is missing."},
                      Case{"{{ /lines/2/sku }}", "error: /lines/2/sku is missing."},
                      Case{"{{ message.headers.none }}", "error: message.headers.none is missing."},
                      Case{"{{ broken }}", "error: The value of 'broken' could not be had: no tenant here"},
                      Case{"{{ broken:-x }}", "error: The value of 'broken' could not be had: no tenant here"},
                      Case{"{{ worse }}", "error: The value of 'worse' could not be had."}));

TEST(TextTemplateLoadTest, WhatIsWrongIsSaidWithItsPlace) {
  const std::string known =
      "Known: /json/pointer, broken, event.id, event.name, event.payload, event.time, message.headers.NAME, "
      "message.key, tenant, worse.";
  const auto problems = [](const std::string& text) { return load(text).problems(); };
  const std::string at = "1:1 field /t: ";
  EXPECT_THAT(problems("{{ evnt.name }}"),
              ElementsAre(at + "Path 'evnt.name' not allowed. Did you mean 'event.name'?"));
  EXPECT_THAT(problems("{{ tennant }}"), ElementsAre(at + "Path 'tennant' not allowed. Did you mean 'tenant'?"));
  EXPECT_THAT(problems("{{ message.header.a }}"),
              ElementsAre(at + "Path 'message.header.a' not allowed. Did you mean 'message.headers.a'?"));
  EXPECT_THAT(problems("{{ customer/name }}"), ElementsAre(at + "Path 'customer/name' not allowed. " + known));
  EXPECT_THAT(problems("{{ message.headers. }}{{ zzz:-x }}"), SizeIs(2));
  EXPECT_THAT(problems("{{ }}"),
              ElementsAre(at + "'{{ }}' names nothing; '{{ event.payload }}' is the whole payload."));
  const std::string open = at + "'{{' is not closed by '}}'; write '{{{{' for the characters themselves.";
  EXPECT_THAT(problems("a {{ /id"), ElementsAre(open));
  EXPECT_THAT(problems("{{ /id } {{ /id }}"), ElementsAre(open));
  EXPECT_THAT(problems("{{ /id }"), ElementsAre(open));
  const std::string tilde = at + "In a JSON pointer '~' is written '~0', and the '/' of a key '~1'.";
  EXPECT_THAT(problems("{{ /a~ }}{{ /a~2/b }}"), ElementsAre(tilde, tilde));
  EXPECT_THAT((tests::LoadedTemplate<TextTemplate>(" [1]").problems()),
              ElementsAre("1:2 field /t: The field 'field' must be a string."));
}

TEST(TextTemplateLoadTest, UnknownNamesMayBeWarnings) {
  ConfigOptions options = names();
  options.allow_unknown = true;
  const tests::LoadedTemplate<TextTemplate> loaded(R"("{{ elsewhere }}")", options);
  EXPECT_THAT(loaded.problems(), ElementsAre());
  ASSERT_THAT(loaded.warnings(), SizeIs(1));
  EXPECT_EQ(loaded.warnings()[0].text, "Path 'elsewhere' not allowed. The value is not checked.");
}

TEST(TextTemplateLoadTest, OneMebibyteOfTextInAll) {
  EXPECT_THAT(load(std::string(max_template_bytes, 'x')).problems(), ElementsAre());
  EXPECT_THAT(load(std::string(max_template_bytes + 1, 'x')).problems(),
              ElementsAre("1:1 field /t: With this one, the templates of this configuration are longer than 1 MiB."));
}

TEST(TextTemplateTest, ThePayloadIsReadOnlyIfSomebodyLooks) {
  EXPECT_FALSE(load("{{ event.name }} {{ message.key }} {{ tenant }}").get().needs_json());
  EXPECT_TRUE(load("x{{ /a:-b }}").get().needs_json());
  EXPECT_TRUE(load("{{ event.payload }}").get().needs_json());
  EXPECT_EQ(load("{{ event.name }}").render("no JSON"), "order.paid");
  EXPECT_EQ(load("{{ /a:-b }}").render(R"({"a":1)"),
            "error: The payload is not JSON at byte 6: The text ends inside an object or array.");
  EXPECT_EQ(load("{{ event.payload }}").render("\"\xFF\""),
            "error: The payload is not JSON at byte 1: This byte is not UTF-8.");
}

TEST(TextTemplateTest, AMessageMayHaveNoKeyAndAnEventNoMessage) {
  EXPECT_EQ(load("{{ message.key:-none }}").render("{}", Message()), "none");
  EXPECT_EQ(load("{{ message.key }}").render(EventParts{}), "error: message.key is missing.");
  EXPECT_EQ(load("{{ message.headers.a:-none }}").render(EventParts{}), "none");
}

TEST(TextTemplateTest, ConstantTextsNeedNoRendering) {
  EXPECT_EQ(*load("{{{{ a").get().constant(), "{{ a");
  EXPECT_EQ(*load("").get().constant(), "");
  EXPECT_EQ(*TextTemplate().constant(), "");
  EXPECT_EQ(load("{{ tenant }}").get().constant(), nullptr);
}

TEST(TextTemplateTest, TextIsAppended) {
  const auto loaded = load("{{ event.name }}!");
  PayloadJson json;
  EventView event({.name = "a"}, json);
  std::string text = "before ";
  std::string error;
  ASSERT_TRUE(loaded.get().render(event, text, error));
  EXPECT_EQ(text, "before a!");
}

}  // namespace
}  // namespace action_triggers::detail
