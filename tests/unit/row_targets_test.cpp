// SPDX-License-Identifier: MIT
#include "outbox/row_targets.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace action_triggers::detail {
namespace {

TEST(RowTargetsTest, BitsAreOfOneListOfTargets) {
  const std::uint64_t done = done_word(7, 5);
  EXPECT_EQ(done_bits(done, 7), 5U);
  EXPECT_EQ(done_bits(done, 8), 0U);
  EXPECT_EQ(done_word(7, 0), 0U);  // as a row that nobody has seen
  EXPECT_EQ(done_bits(done_word(0xFFFF, ~std::uint64_t{0}), 0xFFFF), done_bits_mask);
}

TEST(RowTargetsTest, AnotherListHasAnotherFingerprint) {
  const auto fingerprint = [](std::vector<std::string> names) { return fingerprint_of(names); };
  EXPECT_EQ(fingerprint({"a", "b"}), fingerprint({"a", "b"}));
  EXPECT_NE(fingerprint({"a", "b"}), fingerprint({"b", "a"}));
  EXPECT_NE(fingerprint({"a", "b"}), fingerprint({"ab"}));
  EXPECT_NE(fingerprint({"a", "b"}), fingerprint({"a", "c"}));
}

}  // namespace
}  // namespace action_triggers::detail
