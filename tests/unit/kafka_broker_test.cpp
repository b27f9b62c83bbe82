// KafkaBroker against librdkafka's mock cluster, driven the way a lane drives it: sleep on wait_request(), then poll().
#include "brokers/kafka/kafka_broker.hpp"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "brokers/kafka/kafka_type.hpp"
#include "support/mock_cluster.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using tests::MockCluster;

// ------------------------------------------------------------------------------------------------------------- harness

/// A message that owns its bytes.
struct TestMessage final : OutboundMessage {
  TestMessage(const KafkaConfig& config, std::uint32_t index, const Message& message) {
    block_ = message.body + message.key + message.content_type + message.id;
    for (const Header& header : message.headers) {
      const std::array<std::uint32_t, 2> sizes{static_cast<std::uint32_t>(header.name.size()),
                                               static_cast<std::uint32_t>(header.value.size())};
      std::array<char, sizeof sizes> bytes{};
      std::memcpy(bytes.data(), sizes.data(), sizeof sizes);
      block_.append(bytes.data(), bytes.size()).append(header.name).append(header.value);
    }
    bytes_ = block_.data();
    body_size_ = static_cast<std::uint32_t>(message.body.size());
    key_size_ = static_cast<std::uint32_t>(message.key.size());
    content_type_size_ = static_cast<std::uint32_t>(message.content_type.size());
    id_size_ = static_cast<std::uint32_t>(message.id.size());
    header_count_ = static_cast<std::uint32_t>(message.headers.size());
    attempts_ = 1;
    destination_ = &config;
    destination_index_ = index;
  }

  std::vector<Outcome> outcomes;

 private:
  std::string block_;
};

/// What a lane is to its broker, as far as these tests need it: one that never retries and reconnects when told to.
class TestLane final : public BrokerEvents {
 public:
  explicit TestLane(std::vector<KafkaConfig> configs) : configs_(std::move(configs)) {
    for (const KafkaConfig& config : configs_) names_.push_back(&config);
    broker = make_kafka(configs_.front());
    broker->start(LaneContext{.destinations = names_, .waker = Waker([] {})});
  }
  ~TestLane() {
    if (broker) broker->close(*this, 1'500ms);
  }

  void connect() { broker->connect(*this); }

  TestMessage& add(const Message& message, std::uint32_t name = 0) {
    messages.push_back(std::make_unique<TestMessage>(configs_[name], name, message));
    unsent_.push_back(messages.back().get());
    return static_cast<TestMessage&>(*messages.back());
  }

  /// Everything that has an outcome which a lane would try again, in order, once more.
  void offer_failed_again() {
    for (const auto& message : messages) {
      if (!message->outcomes.empty() && message->outcomes.back().status.retryable()) unsent_.push_back(message.get());
    }
  }

  /// Turns until `done`; false if that takes longer than `patience`.
  bool run_until(const std::function<bool()>& done, std::chrono::milliseconds patience = 10s) {
    const TimePoint deadline = Clock::now() + patience;
    while (true) {
      broker->poll(*this);
      send();
      if (done()) return true;
      if (Clock::now() >= deadline) return false;
      const WaitRequest request = broker->wait_request();
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::min(request.at, deadline) - Clock::now());
      pollfd descriptor{.fd = request.fd, .events = POLLIN, .revents = 0};
      // Nothing wakes it but what wait_request() names: a wake-up that was forgotten runs into `patience`.
      ::poll(&descriptor, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    }
  }
  bool run_until_completed(std::chrono::milliseconds patience = 10s) {
    return run_until([&] { return completed == messages.size(); }, patience);
  }
  bool run_until_disconnected(std::chrono::milliseconds patience = 10s) {
    return run_until([&] { return !disconnects.empty(); }, patience);
  }

  /// Adds one message and gives its outcome.
  Outcome deliver(const Message& message, std::chrono::milliseconds patience = 10s) {
    const TestMessage& added = add(message);
    if (!run_until([&] { return !added.outcomes.empty(); }, patience))
      return Outcome::failed({StatusCode::timed_out, {}});
    return added.outcomes.back();
  }

  [[nodiscard]] std::size_t unsent() const { return unsent_.size(); }

  // BrokerEvents
  void complete(const OutboundMessage& message, Outcome outcome) override {
    auto& ours = const_cast<TestMessage&>(static_cast<const TestMessage&>(message));
    if (ours.outcomes.empty()) ++completed;
    ours.outcomes.push_back(std::move(outcome));
  }
  void connected() override { is_connected = true; }
  void disconnected(Status why) override {
    is_connected = false;
    disconnects.push_back(std::move(why));
  }
  void blocked(bool is_blocked, std::string_view why) override { blocks.emplace_back(is_blocked, why); }
  void log(LogLevel /*level*/, std::string_view text) override { logs.emplace_back(text); }
  [[nodiscard]] TimePoint now() const override { return Clock::now(); }

  std::unique_ptr<Broker> broker;
  std::vector<std::unique_ptr<TestMessage>> messages;
  std::size_t completed = 0;
  bool is_connected = false;
  std::vector<Status> disconnects;
  std::vector<std::pair<bool, std::string>> blocks;
  std::vector<std::string> logs;

 private:
  void send() {
    while (is_connected && !unsent_.empty()) {
      std::vector<const OutboundMessage*> batch;
      for (TestMessage* message : unsent_) {
        if (batch.size() == 256 || message->destination_index() != unsent_.front()->destination_index()) break;
        batch.push_back(message);
      }
      const std::size_t taken = broker->send(batch, *this);
      unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(taken));
      if (taken < batch.size()) return;
    }
  }

  const std::vector<KafkaConfig> configs_;
  std::vector<const BrokerConfig*> names_;
  std::deque<TestMessage*> unsent_;
};

/// What the loader makes of a section that names nothing but servers and topic.
KafkaConfig config_for(const std::string& bootstrap, const std::string& topic = "orders") {
  KafkaConfig config;
  config.name = topic;
  config.broker_type = "kafka";
  config.bootstrap_servers = bootstrap;
  config.topic = topic;
  config.properties = {{"acks", "all"},
                       {"enable.idempotence", "true"},
                       {"socket.nagle.disable", "true"},
                       {"partitioner", "murmur2_random"},
                       {"linger.ms", "1"},
                       {"queue.buffering.max.messages", "10000000"},
                       {"queue.buffering.max.kbytes", "2097151"},
                       {"topic.metadata.propagation.max.ms", "1500"}};
  return config;
}

Message message_of(std::string body, std::string key = {}) {
  Message message;
  message.body = std::move(body);
  message.key = std::move(key);
  message.id = "id";
  return message;
}

struct Received {
  std::int32_t partition = -1;
  std::int64_t offset = -1;
  bool has_value = false;
  bool has_key = false;
  std::string body;
  std::string key;
  std::vector<std::pair<std::string, std::string>> headers;
};

/// Reads `count` messages of a topic from the beginning, as another client would.
std::vector<Received> read_topic(const MockCluster& cluster, const std::string& topic, std::size_t count) {
  std::array<char, 512> reason{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", cluster.bootstrap().c_str(), reason.data(), reason.size());
  rd_kafka_conf_set(conf, "group.id", "reader", reason.data(), reason.size());
  rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", reason.data(), reason.size());
  const std::unique_ptr<rd_kafka_t, KafkaDeleter<rd_kafka_destroy>> consumer(
      rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason.data(), reason.size()));
  rd_kafka_poll_set_consumer(consumer.get());
  const std::unique_ptr<rd_kafka_topic_partition_list_t, KafkaDeleter<rd_kafka_topic_partition_list_destroy>> all(
      rd_kafka_topic_partition_list_new(4));
  for (std::int32_t partition = 0; partition < 4; ++partition) {
    rd_kafka_topic_partition_list_add(all.get(), topic.c_str(), partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_assign(consumer.get(), all.get());
  std::vector<Received> received;
  for (const TimePoint deadline = Clock::now() + 10s; received.size() < count && Clock::now() < deadline;) {
    const std::unique_ptr<rd_kafka_message_t, KafkaDeleter<rd_kafka_message_destroy>> got(
        rd_kafka_consumer_poll(consumer.get(), 100));
    if (!got || got->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    Received& message = received.emplace_back();
    message.partition = got->partition;
    message.offset = got->offset;
    message.has_value = got->payload != nullptr;
    message.has_key = got->key != nullptr;
    if (message.has_value) message.body.assign(static_cast<const char*>(got->payload), got->len);
    if (message.has_key) message.key.assign(static_cast<const char*>(got->key), got->key_len);
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(got.get(), &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
      message.headers.emplace_back(name, std::string(static_cast<const char*>(value), size));
    }
  }
  return received;
}

/// A port that nobody listens on.
constexpr const char* refused = "127.0.0.1:1";

// ------------------------------------------------------------------------------------------------------------ delivery

TEST(KafkaBrokerTest, ReportsPartitionAndOffset) {
  const MockCluster cluster;
  TestLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  EXPECT_TRUE(lane.is_connected);  // at once: the client finds its brokers by itself
  const Outcome first = lane.deliver(message_of("one", "key"));
  const Outcome second = lane.deliver(message_of("two", "key"));
  ASSERT_TRUE(first.status.ok()) << first.status;
  EXPECT_EQ(first.persistence, Persistence::persisted);
  EXPECT_GE(first.partition, 0);
  EXPECT_EQ(first.offset, 0);
  EXPECT_EQ(second.partition, first.partition);
  EXPECT_EQ(second.offset, 1);
}

TEST(KafkaBrokerTest, EveryPartOfAMessageArrives) {
  const MockCluster cluster;
  KafkaConfig config = config_for(cluster.bootstrap());
  config.message_id_header = "x-id";
  config.content_type = "text/plain";
  TestLane lane({config});
  lane.connect();
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte.push_back(static_cast<char>(byte));
  Message full = message_of(every_byte, std::string("k\0y", 3));
  full.headers = {{"tenant", "a"}, {"tenant", "b"}, {"empty", ""}};
  full.content_type = "application/octet-stream";
  full.id = "id-1";
  const Outcome outcome = lane.deliver(full);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  const auto received = read_topic(cluster, "orders", 1);
  ASSERT_THAT(received, SizeIs(1));
  EXPECT_EQ(received[0].body, full.body);
  EXPECT_EQ(received[0].key, full.key);
  EXPECT_EQ(received[0].partition, outcome.partition);
  EXPECT_EQ(received[0].offset, outcome.offset);
  EXPECT_THAT(received[0].headers,
              ElementsAre(std::pair("tenant", "a"), std::pair("tenant", "b"), std::pair("empty", ""),
                          std::pair("content-type", "application/octet-stream"), std::pair("x-id", "id-1")));
}

TEST(KafkaBrokerTest, HeadersThatAreUsedAgainCarryTheIdOfTheirMessageAndNothingElse) {
  const MockCluster cluster;
  KafkaConfig first = config_for(cluster.bootstrap());
  KafkaConfig second = first;
  second.name = "second";
  second.message_id_header = "x-id";
  TestLane lane({first, second});
  lane.connect();
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> expected;
  const auto add = [&](std::uint32_t name, std::string id, std::vector<Header> headers = {}) {
    Message message = message_of(std::to_string(expected.size()));
    message.id = std::move(id);
    message.headers = std::move(headers);
    auto& of_message = expected[message.body];
    for (const Header& header : message.headers) of_message.emplace_back(header.name, header.value);
    of_message.emplace_back(name == 0 ? "message-id" : "x-id", message.id);
    lane.add(message, name);
  };
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3; ++i) {
      const std::string number = std::to_string(round) + std::to_string(i);
      add(0, "id-" + number);
      add(1, "id-" + number);
      add(0, "a longer id " + number);
      add(0, "id-" + number, {{"message-id", "the application's own"}, {"tenant", number}});
      add(1, "");
    }
    ASSERT_TRUE(lane.run_until_completed());  // so that the next round finds headers
  }
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> received;
  for (const Received& message : read_topic(cluster, "orders", expected.size())) {
    received[message.body] = message.headers;
  }
  EXPECT_EQ(received, expected);
}

TEST(KafkaBrokerTest, AnEmptyBodyIsAValueAndAnEmptyKeyIsNone) {
  const MockCluster cluster;
  KafkaConfig config = config_for(cluster.bootstrap());
  config.message_id_header.reset();
  config.content_type = "text/plain";
  TestLane lane({config});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("")).status.ok());
  const auto received = read_topic(cluster, "orders", 1);
  ASSERT_THAT(received, SizeIs(1));
  EXPECT_TRUE(received[0].has_value);  // no value at all would be a tombstone
  EXPECT_TRUE(received[0].body.empty());
  EXPECT_FALSE(received[0].has_key);
  EXPECT_THAT(received[0].headers, ElementsAre(std::pair("content-type", "text/plain")));
}

TEST(KafkaBrokerTest, CompletesAHundredThousandExactlyOnce) {
  const MockCluster cluster(3);
  TestLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  const std::string body(4'096, 'x');
  for (int i = 0; i < 100'000; ++i) lane.add(message_of(body, std::to_string(i % 100)));
  ASSERT_TRUE(lane.run_until_completed(100s)) << lane.completed;
  for (const auto& message : lane.messages) {
    ASSERT_THAT(message->outcomes, SizeIs(1));
    ASSERT_TRUE(message->outcomes[0].status.ok()) << message->outcomes[0].status;
  }
}

TEST(KafkaBrokerTest, KeepsTheOrderOfAKey) {
  MockCluster cluster(3);
  TestLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  // Refused requests are sent again by the client; that must not let later ones pass.
  cluster.fail_produce(
      {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT});
  for (int i = 0; i < 5'000; ++i) lane.add(message_of(std::to_string(i), std::to_string(i % 7)));
  ASSERT_TRUE(lane.run_until_completed(30s)) << lane.completed;
  std::map<std::string, int> newest;
  const auto received = read_topic(cluster, "orders", 5'000);
  ASSERT_THAT(received, SizeIs(5'000));
  for (const Received& message : received) {
    const int number = std::stoi(message.body);
    const auto [at, is_first] = newest.emplace(message.key, number);
    if (is_first) continue;
    EXPECT_EQ(number, at->second + 7) << "key " << message.key;
    at->second = number;
  }
}

TEST(KafkaBrokerTest, TwoNamesMayShareATopic) {
  const MockCluster cluster;
  KafkaConfig first = config_for(cluster.bootstrap());
  KafkaConfig second = first;
  second.name = "second";
  second.timeout = 60s;
  second.message_id_header = "x-id";
  TestLane lane({first, config_for(cluster.bootstrap(), "other"), second});
  lane.connect();
  lane.add(message_of("a"), 0);
  lane.add(message_of("b"), 1);
  lane.add(message_of("c"), 2);
  ASSERT_TRUE(lane.run_until_completed());
  for (const auto& message : lane.messages) EXPECT_TRUE(message->outcomes[0].status.ok());
  EXPECT_THAT(read_topic(cluster, "orders", 2), SizeIs(2));
  EXPECT_THAT(read_topic(cluster, "other", 1), SizeIs(1));
}

// ------------------------------------------------------------------------------------------------------------ refusals

TEST(KafkaBrokerTest, TooLargeNamesTheLimits) {
  const MockCluster cluster;
  TestLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  const Outcome outcome = lane.deliver(message_of(std::string(2'000'000, 'x')));
  EXPECT_EQ(outcome.status.code(), StatusCode::too_large);
  EXPECT_EQ(outcome.persistence, Persistence::not_persisted);
  EXPECT_THAT(outcome.status.message(), HasSubstr("max_request_size"));
  EXPECT_TRUE(lane.deliver(message_of("small")).status.ok());
}

TEST(KafkaBrokerTest, TakesAPrefixWhenTheClientIsFull) {
  MockCluster cluster;
  KafkaConfig config = config_for(cluster.bootstrap());
  config.properties["queue.buffering.max.messages"] = "10";
  TestLane lane({config});
  lane.connect();
  for (int i = 0; i < 25; ++i) lane.add(message_of(std::to_string(i), "key"));
  lane.run_until([] { return true; });  // one turn
  EXPECT_EQ(lane.unsent(), 15U);
  ASSERT_TRUE(lane.run_until_completed());
  const auto received = read_topic(cluster, "orders", 25);
  ASSERT_THAT(received, SizeIs(25));
  for (std::size_t i = 0; i < received.size(); ++i) EXPECT_EQ(received[i].body, std::to_string(i));
}

TEST(KafkaBrokerTest, AnUnknownTopicIsReportedAndFoundOnceItExists) {
  MockCluster cluster;
  cluster.fail_topic("orders", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  TestLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  const TimePoint begin = Clock::now();
  const Outcome unknown = lane.deliver(message_of("x"));
  EXPECT_LT(Clock::now() - begin, 4s);
  EXPECT_EQ(unknown.status.code(), StatusCode::not_found) << unknown.status;
  EXPECT_EQ(unknown.persistence, Persistence::not_persisted);
  EXPECT_THAT(unknown.status.message(), HasSubstr("'orders'"));
  const TimePoint again = Clock::now();
  EXPECT_EQ(lane.deliver(message_of("x")).status.code(), StatusCode::not_found);
  EXPECT_LT(Clock::now() - again, 500ms);  // now it knows

  cluster.fail_topic("orders", RD_KAFKA_RESP_ERR_NO_ERROR);
  Outcome outcome = unknown;
  const TimePoint created = Clock::now();
  while (!outcome.status.ok() && Clock::now() - created < 10s) {
    lane.run_until([] { return false; }, 50ms);
    outcome = lane.deliver(message_of("x"));
  }
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_LT(Clock::now() - created, 3s);
}

TEST(KafkaBrokerTest, NotEnoughReplicasIsTriedAgainByTheClientThenRejected) {
  MockCluster cluster;
  KafkaConfig config = config_for(cluster.bootstrap());
  config.properties["message.send.max.retries"] = "2";
  config.properties["retry.backoff.ms"] = "10";
  TestLane lane({config});
  lane.connect();
  const std::vector<rd_kafka_resp_err_t> twice(2, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
  cluster.fail_produce(twice);
  EXPECT_TRUE(lane.deliver(message_of("x")).status.ok());
  const std::vector<rd_kafka_resp_err_t> often(6, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
  cluster.fail_produce(often);
  const Outcome outcome = lane.deliver(message_of("x"));
  EXPECT_EQ(outcome.status.code(), StatusCode::rejected) << outcome.status;
  EXPECT_THAT(outcome.status.message(), HasSubstr("'orders'"));
}

TEST(KafkaBrokerTest, DoesNotBelieveThatALaterConfirmationProvesAnEarlierMessage) {
  MockCluster cluster;
  TestLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("before", "key")).status.ok());
  // Two requests on the wire: the first one is refused, the second one written.
  cluster.set_round_trip(300ms);
  cluster.fail_produce({RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION});
  TestMessage& first = lane.add(message_of("first", "key"));
  EXPECT_FALSE(lane.run_until([&] { return !first.outcomes.empty(); }, 100ms));
  lane.add(message_of("second", "key"));
  ASSERT_TRUE(lane.run_until_completed());
  // A client that sends the first one again may say so; what may not be is "ok", and nothing there.
  const auto received = read_topic(cluster, "orders", first.outcomes[0].status.ok() ? 3 : 2);
  const bool is_there =
      std::any_of(received.begin(), received.end(), [](const Received& message) { return message.body == "first"; });
  if (first.outcomes[0].status.ok()) {
    EXPECT_TRUE(is_there);
  } else {
    EXPECT_TRUE(first.outcomes[0].status.retryable()) << first.outcomes[0].status;
    EXPECT_EQ(first.outcomes[0].persistence, Persistence::possibly_persisted);
    EXPECT_THAT(lane.logs, Contains(HasSubstr("1 of the messages were written")));
  }
}

TEST(KafkaBrokerTest, MapsWhatTheBrokerRefuses) {
  const std::vector<std::pair<rd_kafka_resp_err_t, StatusCode>> expected{
      {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, StatusCode::permission_denied},
      {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, StatusCode::too_large},
      {RD_KAFKA_RESP_ERR_INVALID_RECORD, StatusCode::invalid_argument},
      {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, StatusCode::rejected},
  };
  for (const auto& [error, code] : expected) {
    MockCluster cluster;
    KafkaConfig config = config_for(cluster.bootstrap());
    config.properties["enable.idempotence"] = "false";  // a refused batch would be a fatal gap
    TestLane lane({config});
    lane.connect();
    cluster.fail_produce({error});
    const Outcome outcome = lane.deliver(message_of("x"));
    EXPECT_EQ(outcome.status.code(), code) << rd_kafka_err2name(error) << ": " << outcome.status;
    EXPECT_THAT(outcome.status.message(), Not(IsEmpty()));
  }
}

// ---------------------------------------------------------------------------------------------------------- connection

TEST(KafkaBrokerTest, AWrongPropertyDisconnectsWithTheReasonAndWithoutTheSecret) {
  KafkaConfig config = config_for(refused);
  config.properties["acks"] = "several";
  TestLane lane({config});
  lane.connect();
  ASSERT_THAT(lane.disconnects, SizeIs(1));
  EXPECT_EQ(lane.disconnects[0].code(), StatusCode::invalid_argument);
  EXPECT_THAT(lane.disconnects[0].message(), HasSubstr("acks"));

  KafkaConfig secretive = config_for(refused);
  secretive.secret_properties["acks"] = Secret("hunter2");
  TestLane other({secretive});
  other.connect();
  ASSERT_THAT(other.disconnects, SizeIs(1));
  EXPECT_THAT(other.disconnects[0].message(), Not(HasSubstr("hunter2")));
}

TEST(KafkaBrokerTest, TheClientReconnectsAfterThePausesOfRetry) {
  KafkaConfig config = config_for(refused);
  config.retry.initial_backoff = 70ms;
  config.retry.max_backoff = 700ms;
  const auto value_of = [&](const char* property) {
    std::array<char, 64> value{};
    std::size_t size = value.size();
    EXPECT_EQ(rd_kafka_conf_get(make_kafka_conf(config).get(), property, value.data(), &size), RD_KAFKA_CONF_OK);
    return std::string(value.data());
  };
  EXPECT_EQ(value_of("reconnect.backoff.ms"), "70");
  EXPECT_EQ(value_of("reconnect.backoff.max.ms"), "700");
  config.properties["reconnect.backoff.max.ms"] = "900";
  EXPECT_EQ(value_of("reconnect.backoff.max.ms"), "900");
  config.retry.initial_backoff = 24h;  // more than librdkafka takes
  EXPECT_EQ(value_of("reconnect.backoff.ms"), "3600000");
}

TEST(KafkaBrokerTest, AnUnreachableClusterBlocksUntilItAnswers) {
  MockCluster cluster;
  TestLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("x")).status.ok());
  cluster.set_down();
  ASSERT_TRUE(lane.run_until([&] { return !lane.blocks.empty(); }));
  EXPECT_TRUE(lane.blocks[0].first);
  EXPECT_THAT(lane.blocks[0].second, HasSubstr(cluster.bootstrap()));
  EXPECT_THAT(lane.disconnects, IsEmpty());
  lane.add(message_of("waits"));
  EXPECT_FALSE(lane.run_until_completed(200ms));
  cluster.set_up();
  ASSERT_TRUE(lane.run_until_completed(20s));
  EXPECT_TRUE(lane.messages.back()->outcomes[0].status.ok());
  ASSERT_THAT(lane.blocks, SizeIs(2));
  EXPECT_FALSE(lane.blocks[1].first);
}

TEST(KafkaBrokerTest, AnUnreachableClusterIsUnavailableWhereAttemptsAreLimited) {
  KafkaConfig config = config_for(refused);
  config.retry.max_attempts = 2;
  TestLane lane({config});
  lane.connect();
  lane.add(message_of("x"));
  ASSERT_TRUE(lane.run_until_disconnected());
  EXPECT_EQ(lane.disconnects[0].code(), StatusCode::unavailable);
  EXPECT_THAT(lane.disconnects[0].message(), HasSubstr(refused));
  // The message may have been taken before the refusal was heard; then it came back before the disconnect.
  ASSERT_EQ(lane.completed + lane.unsent(), 1U);
  for (const Outcome& outcome : lane.messages[0]->outcomes) {
    EXPECT_EQ(outcome.status.code(), StatusCode::unavailable);
    EXPECT_EQ(outcome.persistence, Persistence::not_persisted);
  }
}

TEST(KafkaBrokerTest, SaysNothingOnStandardError) {
  ::testing::internal::CaptureStderr();
  {
    KafkaConfig config = config_for(refused);
    config.properties["debug"] = "broker";
    TestLane lane({config});
    lane.connect();
    EXPECT_TRUE(lane.run_until([&] { return !lane.blocks.empty(); }));
    EXPECT_THAT(lane.logs, Contains(HasSubstr("refused")));
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

/// Speaks just enough of the protocol (https://kafka.apache.org/protocol) to refuse every login, as Apache Kafka does
/// it.
class RefusingServer {
 public:
  RefusingServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 8) != 0 ||
        ::getsockname(listener_, generic, &size) != 0) {
      throw std::runtime_error("no listener");
    }
    bootstrap_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  RefusingServer(const RefusingServer&) = delete;
  RefusingServer& operator=(const RefusingServer&) = delete;
  ~RefusingServer() {
    ::shutdown(listener_, SHUT_RDWR);  // accept() returns
    if (thread_.joinable()) thread_.join();
    ::close(listener_);
  }
  /// Until then connections are made, and nobody answers.
  void begin_to_answer() {
    thread_ = std::thread([this] { serve(); });
  }
  [[nodiscard]] const std::string& bootstrap() const { return bootstrap_; }

 private:
  void serve() const {
    for (int peer = -1; (peer = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0; ::close(peer)) {
      while (answer(peer)) {
      }
    }
  }

  static std::string number16(int value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 255)}; }
  static std::string number32(std::size_t value) {
    return number16(static_cast<int>(value >> 16)) + number16(static_cast<int>(value & 65535));
  }

  /// One request; false at the end of the connection.
  static bool answer(int peer) {
    std::array<char, 1024> bytes{};
    const ssize_t size = ::recv(peer, bytes.data(), bytes.size(), 0);  // requests are small: each comes in one piece
    if (size < 12) return false;
    const std::string request(bytes.data(), static_cast<std::size_t>(size));
    const int api = request[5];
    const int version = request[7];
    std::string body;
    constexpr int sasl_handshake = 17;
    constexpr int api_versions = 18;
    constexpr int sasl_authenticate = 36;
    constexpr int unsupported_version = 35;
    constexpr int sasl_authentication_failed = 58;
    if (api == api_versions && version > 0) {
      body = number16(unsupported_version) + number32(0);
    } else if (api == api_versions) {
      const std::vector<std::pair<int, int>> apis{
          {0, 7}, {3, 4}, {sasl_handshake, 1}, {api_versions, 0}, {sasl_authenticate, 0}};
      body = number16(0) + number32(apis.size());
      for (const auto& [known, newest] : apis) body += number16(known) + number16(0) + number16(newest);
    } else if (api == sasl_handshake) {
      body = number16(0) + number32(1) + number16(5) + "PLAIN";
    } else if (api == sasl_authenticate) {
      const std::string why = "Invalid username or password";
      body = number16(sasl_authentication_failed) + number16(static_cast<int>(why.size())) + why + number32(0);
    } else {
      return false;
    }
    const std::string reply = request.substr(8, 4) + body;  // the correlation id first
    const std::string frame = number32(reply.size()) + reply;
    return ::send(peer, frame.data(), frame.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(frame.size());
  }

  const int listener_;
  std::string bootstrap_;
  std::thread thread_;
};

TEST(KafkaBrokerTest, ARefusedLoginIsReportedAtOnce) {
  RefusingServer server;
  KafkaConfig config = config_for(server.bootstrap());
  config.properties["security.protocol"] = "SASL_PLAINTEXT";
  config.properties["sasl.mechanism"] = "PLAIN";
  config.properties["sasl.username"] = "user";
  config.secret_properties["sasl.password"] = Secret("hunter2");
  TestLane lane({config});
  lane.connect();
  lane.add(message_of("x"));
  ASSERT_TRUE(lane.run_until([&] { return lane.unsent() == 0; }));  // the client has it
  server.begin_to_answer();
  const TimePoint begin = Clock::now();
  ASSERT_TRUE(lane.run_until_disconnected());
  EXPECT_LT(Clock::now() - begin, 3s);
  EXPECT_EQ(lane.disconnects[0].code(), StatusCode::unauthenticated) << lane.disconnects[0];
  EXPECT_THAT(lane.disconnects[0].message(), Not(HasSubstr("hunter2")));
  // Not `unavailable`: with retry.max_attempts the lane would report that instead.
  ASSERT_EQ(lane.completed, 1U);
  EXPECT_EQ(lane.messages[0]->outcomes[0].status.code(), StatusCode::unauthenticated);
}

// -------------------------------------------------------------------------------------------------------- fatal errors

TEST(KafkaBrokerTest, AFatalErrorGivesEverythingBackAndANewClientGoesOn) {
  MockCluster cluster;
  TestLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("before", "key")).status.ok());
  cluster.fail_produce({RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER});
  for (int i = 0; i < 1'000; ++i) lane.add(message_of(std::to_string(i), "key"));
  ASSERT_TRUE(lane.run_until_disconnected());
  EXPECT_EQ(lane.disconnects[0].code(), StatusCode::unavailable) << lane.disconnects[0];
  EXPECT_THAT(lane.disconnects[0].message(), HasSubstr("fatal"));
  std::size_t held = 0;
  for (const auto& message : lane.messages) {
    ASSERT_LE(message->outcomes.size(), 1U);
    if (message->outcomes.empty()) continue;
    ++held;
    EXPECT_TRUE(message->outcomes[0].status.ok() || message->outcomes[0].status.retryable())
        << message->outcomes[0].status;
  }
  EXPECT_EQ(held + lane.unsent(), lane.messages.size());  // completed, or never taken

  lane.connect();
  lane.offer_failed_again();
  ASSERT_TRUE(lane.run_until([&] {
    return std::all_of(lane.messages.begin(), lane.messages.end(), [](const auto& message) {
      return !message->outcomes.empty() && message->outcomes.back().status.ok();
    });
  }));
}

// --------------------------------------------------------------------------------------------------------------- close

TEST(KafkaBrokerTest, CloseIsBoundedAndForgetsEverythingWhileBrokersAreDown) {
  MockCluster cluster(3);
  TestLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("x")).status.ok());
  for (int broker = 1; broker <= 3; ++broker) cluster.set_down(broker);
  for (int i = 0; i < 10'000; ++i) lane.add(message_of(std::string(1'000, 'x')));
  ASSERT_TRUE(lane.run_until([&] { return lane.unsent() == 0; }));
  const TimePoint begin = Clock::now();
  lane.broker->close(lane, 1'500ms);
  EXPECT_LT(Clock::now() - begin, 2'500ms);
  EXPECT_EQ(lane.completed, lane.messages.size());
  for (const auto& message : lane.messages) EXPECT_THAT(message->outcomes, SizeIs(1));
  lane.messages.clear();  // sanitizers would see a touch
  lane.broker.reset();
}

TEST(KafkaBrokerTest, CloseTakesBackWhatIsOnTheWire) {
  MockCluster cluster;
  TestLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("x")).status.ok());
  cluster.set_round_trip(60s);
  for (int i = 0; i < 20; ++i) lane.add(message_of(std::string(100'000, 'x'), "key"));
  EXPECT_FALSE(lane.run_until_completed(100ms));
  const TimePoint begin = Clock::now();
  lane.broker->close(lane, 1'500ms);
  EXPECT_LT(Clock::now() - begin, 2'500ms);
  EXPECT_EQ(lane.completed, lane.messages.size());
  EXPECT_EQ(lane.messages[1]->outcomes[0].persistence, Persistence::possibly_persisted);
  lane.messages.clear();
  lane.broker.reset();
}

TEST(KafkaBrokerTest, AChildOfForkLeavesTheClientAlone) {
  const MockCluster cluster;
  TestLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("x")).status.ok());
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(10);  // a client without its threads would hang
    lane.broker->poll(lane);
    lane.broker->close(lane, 1'500ms);
    lane.broker.reset();
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(lane.deliver(message_of("y")).status.ok());
}

// ---------------------------------------------------------------------------------------------------------------- ping

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
