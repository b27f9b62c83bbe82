// SPDX-License-Identifier: MIT
#include "dispatch/latency_histogram.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;

/// `exact`, or up to 12.5 % more.
void expect_within_a_bucket(std::chrono::nanoseconds actual, std::chrono::nanoseconds exact) {
  EXPECT_GE(actual, exact);
  EXPECT_LE(static_cast<double>(actual.count()), static_cast<double>(exact.count()) * 1.125 + 1) << exact.count();
}

TEST(LatencyHistogramTest, WithoutLatenciesEverythingIsZero) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.max(), 0ns);
  for (const double share : {0.0, 0.5, 1.0}) EXPECT_EQ(histogram.quantile(share), 0ns);
}

TEST(LatencyHistogramTest, IsRightWithinABucketFromANanosecondToFiveMinutes) {
  for (std::int64_t ns = 1; ns < std::chrono::nanoseconds(5min).count(); ns += ns / 7 + 1) {
    LatencyHistogram histogram;
    histogram.record(std::chrono::nanoseconds(ns));
    histogram.record(10min);  // so that the largest one does not cap the quantile
    expect_within_a_bucket(histogram.quantile(0), std::chrono::nanoseconds(ns));
  }
}

TEST(LatencyHistogramTest, APowerOfTwoAndItsNeighboursLieInTheirOwnBuckets) {
  for (int bit = 4; bit < 38; ++bit) {
    for (const std::int64_t off : {-1, 0, 1}) {
      LatencyHistogram histogram;
      const std::chrono::nanoseconds latency((std::int64_t{1} << bit) + off);
      histogram.record(latency);
      histogram.record(10min);
      expect_within_a_bucket(histogram.quantile(0), latency);
    }
  }
}

TEST(LatencyHistogramTest, QuantilesAreThoseOfTheLatencies) {
  LatencyHistogram histogram;
  for (int ms = 1; ms <= 1'000; ++ms) histogram.record(std::chrono::milliseconds(ms));
  expect_within_a_bucket(histogram.quantile(0), 1ms);
  expect_within_a_bucket(histogram.quantile(0.5), 500ms);
  expect_within_a_bucket(histogram.quantile(0.99), 990ms);
  EXPECT_EQ(histogram.quantile(1), 1s) << "no more than the largest";
}

TEST(LatencyHistogramTest, RareOutliersShowInTheTailOnly) {
  LatencyHistogram histogram;
  for (int i = 0; i < 999; ++i) histogram.record(1ms);
  histogram.record(10s);
  expect_within_a_bucket(histogram.quantile(0.5), 1ms);
  expect_within_a_bucket(histogram.quantile(0.99), 1ms);
  EXPECT_EQ(histogram.quantile(1), 10s);
}

TEST(LatencyHistogramTest, TheLargestIsExact) {
  LatencyHistogram histogram;
  for (const auto latency : {3ns, 123'456'789ns, 77ns}) histogram.record(latency);
  EXPECT_EQ(histogram.max(), 123'456'789ns);
  EXPECT_EQ(histogram.quantile(1), 123'456'789ns);
}

TEST(LatencyHistogramTest, ANegativeLatencyIsNone) {
  LatencyHistogram histogram;
  histogram.record(-5ns);
  EXPECT_EQ(histogram.max(), 0ns);
  EXPECT_EQ(histogram.quantile(1), 0ns);
}

TEST(LatencyHistogramTest, WhatIsLongerThanTheLastBucketIsCountedThere) {
  LatencyHistogram histogram;
  histogram.record(std::chrono::nanoseconds::max());
  EXPECT_EQ(histogram.max(), std::chrono::nanoseconds::max());
  EXPECT_GT(histogram.quantile(0.5), 9min);
}

TEST(LatencyHistogramTest, BucketsForOthersAreCumulative) {
  LatencyHistogram histogram;
  for (const auto latency : {100us, 600us, 700us, 20'000us}) histogram.record(latency);
  histogram.record(5min);
  Histogram all;
  histogram.add_to(all);
  ASSERT_EQ(all.buckets.size(), histogram_bounds.size());
  for (const Histogram::Bucket& bucket : all.buckets) {
    const std::uint64_t expected = bucket.upper_bound < 1ms ? 1 : bucket.upper_bound < 25ms ? 3 : 4;
    EXPECT_EQ(bucket.count, expected) << bucket.upper_bound.count();
  }
  EXPECT_EQ(all.count, 5U);
  const double exact = 300.0214;
  EXPECT_NEAR(all.sum.count(), exact, exact * 0.0625);
  histogram.add_to(all);
  EXPECT_EQ(all.count, 10U) << "it adds";
  EXPECT_EQ(all.buckets.front().count, 2U);
}

TEST(LatencyHistogramTest, BucketsForOthersAreThereWithoutALatency) {
  Histogram all;
  LatencyHistogram().add_to(all);
  EXPECT_EQ(all.buckets.size(), histogram_bounds.size());
  EXPECT_EQ(all.count, 0U);
  EXPECT_EQ(all.sum, 0ns);
}

TEST(LatencyHistogramTest, AWeekThatARowWaitedIsInTheSum) {
  LatencyHistogram histogram;
  histogram.record(24h * 7);
  Histogram all;
  histogram.add_to(all);
  const double exact = 604'800;
  EXPECT_NEAR(all.sum.count(), exact, exact * 0.0625);
}

TEST(LatencyHistogramTest, TheSumOfManyYearsIsNoneThatOverflows) {
  LatencyHistogram histogram;
  histogram.record(24h * 7);
  for (int i = 0; i < 20; ++i) histogram.add(histogram);  // 2^20 weeks
  Histogram all;
  histogram.add_to(all);
  EXPECT_EQ(all.count, 1U << 20U);
  const double exact = 604'800.0 * (1U << 20U);
  EXPECT_NEAR(all.sum.count(), exact, exact * 0.0625);
}

}  // namespace
}  // namespace action_triggers::detail
