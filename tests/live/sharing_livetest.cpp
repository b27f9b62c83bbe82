// SPDX-License-Identifier: MIT
// Two hundred names on one connection, ten of them bad: the others do not notice.
#include <algorithm>

#include "live/support.hpp"

namespace action_triggers::tests {
namespace {

using ::testing::SizeIs;

constexpr int names = 200;
constexpr int bad_names = 10;
constexpr int rounds = 50;

struct Result {
  std::vector<std::chrono::nanoseconds> latencies;  // of the good names' reports
  std::map<std::string, int> failures;              // of the bad names, by status

  [[nodiscard]] std::chrono::nanoseconds quantile(double share) {
    std::sort(latencies.begin(), latencies.end());
    return latencies.at(static_cast<std::size_t>(share * static_cast<double>(latencies.size() - 1)));
  }
};

/// Fires `rounds` messages at each good name, 190 at a time, paced by their reports; at the bad ones all the time if
/// `with_bad`.
Result fire_at_all(TriggerDispatcher& dispatcher, bool with_bad) {
  Result result;
  std::mutex mutex;
  std::atomic<bool> stop{false};
  std::thread bad;
  if (with_bad) {
    bad = std::thread([&] {
      while (!stop) {
        for (int n = 0; n < bad_names; ++n) {
          dispatcher.fire("bad" + std::to_string(n), "x", [&](const DeliveryReport& report) {
            const std::lock_guard lock(mutex);
            ++result.failures[std::string(to_string(report.status.code()))];
          });
        }
        std::this_thread::sleep_for(1ms);  // 10,000 bad fires a second
      }
    });
  }
  for (int round = 0; round < rounds; ++round) {
    std::vector<Delivery> deliveries;
    for (int n = bad_names; n < names; ++n) {
      Message message;
      message.body = std::to_string(round);
      message.key = "k";
      deliveries.push_back(dispatcher.fire("good" + std::to_string(n), message));
    }
    for (const Delivery& delivery : deliveries) {
      const DeliveryReport& report = delivery.wait();
      EXPECT_THAT(report, testing::IsOk());
      EXPECT_EQ(report.attempts, 1U);
      result.latencies.push_back(report.latency);
    }
  }
  stop = true;
  if (bad.joinable()) bad.join();
  EXPECT_TRUE(dispatcher.flush(30s));  // the bad names' callbacks use what is on this stack
  return result;
}

void expect_unharmed(TriggerDispatcher& dispatcher) {
  fire_at_all(dispatcher, false);  // warm
  // Machines are noisy: the best of a few pairs must show that bad names cost the others nothing.
  double ratio = 1e9;
  for (int attempt = 0; attempt < 5 && ratio > 2; ++attempt) {
    Result usual = fire_at_all(dispatcher, false);
    Result with_bad = fire_at_all(dispatcher, true);
    const double median =
        static_cast<double>(with_bad.quantile(0.5).count()) / static_cast<double>(usual.quantile(0.5).count());
    const double tail =
        static_cast<double>(with_bad.quantile(1).count()) / static_cast<double>(usual.quantile(1).count());
    std::cout << "with bad names: median x" << median << ", slowest x" << tail << " ("
              << std::chrono::duration<double, std::milli>(usual.quantile(1)).count() << " ms -> "
              << std::chrono::duration<double, std::milli>(with_bad.quantile(1)).count() << " ms); bad outcomes:";
    for (const auto& [status, count] : with_bad.failures) std::cout << " " << status << " " << count;
    std::cout << "\n";
    ratio = std::min(ratio, std::max(median, tail));
    EXPECT_EQ(with_bad.failures.count("ok"), 0U);
  }
  EXPECT_LE(ratio, 2.0);
}

TEST(SharingTest, TwoHundredNamesOnOneRabbitMqConnection) {
  const std::string prefix = unique("shared");
  const std::string user = unique("user");
  Servers::rabbitmqctl("-q add_user " + user + " pw");
  // May write everywhere but to one exchange of its own.
  run("/usr/bin/python3 -c 'import pika; c = pika.BlockingConnection(pika.ConnectionParameters(\"" +
      Servers::rabbitmq_host() + "\", " + std::to_string(Servers::rabbitmq_port()) +
      ")); ch = c.channel(); ch.exchange_declare(\"forbidden-" + prefix + "\", \"fanout\"); c.close()'");
  Servers::rabbitmqctl("-q set_permissions " + user + " '.*' '^(?!forbidden).*' '.*'");
  const std::string conn = rabbitmq_conn(R"(, "username": ")" + user + R"(", "password": "pw")");
  std::string brokers;
  for (int n = 0; n < names; ++n) {
    const std::string id = prefix + "-" + std::to_string(n);
    std::string params = R"("queue": ")" + id + R"(", "declare": true)";
    if (n < bad_names) {
      const std::vector<std::string> bad{R"("exchange": "missing-)" + id + R"(", "routing_key": "k")",
                                         R"("exchange": "forbidden-)" + prefix + R"(", "routing_key": ")" + id + "\"",
                                         R"("queue": "missing-)" + id + "\""};
      params = bad[static_cast<std::size_t>(n) % bad.size()];
    }
    brokers +=
        (n == 0 ? "" : ",") + broker((n < bad_names ? "bad" : "good") + std::to_string(n), "rabbitmq", conn, params);
  }
  TriggerDispatcher dispatcher(config_with(brokers));
  EXPECT_EQ(dispatcher.stats().lanes, 1U);
  expect_unharmed(dispatcher);
  EXPECT_EQ(rabbitmq_connections_of(user), 1) << "asked of the broker";
  dispatcher.flush(30s);
  for (const int n : {bad_names, names / 2, names - 1}) {
    const auto received = drain_queue(prefix + "-" + std::to_string(n));
    ASSERT_EQ(received.size() % rounds, 0U) << "every round once";
    for (std::size_t i = 0; i < received.size(); ++i)
      ASSERT_EQ(received[i].body, std::to_string(i % rounds)) << "in order";
  }
  dispatcher.close(5s);
  Servers::rabbitmqctl("-q delete_user " + user);
}

TEST(SharingTest, TwoHundredNamesOnOneKafkaConnection) {
  const std::string prefix = unique("shared");
  std::vector<std::string> topics;
  std::string brokers;
  for (int n = 0; n < names; ++n) {
    const std::string topic = prefix + "-" + std::to_string(n);
    if (n >= bad_names) topics.push_back(topic);
    brokers += (n == 0 ? "" : ",") + broker((n < bad_names ? "bad" : "good") + std::to_string(n), "kafka", kafka_conn(),
                                            R"("topic": ")" + topic + "\"");
  }
  create_topics(topics, 1);
  TriggerDispatcher dispatcher(config_with(brokers));
  EXPECT_EQ(dispatcher.stats().lanes, 1U);
  expect_unharmed(dispatcher);
  EXPECT_EQ(connections_to(Servers::kafka_bootstrap()), 1);
  for (const int n : {bad_names, names - 1}) {
    const auto received = read_topic(prefix + "-" + std::to_string(n));
    ASSERT_EQ(received.size() % rounds, 0U) << "every round once";
    for (std::size_t i = 0; i < received.size(); ++i)
      ASSERT_EQ(received[i].body, std::to_string(i % rounds)) << "in order";
  }
}

}  // namespace
}  // namespace action_triggers::tests
