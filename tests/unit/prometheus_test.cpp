// SPDX-License-Identifier: MIT
// Stats as Prometheus reads them: the whole page is prometheus_text.txt, which `promtool check metrics` reads as well.
#include "action_triggers/prometheus.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string path = std::string(ACTION_TRIGGERS_SOURCE_DIR) + "/tests/unit/prometheus_text.txt";

WallTime at(std::chrono::seconds since_epoch) { return WallTime(since_epoch); }

Histogram three_durations() { return {.buckets = {{500us, 0}, {1ms, 1}, {2'500ms, 2}}, .count = 3, .sum = 61'003ms}; }

Stats everything() {
  Stats stats;
  stats.taken_at = at(1'700'000'000s);
  BrokerStats& broker = stats.brokers["order_events"];
  broker.broker_type = "kafka";
  broker.fired = 10;
  broker.by_status[static_cast<std::size_t>(StatusCode::ok)] = 3;
  broker.by_status[static_cast<std::size_t>(StatusCode::not_found)] = 2;
  broker.by_status[static_cast<std::size_t>(StatusCode::rolled_back)] = 1;
  broker.retried = 4;
  broker.late_outcomes = 1;
  broker.queued = 5;
  broker.queued_bytes = 1'234;
  broker.max_queued = 100'000;
  broker.max_queued_bytes = 67'108'864;
  broker.in_flight = 2;
  broker.timeout = 30s;
  broker.oldest_age = 1'250ms;
  broker.state = ConnectionState::blocked;
  broker.connection = "order_events";
  broker.last_error = "not_found: a text that is no label";
  broker.last_error_at = at(1'699'999'990s);
  broker.trouble = Trouble{StatusCode::not_found, "not_found", at(1'699'999'980s), at(1'699'999'990s)};
  broker.latency = three_durations();
  ConnectionStats connection;
  connection.name = "order_events";
  connection.broker_type = "kafka";
  connection.since = at(1'699'999'900s);
  connection.reconnects = 6;
  connection.failed_attempts = 7;
  stats.connections.push_back(connection);
  TriggerStats& trigger = stats.triggers["order_paid"];
  trigger.matched = 11;
  trigger.filtered = 12;
  trigger.sent = 13;
  trigger.failed = 14;
  OutboxStats& outbox = stats.outbox.emplace();
  outbox.shards = {0, 3};
  outbox.sent = 21;
  outbox.removed = 22;
  outbox.dead = 23;
  outbox.in_hand = 24;
  outbox.oldest_age = 2'500ms;
  outbox.delay = three_durations();
  outbox.held["order_events"] = "no such destination";
  stats.unmatched_events = 31;
  stats.unknown_broker = 32;
  stats.callback_exceptions = 33;
  stats.slow_callbacks = 34;
  stats.lanes = 1;
  stats.reloads = 35;
  stats.failed_reloads = 36;
  return stats;
}

TEST(PrometheusTest, ThePageIsTheOneThatIsWrittenDown) {
  const std::string text = prometheus_text(everything());
  if (std::getenv("ACTION_TRIGGERS_UPDATE_DOCS") != nullptr) std::ofstream(path) << text;
  std::ostringstream expected;
  expected << std::ifstream(path).rdbuf();
  EXPECT_EQ(text, expected.str()) << "ACTION_TRIGGERS_UPDATE_DOCS=1 writes it anew";
}

TEST(PrometheusTest, LabelsAreEscaped) {
  Stats stats;
  stats.brokers["a \"b\" \\c\nd ü"].broker_type = "memory";
  EXPECT_THAT(
      prometheus_text(stats),
      HasSubstr(R"(action_triggers_queued_messages{destination="a \"b\" \\c\nd ü",messaging_system="memory"} 0)"));
}

TEST(PrometheusTest, ABytePrometheusWouldNotReadIsWrittenAsText) {
  Stats stats;
  stats.brokers["a\xC3\xA4\xFF\xE2\x82"].broker_type = "memory";
  EXPECT_THAT(prometheus_text(stats), HasSubstr("{destination=\"a\xC3\xA4\\\\xff\\\\xe2\\\\x82\","));
}

TEST(PrometheusTest, WhatRowsAreWrittenForMakesNoSeries) {
  Stats stats = everything();
  for (int i = 0; i < 1'000; ++i) stats.outbox->held["row_" + std::to_string(i)] = "no such destination";
  const std::string text = prometheus_text(stats);
  EXPECT_THAT(text, HasSubstr("action_triggers_outbox_held{destination=\"order_events\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("action_triggers_outbox_held{destination=\"unknown\"} 1000\n"));
  EXPECT_THAT(text, Not(HasSubstr("\"row_")));
}

TEST(PrometheusTest, NoSeriesIsTwiceThere) {
  Stats stats = everything();
  stats.brokers["unknown"].broker_type = "memory";
  stats.outbox->held["unknown"] = "the broker has confirmed nothing for a while";
  stats.outbox->held["another"] = "no such destination";
  std::istringstream lines(prometheus_text(stats));
  std::set<std::string> series;
  for (std::string line; std::getline(lines, line);) {
    const std::string name = line.substr(0, line.rfind(' '));
    EXPECT_TRUE(line.starts_with("#") || series.insert(name).second) << name;
  }
}

TEST(PrometheusTest, ALongTimeIsANumber) {
  Stats stats;
  stats.brokers["a"].timeout = std::chrono::milliseconds::max();  // no overflow
  EXPECT_THAT(
      prometheus_text(stats),
      HasSubstr("action_triggers_message_timeout_seconds{destination=\"a\",messaging_system=\"\"} 9223372036854776\n"));
}

TEST(PrometheusTest, WithoutAnOutboxThereIsNothingOfIt) {
  EXPECT_THAT(prometheus_text(Stats()), Not(HasSubstr("outbox")));
}

TEST(PrometheusTest, NoTextOfAnErrorBecomesALabel) {
  EXPECT_THAT(prometheus_text(everything()), Not(HasSubstr("a text that is no label")));
}

}  // namespace
}  // namespace action_triggers
