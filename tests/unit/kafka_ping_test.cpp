// SPDX-License-Identifier: MIT
// `ping` of the Kafka backend, against librdkafka's mock cluster.
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "brokers/kafka/kafka_type.hpp"
#include "support/host_names.hpp"
#include "support/kafka_lane.hpp"
#include "support/mock_cluster.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using tests::config_for;
using tests::MockCluster;
using tests::read_topic;
using tests::refused;

TEST(KafkaPingTest, ProvesThatTheTopicExists) {
  MockCluster cluster;
  cluster.create_topic("orders");
  const PingReport report = ping_kafka(config_for(cluster.bootstrap()), {.timeout = 10s, .send = false});
  EXPECT_TRUE(report.status.ok()) << report.status;
  EXPECT_EQ(report.detail, "topic 'orders' exists (4 partitions)");
}

TEST(KafkaPingTest, SendsAndReadsBack) {
  MockCluster cluster;
  cluster.create_topic("orders");
  const PingReport report = ping_kafka(config_for(cluster.bootstrap()), {.timeout = 10s, .send = true});
  ASSERT_TRUE(report.status.ok()) << report.status;
  EXPECT_THAT(report.detail, HasSubstr("offset 0, and read back"));
  const auto received = read_topic(cluster, "orders", 1);
  ASSERT_THAT(received, SizeIs(1));
  EXPECT_THAT(received[0].body, HasSubstr("action_triggers_ping"));
  EXPECT_THAT(received[0].headers, Contains(std::pair("action-triggers-ping", "1")));
}

/// A port in front of a mock cluster. It ends the first connections at once, as if the name had other addresses too,
/// where nobody listens.
class LaterAddress {
 public:
  LaterAddress(const std::string& target, int ends_at_first)
      : target_(target), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), ends_(ends_at_first) {
    sockaddr_in address = local(0);
    socklen_t size = sizeof address;
    if (::bind(listener_, as_plain(address), size) != 0 || ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, as_plain(address), &size) != 0) {
      throw std::runtime_error("no port");
    }
    bootstrap = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  LaterAddress(const LaterAddress&) = delete;
  LaterAddress& operator=(const LaterAddress&) = delete;
  ~LaterAddress() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  std::string bootstrap;

 private:
  static sockaddr_in local(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
  }
  static sockaddr* as_plain(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }

  void serve() {
    for (int client = 0; (client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      if (ends_-- <= 0) forward(client);
      ::close(client);
    }
  }

  /// Both ways, until either side ends.
  void forward(int client) const {
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = local(std::stoi(target_.substr(target_.find(':') + 1)));
    bool lives = ::connect(server, as_plain(address), sizeof address) == 0;
    while (lives) {
      std::array<pollfd, 3> sides{{{client, POLLIN, 0}, {server, POLLIN, 0}, {listener_, 0, 0}}};
      ::poll(sides.data(), sides.size(), -1);
      for (std::size_t from = 0; from < 2 && lives; ++from) {
        if (sides[from].revents == 0) continue;
        std::array<char, 4096> bytes{};
        const ssize_t got = ::recv(sides[from].fd, bytes.data(), bytes.size(), 0);
        lives = got > 0 && ::send(sides[1 - from].fd, bytes.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) == got;
      }
      lives = lives && sides[2].revents == 0;
    }
    ::close(server);
  }

  const std::string target_;
  const int listener_;
  int ends_;
  std::thread thread_;
};

TEST(KafkaPingTest, AServerOfWhichOneAddressAnswersIsReachable) {
  MockCluster cluster;
  cluster.create_topic("orders");
  const LaterAddress server(cluster.bootstrap(), 2);
  const PingReport report = ping_kafka(config_for(server.bootstrap), {.timeout = 10s, .send = false});
  EXPECT_TRUE(report.status.ok()) << report.status;
}

TEST(KafkaPingTest, ATopicWithoutALeaderTakesNothing) {
  MockCluster cluster;
  cluster.create_topic("orders");
  for (int partition = 0; partition < 4; ++partition) cluster.set_leader("orders", partition, -1);
  const PingReport none = ping_kafka(config_for(cluster.bootstrap()), {.timeout = 1s, .send = false});
  EXPECT_EQ(none.status.code(), StatusCode::unavailable);
  EXPECT_THAT(none.status.message(), HasSubstr("no partition of topic 'orders' has a leader"));
  cluster.set_leader("orders", 2, 1);
  EXPECT_TRUE(ping_kafka(config_for(cluster.bootstrap()), {.timeout = 10s, .send = false}).status.ok());
}

TEST(KafkaPingTest, ReadsBackWhateverTheProducerMayReceive) {
  MockCluster cluster;
  cluster.create_topic("orders");
  KafkaConfig config = config_for(cluster.bootstrap());
  config.properties["receive.message.max.bytes"] = "1000000";
  const PingReport report = ping_kafka(config, {.timeout = 10s, .send = true});
  EXPECT_TRUE(report.status.ok()) << report.status;
}

TEST(KafkaPingTest, AClientThatCannotGoOnSaysWhy) {
  MockCluster cluster;
  cluster.create_topic("orders");
  constexpr std::int16_t init_producer_id = 22;
  cluster.fail_request(init_producer_id, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
  const PingReport report = ping_kafka(config_for(cluster.bootstrap()), {.timeout = 10s, .send = true});
  EXPECT_EQ(report.status.code(), StatusCode::permission_denied) << report.status;
}

TEST(KafkaPingTest, WhoeverMayOnlyWriteMaySend) {
  MockCluster cluster;
  cluster.create_topic("orders");
  constexpr std::int16_t fetch = 1;
  cluster.fail_request(fetch, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  const PingReport report = ping_kafka(config_for(cluster.bootstrap()), {.timeout = 10s, .send = true});
  ASSERT_TRUE(report.status.ok()) << report.status;
  EXPECT_THAT(report.detail, HasSubstr("offset 0; not read back, for which the user has no permission"));
}

TEST(KafkaPingTest, DoesNotWaitForANameServer) {
  const tests::SlowNames names;  // until the end of the test
  const auto begin = std::chrono::steady_clock::now();
  const PingReport report = ping_kafka(config_for("broker.example:9092"), {.timeout = 500ms, .send = false});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_EQ(report.status.code(), StatusCode::unavailable);
  EXPECT_THAT(report.status.message(), HasSubstr("no name in broker.example:9092 could be looked up in time"));
}

TEST(KafkaPingTest, SaysWhatIsWrong) {
  MockCluster cluster;
  cluster.fail_topic("missing", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  const TimePoint begin = Clock::now();
  EXPECT_EQ(ping_kafka(config_for(cluster.bootstrap(), "missing"), {}).status.code(), StatusCode::not_found);
  const PingReport unreachable = ping_kafka(config_for(refused), {});
  EXPECT_EQ(unreachable.status.code(), StatusCode::unavailable);
  EXPECT_THAT(unreachable.status.message(), HasSubstr(refused));
  EXPECT_LT(Clock::now() - begin, 5s);
}

}  // namespace
}  // namespace action_triggers::detail
