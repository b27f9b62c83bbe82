// SPDX-License-Identifier: MIT
// Numbers compared as they are written.
#include "triggers/decimal.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace action_triggers::detail {
namespace {

TEST(DecimalTest, EqualNumbersWrittenInSeveralWays) {
  for (const std::vector<std::string>& same : std::vector<std::vector<std::string>>{
           {"0", "-0", "0.0", "-0.000", "0e5", "0E-99999999999999999999", "0.0e+7"},
           {"99.9", "99.90", "9990e-2", "0.0999e3", "0.999E+2", "99900000e-6"},
           {"1", "1.0", "10e-1", "0.1e1", "1e0", "1e-0", "0.00001e5", "100000e-5"},
           {"-12.5", "-12.50", "-125e-1", "-0.125e2", "-0.00125e4"},
           {"9223372036854775808", "9223372036854775808.0", "9.223372036854775808e18"},
           {"1e400", "10e399", "0.1e401", "1" + std::string(400, '0')},
           {"1e-400", "0." + std::string(399, '0') + "1"},
       }) {
    for (const std::string& a : same) {
      for (const std::string& b : same) EXPECT_TRUE(Decimal(a) == Decimal(b)) << a << " " << b;
    }
  }
}

TEST(DecimalTest, AscendingNumbers) {
  const std::vector<std::string> ascending{"-1e99999999999999999",
                                           "-1e401",
                                           "-1e400",
                                           "-9223372036854775809",
                                           "-9223372036854775808",
                                           "-100.1",
                                           "-100",
                                           "-99.9",
                                           "-1",
                                           "-0.1",
                                           "-0.09",
                                           "-1e-400",
                                           "0",
                                           "1e-99999999999999999",
                                           "1e-401",
                                           "1e-400",
                                           "0.0000001",
                                           "0.09",
                                           "0.1",
                                           "0.10000000000000000000000000000001",
                                           "0.2",
                                           "1",
                                           "1.5",
                                           "2",
                                           "9",
                                           "10",
                                           "11",
                                           "99.89999",
                                           "99.9",
                                           "100",
                                           "9007199254740992",
                                           "9007199254740993",
                                           "9223372036854775808",
                                           "9223372036854775809",
                                           "1e400",
                                           "1.1e400",
                                           "1e401",
                                           "1e99999999999999999"};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t k = 0; k < ascending.size(); ++k) {
      EXPECT_EQ(Decimal(ascending[i]) <=> Decimal(ascending[k]), i <=> k) << ascending[i] << " " << ascending[k];
    }
  }
}

TEST(DecimalTest, ExponentsThatNoIntegerHoldsAreNotWaitedFor) {
  const std::string large = "1e" + std::string(100'000, '9');
  const std::string small = "1e-" + std::string(100'000, '9');
  EXPECT_TRUE(Decimal(small) < Decimal("1"));
  EXPECT_TRUE(Decimal("1") < Decimal(large));
  EXPECT_TRUE(Decimal("-" + large) < Decimal("-1"));
  EXPECT_TRUE(Decimal("1e" + std::string(1000, '0') + "2") == Decimal("100"));
}

/// Integers with a shifted point, against integer arithmetic.
TEST(DecimalTest, RandomNumbersCompareAsIntegers) {
  std::mt19937_64 random(2);
  const auto written = [&](std::int64_t value) {  // value / 1000, in one of several ways
    if (random() % 3 == 0) return std::to_string(value) + "e-3";
    if (random() % 2 == 0) return std::to_string(value) + "00e-5";
    const std::string sign = value < 0 ? "-" : "";
    std::string digits = std::to_string(value < 0 ? -value : value);
    if (digits.size() < 4) digits.insert(0, 4 - digits.size(), '0');
    return sign + digits.substr(0, digits.size() - 3) + "." + digits.substr(digits.size() - 3) +
           std::string(random() % 3, '0');
  };
  for (int i = 0; i < 20'000; ++i) {
    const std::int64_t a = static_cast<std::int64_t>(random() % 20'001) - 10'000;
    const std::int64_t b = random() % 4 == 0 ? a : static_cast<std::int64_t>(random() % 20'001) - 10'000;
    const std::string text_a = written(a);
    const std::string text_b = written(b);
    ASSERT_EQ(Decimal(text_a) <=> Decimal(text_b), a <=> b) << text_a << " " << text_b;
  }
}

}  // namespace
}  // namespace action_triggers::detail
