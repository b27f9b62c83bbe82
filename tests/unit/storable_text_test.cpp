// SPDX-License-Identifier: MIT
#include "outbox/storable_text.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace action_triggers::detail {
namespace {

TEST(StorableTextTest, WhatIsNotUtf8IsReplaced) {
  EXPECT_EQ(storable_text("plain ä"), "plain ä");
  EXPECT_EQ(storable_text("\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80"), "\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80");
  EXPECT_EQ(storable_text(std::string_view("a\0b", 3)), "a?b");
  EXPECT_EQ(storable_text(std::string("a\0b\xFF", 4)), "a?b?");
  EXPECT_EQ(storable_text("a\xFF\xC3"), "a??");
  EXPECT_EQ(storable_text("\xED\xA0\x80"), "???");  // half of UTF-16
}

TEST(StorableTextTest, ALongOneIsCut) {
  const std::string cut = storable_text(std::string(3'000, 'x'), 2'000);
  EXPECT_EQ(cut, std::string(2'000, 'x').append("…"));
  EXPECT_EQ(storable_text("aä", 2), "a…") << "between characters";
  EXPECT_EQ(storable_text(std::string(3'000, 'x')), std::string(3'000, 'x'));
}

}  // namespace
}  // namespace action_triggers::detail
