// SPDX-License-Identifier: MIT
// Messages survive the table bit by bit; what cannot be a row, and what is no message, is said.
#include "outbox/row_codec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <ostream>
#include <random>
#include <string>
#include <vector>

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

OutboxRow row_of(const Message& message) {
  OutboxRow row;
  static_cast<NewRow&>(row) = to_row("orders", message, message.id);
  row.id = 42;
  return row;
}

/// Its id and body too.
Message read(const OutboxRow& row) {
  RowReader reader("0f1e");
  const MessageParts parts = reader.read(row);
  Message message = *parts.rest;
  message.body = std::string(parts.body);
  return message;
}

Message full_message() {
  return {.body = std::string("\0\xFF{", 3),
          .key = std::string("k\0y\xFE", 4),
          .headers = {{"tenant", "ä \"quoted\" \\ \n"},
                      {"nul", std::string("a\0b", 3)},
                      {"empty", ""},
                      {"tenant", "again"},
                      Header::integer("least", std::numeric_limits<std::int64_t>::min()),
                      Header::boolean("yes", true),
                      Header::boolean("no", false),
                      Header::list("CC", {HeaderItem(Text("copy")), HeaderItem(std::int64_t{7}), HeaderItem(true)}),
                      Header::list("none", {})},
          .content_type = "application/json",
          .id = "my-id",
          .expiration = 60000ms,
          .priority = 255,
          .properties = Properties{.type = "order.paid",
                                   .correlation_id = "c",
                                   .reply_to = "r",
                                   .app_id = "a",
                                   .content_encoding = "gzip",
                                   .user_id = "u",
                                   .timestamp = std::chrono::sys_time<std::chrono::milliseconds>(-1ms),
                                   .partition = 3,
                                   .tombstone = true}};
}

TEST(RowCodecTest, AMessageSurvivesBitByBit) {
  const Message message = full_message();
  EXPECT_EQ(read(row_of(message)), message);
}

TEST(RowCodecTest, TheColumnsAreWhatTheInterfaceSays) {
  const NewRow row = to_row("orders",
                            Message{.body = "b",
                                    .key = "k",
                                    .headers = {{"a", "b"}, Header::integer("n", 3), Header::list("CC", {Text("q")})},
                                    .content_type = "text/plain",
                                    .expiration = 5s,
                                    .properties = Properties{.type = "t"}},
                            "id");
  EXPECT_EQ(row.target, "orders");
  EXPECT_EQ(row.body, "b");
  EXPECT_EQ(row.key, "k");
  EXPECT_EQ(row.message_id, "id");
  EXPECT_EQ(row.content_type, "text/plain");
  EXPECT_EQ(row.headers, R"([["a","b"],["n",3],["CC",["q"]]])");
  EXPECT_EQ(row.properties, R"({"expiration":5000,"type":"t"})");
}

TEST(RowCodecTest, WhatAMessageDoesNotHaveIsNull) {
  const NewRow row = to_row("orders", Message{.body = ""}, "id");
  EXPECT_EQ(row.body, "");
  EXPECT_EQ(row.key, std::nullopt);
  EXPECT_EQ(row.content_type, std::nullopt);
  EXPECT_EQ(row.headers, std::nullopt);
  EXPECT_EQ(row.properties, std::nullopt);
}

TEST(RowCodecTest, ARowWithoutAnIdGetsTheSameOneEachTime) {
  OutboxRow row;
  row.target = "orders";
  row.body = "written by hand";
  row.id = 42;
  row.created_at += std::chrono::microseconds(1'700'000'000'000'001);
  EXPECT_EQ(read(row).id, "0f1e-42-1700000000000001");
  EXPECT_EQ(read(row).id, "0f1e-42-1700000000000001");
  row.message_id = "";
  EXPECT_EQ(read(row).id, "0f1e-42-1700000000000001");
  row.id = 43;
  EXPECT_EQ(read(row).id, "0f1e-43-1700000000000001");
}

TEST(RowCodecTest, ARowOfARestoredDatabaseHasNotTheIdOfAnEarlierRow) {
  OutboxRow row;
  row.target = "orders";
  row.id = 42;
  const std::string before(read(row).id);
  row.created_at += std::chrono::milliseconds(1);
  EXPECT_NE(read(row).id, before);
}

TEST(RowCodecTest, AReaderForgetsTheRowBefore) {
  RowReader reader("0f1e");
  const OutboxRow full = row_of(full_message());
  static_cast<void>(reader.read(full));
  const OutboxRow small = row_of(Message{.body = "b", .id = "i"});
  EXPECT_EQ(*reader.read(small).rest, Message{.id = "i"});
}

// ------------------------------------------------------------------------------------------------------------ at
// random

class RandomMessages {
 public:
  explicit RandomMessages(std::uint32_t seed) : random_(seed) {}

  Message next() {
    Message message{.body = bytes(), .key = bytes(), .content_type = plain_text(), .id = "i" + plain_text()};
    for (std::size_t left = below(5); left > 0; --left) message.headers.push_back(header());
    if (below(3) == 0) message.expiration = std::chrono::milliseconds(number());
    if (below(3) == 0) message.priority = static_cast<std::uint8_t>(below(256));
    if (below(2) == 0) message.properties = properties();
    return message;
  }

 private:
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(random_()) % limit; }
  std::int64_t number() {
    constexpr std::int64_t interesting[] = {
        0, -1, 1, 4096, std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()};
    return interesting[below(6)];
  }
  std::string bytes() {
    std::string text;
    for (std::size_t left = below(20); left > 0; --left) text += static_cast<char>(below(256));
    return text;
  }
  std::string of(const std::vector<std::string>& pieces) {
    std::string text;
    for (std::size_t left = below(8); left > 0; --left) text += pieces[below(pieces.size())];
    return text;
  }
  /// For columns that hold no NUL character.
  std::string plain_text() {
    return of({"a", "Z", "\"", "\\", "/", "\n", "\x7F", "\x01", "é", "€", "😀", "\xEF\xBF\xBF"});
  }
  std::string text() { return of({"a", "\"", "\\", "]", "\t", "é", "😀", std::string(1, '\0'), "\x1F"}); }
  Header header() {
    const std::string name = "n" + text();
    switch (below(4)) {
      case 0:
        return {name, text()};
      case 1:
        return Header::integer(name, number());
      case 2:
        return Header::boolean(name, below(2) == 0);
      default: {
        std::vector<HeaderItem> items;
        for (std::size_t left = below(4); left > 0; --left) {
          items.push_back(below(2) == 0 ? HeaderItem(Text(text())) : HeaderItem(number()));
        }
        return Header::list(name, items);
      }
    }
  }
  Properties properties() {
    Properties some{.type = text(), .correlation_id = text(), .user_id = text(), .tombstone = below(2) == 0};
    if (below(2) == 0) some.partition = static_cast<std::int32_t>(number());
    if (below(2) == 0)
      some.timestamp = std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(number()));
    if (some == Properties()) some.tombstone = true;  // properties that are all absent are the same as none
    return some;
  }

  std::mt19937 random_;
};

TEST(RowCodecTest, RandomMessagesSurviveBitByBit) {
  for (std::uint32_t seed = 0; seed < 2000; ++seed) {
    const Message message = RandomMessages(seed).next();
    ASSERT_EQ(read(row_of(message)), message) << "seed " << seed;
  }
}

// ------------------------------------------------------------------------------------------------- what is no row

struct Refused {
  const char* name;
  Message message;
  std::string text;
  friend void PrintTo(const Refused& value, std::ostream* out) { *out << value.name; }
};

class RefusedMessageTest : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedMessageTest, SaysWhy) {
  try {
    static_cast<void>(to_row("orders", GetParam().message, GetParam().message.id));
    ADD_FAILURE() << "it made a row";
  } catch (const RowError& error) {
    EXPECT_EQ(error.what(), GetParam().text);
  }
}

const std::string not_utf8 = " is not UTF-8, and the outbox keeps it as text; send bytes in the body or the key.";

INSTANTIATE_TEST_SUITE_P(
    RowCodec, RefusedMessageTest,
    ::testing::Values(
        Refused{"HeaderValueInLatin1", {.headers = {{"a", "\xE4"}}}, "The value of the header 'a'" + not_utf8},
        Refused{"HeaderNameInLatin1", {.headers = {{"\xE4", "b"}}}, "The name of a header" + not_utf8},
        Refused{"HeaderWithoutName", {.headers = {{"", "b"}}}, "A header has no name."},
        Refused{"IntegerThatIsNone",
                {.headers = {{"a", "007", HeaderType::integer}}},
                "The value of the header 'a' is no integer; Header::integer() makes one."},
        Refused{"BooleanThatIsNone",
                {.headers = {{"a", "yes", HeaderType::boolean}}},
                "The value of the header 'a' is no boolean; Header::boolean() makes one."},
        Refused{"ListThatIsNone",
                {.headers = {{"a", "[1", HeaderType::list}}},
                "The value of the header 'a' is no JSON array; Header::list() makes one."},
        Refused{"ListWithSomethingBehind",
                {.headers = {{"a", "[1] ", HeaderType::list}}},
                "The value of the header 'a' is no JSON array; Header::list() makes one."},
        Refused{"ContentTypeInLatin1", {.content_type = "\xE4"}, "The content type" + not_utf8},
        Refused{"IdWithNul", {.id = std::string("a\0", 2)}, "The id must not have a NUL character."},
        Refused{
            "PropertyInLatin1", {.properties = Properties{.reply_to = "\xE4"}}, "The property 'reply_to'" + not_utf8}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(RowCodecTest, ATargetIsText) {
  EXPECT_THROW(static_cast<void>(to_row("\xE4", Message{}, "i")), RowError);
  EXPECT_THROW(static_cast<void>(to_row(std::string("a\0", 2), Message{}, "i")), RowError);
}

// --------------------------------------------------------------------------------------------- what is no message

struct Malformed {
  const char* name;
  std::optional<std::string> headers;
  std::optional<std::string> properties;
  std::string text;
  friend void PrintTo(const Malformed& value, std::ostream* out) { *out << value.name; }
};

class MalformedRowTest : public ::testing::TestWithParam<Malformed> {};

TEST_P(MalformedRowTest, SaysWhy) {
  OutboxRow row;
  row.headers = GetParam().headers;
  row.properties = GetParam().properties;
  try {
    static_cast<void>(read(row));
    ADD_FAILURE() << "it made a message";
  } catch (const RowError& error) {
    EXPECT_THAT(error.what(), HasSubstr(GetParam().text));
  }
}

const std::string pairs = R"(The column 'headers' must be a list of pairs, [["name", "value"], …].)";
const std::string values = "The value of the header 'a' must be a text, an integer, true or false, or a list of these.";

INSTANTIATE_TEST_SUITE_P(
    RowCodec, MalformedRowTest,
    ::testing::Values(
        Malformed{"HeadersAreNoJson", "[[", {}, "The column 'headers' is not JSON: "},
        Malformed{"HeadersAreAnObject", R"({"a": "b"})", {}, pairs}, Malformed{"HeadersAreNull", "null", {}, pairs},
        Malformed{"AHeaderIsAText", R"(["a"])", {}, pairs}, Malformed{"AHeaderIsOneText", R"([["a"]])", {}, pairs},
        Malformed{"AHeaderIsThreeTexts", R"([["a", "b", "c"]])", {}, pairs},
        Malformed{"ANameIsANumber", R"([[1, "b"]])", {}, pairs},
        Malformed{"ANameIsEmpty", R"([["", "b"]])", {}, "A header has no name."},
        Malformed{"AFraction", R"([["a", 1.5]])", {}, values},
        Malformed{"ALargeNumber", R"([["a", 9223372036854775808]])", {}, values},
        Malformed{"Null", R"([["a", null]])", {}, values}, Malformed{"AnObject", R"([["a", {}]])", {}, values},
        Malformed{"AListInAList", R"([["a", [[]]]])", {}, values},
        Malformed{"AFractionInAList", R"([["a", [1, 0.5]]])", {}, values},
        Malformed{"PropertiesAreNoJson", {}, "{", "The column 'properties' is not JSON: "},
        Malformed{"PropertiesAreAList", {}, "[]", "The column 'properties' must be an object"},
        Malformed{"AnUnknownProperty",
                  {},
                  R"({"correlationid": "c"})",
                  "Unknown property 'correlationid'. Did you mean 'correlation_id'?"},
        Malformed{"ATypeThatIsANumber", {}, R"({"type": 1})", "The property 'type' must be a text."},
        Malformed{"AnExpirationThatIsAText",
                  {},
                  R"({"expiration": "60000"})",
                  "The property 'expiration' must be an integer from -9223372036854775808 to 9223372036854775807."},
        Malformed{"APriorityThatIsTooHigh",
                  {},
                  R"({"priority": 256})",
                  "The property 'priority' must be an integer from 0 to 255."},
        Malformed{"APartitionThatIsTooHigh",
                  {},
                  R"({"partition": 2147483648})",
                  "The property 'partition' must be an integer from -2147483648 to 2147483647."},
        Malformed{"ATombstoneThatIsAText",
                  {},
                  R"({"tombstone": "true"})",
                  "The property 'tombstone' must be true or false."}),
    [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace action_triggers::detail
