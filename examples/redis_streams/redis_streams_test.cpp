// SPDX-License-Identifier: MIT
// The broker type against a real Redis, which scripts/servers has started: the contract of every broker, and what Redis
// does to those that write to it.
#include "redis_streams.hpp"

#include <gmock/gmock.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <action_triggers/action_triggers.hpp>
#include <action_triggers/testing/broker_contract.hpp>
#include <array>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace at = action_triggers;
using at::testing::HasCode;
using at::testing::IsOk;
using at::testing::PersistenceIs;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

namespace {

int number(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr) throw std::runtime_error("run this by: scripts/servers with redis -- PROGRAM");
  return std::atoi(value);
}

bool eventually(const std::function<bool()>& is_so) {
  const auto end = std::chrono::steady_clock::now() + 1min;
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(1ms);  // no more than a pause between two looks
  }
  return true;
}

/// Stands before Redis, one client at a time, and can lose a reply with its connection.
class LossyLine {
 public:
  LossyLine() {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (bind(listener_, as_sockaddr(address), size) != 0 || listen(listener_, 8) != 0 ||
        getsockname(listener_, as_sockaddr(address), &size) != 0) {
      throw std::runtime_error("no port for a test");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (int client = 0; (client = accept(listener_, nullptr, nullptr)) >= 0; ::close(client)) serve(client);
    });
  }
  /// The client has gone before.
  ~LossyLine() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  LossyLine(const LossyLine&) = delete;
  LossyLine& operator=(const LossyLine&) = delete;

  [[nodiscard]] int port() const { return port_; }
  void lose_next_reply() { loses_ = true; }

 private:
  static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  static sockaddr* as_sockaddr(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }
  /// False: there is nothing more to come.
  static bool pass_on(int from, int to) {
    std::array<char, 65'536> bytes{};
    const ssize_t size = recv(from, bytes.data(), bytes.size(), 0);
    return size > 0 && ::send(to, bytes.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL) == size;
  }
  void serve(int client) {
    const int server = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = loopback(number("AT_REDIS_PORT"));
    bool goes_on = connect(server, as_sockaddr(address), sizeof address) == 0;
    while (goes_on) {
      std::array<pollfd, 2> both{pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
      poll(both.data(), both.size(), -1);
      if (both[0].revents != 0) goes_on = pass_on(client, server);
      if (both[1].revents != 0) goes_on = !loses_.exchange(false) && goes_on && pass_on(server, client);
    }
    ::close(server);
  }

  const int listener_ = socket(AF_INET, SOCK_STREAM, 0);
  int port_ = 0;
  std::atomic<bool> loses_{false};
  std::thread thread_;
};

/// Another client, which waits for its replies.
class Redis {
 public:
  Redis() : connection_(redisConnect("127.0.0.1", number("AT_REDIS_PORT")), redisFree) { command({"AUTH", "right"}); }
  /// All texts of the reply, nested ones too.
  std::vector<std::string> command(const std::vector<std::string>& words) {
    std::vector<const char*> starts;
    std::vector<std::size_t> sizes;
    for (const std::string& word : words) {
      starts.push_back(word.data());
      sizes.push_back(word.size());
    }
    redisAppendCommandArgv(connection_.get(), static_cast<int>(words.size()), starts.data(), sizes.data());
    void* reply = nullptr;
    if (redisGetReply(connection_.get(), &reply) != REDIS_OK) throw std::runtime_error(connection_->errstr);
    const std::unique_ptr<redisReply, decltype(&freeReplyObject)> owner(static_cast<redisReply*>(reply),
                                                                        freeReplyObject);
    if (owner->type == REDIS_REPLY_ERROR) throw std::runtime_error(words[0] + ": " + owner->str);
    std::vector<std::string> texts;
    collect(*owner, texts);
    return texts;
  }

 private:
  static void collect(const redisReply& reply, std::vector<std::string>& texts) {
    if (reply.type == REDIS_REPLY_INTEGER) texts.push_back(std::to_string(reply.integer));
    if (reply.str != nullptr) texts.emplace_back(reply.str, reply.len);
    for (std::size_t i = 0; i < reply.elements; ++i) collect(*reply.element[i], texts);
  }
  const std::unique_ptr<redisContext, decltype(&redisFree)> connection_;
};

/// Ids of messages in a stream, in their order.
std::vector<std::string> ids_in(const std::string& stream) {
  std::vector<std::string> ids;
  const std::vector<std::string> texts = Redis().command({"XRANGE", stream, "-", "+"});
  for (std::size_t i = 0; i + 1 < texts.size(); ++i) {
    if (texts[i] == "id") ids.push_back(texts[i + 1]);
  }
  return ids;
}

std::string destination(const std::string& name, const std::string& params,
                        const std::string& login = R"("password": "right")", int port = number("AT_REDIS_PORT")) {
  return "\"" + name + R"(": {"broker_type": "redis_streams", "conn_details": {"host": "127.0.0.1", "port": )" +
         std::to_string(port) + ", " + login + R"(}, "params": {)" + params + "}}";
}

at::BrokerRegistry registry() { return at::BrokerRegistry().add(redis_streams_type()); }

// The contract

at::testing::ContractSubject redis_streams() {
  at::testing::ContractSubject subject;
  subject.name = "redis_streams";
  subject.config = [] {
    return at::parse_config(R"({"brokers": {)" + destination("first", R"("stream": "first")") + ", " +
                                destination("second", R"("stream": "second")") + "}}",
                            registry());
  };
  subject.make = redis_streams_type().make;
  subject.arrived = ids_in;
  return subject;
}
INSTANTIATE_TEST_SUITE_P(Redis, BrokerContract, testing::Values(redis_streams()));

// What Redis does

class RedisStreamsTest : public testing::Test {
 protected:
  RedisStreamsTest() { redis_.command({"FLUSHALL"}); }

  static std::unique_ptr<at::TriggerDispatcher> dispatcher_for(const std::string& orders) {
    return std::make_unique<at::TriggerDispatcher>(at::parse_config(R"({"brokers": {)" + orders + "}}", registry()),
                                                   registry());
  }
  void start(const std::string& params = R"("stream": "orders")", const std::string& login = R"("password": "right")") {
    dispatcher_ = dispatcher_for(destination("orders", params, login));
  }
  at::Delivery fire(const at::Message& message = {.body = "42"}) { return dispatcher_->fire("orders", message); }
  at::BrokerStats stats() { return dispatcher_->stats().brokers.at("orders"); }

  /// While Redis is stopped, its system takes what is sent to it.
  void while_stopped(const std::function<void()>& act) {
    ASSERT_TRUE(dispatcher_->wait_until_connected(1min));
    const pid_t server = number("AT_REDIS_PID");
    ASSERT_EQ(kill(server, SIGSTOP), 0);
    act();
    ASSERT_EQ(kill(server, SIGCONT), 0);
  }
  /// Redis adds the entry, and its answer does not arrive.
  at::Delivery fire_and_lose_reply(const std::string& params) {
    dispatcher_ = dispatcher_for(destination("orders", params, R"("password": "right")", line_.port()));
    EXPECT_TRUE(dispatcher_->wait_until_connected(1min));
    line_.lose_next_reply();
    return fire({.body = "42", .id = "7"});
  }

  LossyLine line_;
  Redis redis_;
  std::unique_ptr<at::TriggerDispatcher> dispatcher_;
};

TEST_F(RedisStreamsTest, AnEntryHasWhatTheMessageHas) {
  start();
  ASSERT_THAT(fire({.body = "{}", .key = "k", .headers = {{"tenant", "a"}}, .content_type = "x/y", .id = "7"}).wait(),
              IsOk());
  std::vector<std::string> entry = redis_.command({"XRANGE", "orders", "-", "+"});
  entry.erase(entry.begin());  // its id in Redis
  EXPECT_THAT(entry, ElementsAre("id", "7", "body", "{}", "key", "k", "content_type", "x/y", "header.tenant", "a"));
}

TEST_F(RedisStreamsTest, AStreamIsKeptShort) {
  start(R"("stream": "orders", "max_length": 100)");
  for (int i = 0; i < 1'000; ++i) fire();
  ASSERT_TRUE(dispatcher_->flush(1min));
  EXPECT_EQ(stats().delivered, 1'000U);
  EXPECT_LT(ids_in("orders").size(), 500U);  // Redis removes a block of entries at a time
}

TEST_F(RedisStreamsTest, AWrongPasswordIsReportedAtOnce) {
  start(R"("stream": "orders")", R"("password": "wrong")");
  const at::DeliveryReport report = fire().wait();
  EXPECT_THAT(report, HasCode(at::StatusCode::unauthenticated));
  EXPECT_THAT(report.status.message(), HasSubstr("WRONGPASS"));
}

TEST_F(RedisStreamsTest, SoIsNone) {
  start(R"("stream": "orders")", R"("user": "ignored")");
  EXPECT_THAT(fire().wait(), HasCode(at::StatusCode::unauthenticated));
}

TEST_F(RedisStreamsTest, AUserMayNotDoEverything) {
  redis_.command({"ACL", "SETUSER", "reader", "on", ">right", "~*", "+@read", "+ping"});
  start(R"("stream": "orders")", R"("user": "reader", "password": "right")");
  EXPECT_THAT(fire().wait(), HasCode(at::StatusCode::permission_denied));
}

TEST_F(RedisStreamsTest, AKeyMayBeNoStream) {
  redis_.command({"SET", "orders", "42"});
  start();
  EXPECT_THAT(fire().wait(), HasCode(at::StatusCode::not_found));
  redis_.command({"DEL", "orders"});
  EXPECT_THAT(fire().wait(), IsOk());
}

TEST_F(RedisStreamsTest, WithoutMemoryRedisIsAskedAgain) {
  start();
  redis_.command({"CONFIG", "SET", "maxmemory", "1"});
  const at::Delivery delivery = fire();
  EXPECT_TRUE(eventually([&] { return stats().last_error.find("OOM") != std::string::npos; }));
  EXPECT_FALSE(delivery.done());
  redis_.command({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_THAT(delivery.wait(), IsOk());
}

TEST_F(RedisStreamsTest, WithoutMemoryThereIsNoEntry) {
  start(R"("stream": "orders", "retry": {"max_attempts": 1})");
  redis_.command({"CONFIG", "SET", "maxmemory", "1"});
  const at::DeliveryReport report = fire().wait();
  redis_.command({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_THAT(report, HasCode(at::StatusCode::rejected));
  EXPECT_THAT(report, PersistenceIs(at::Persistence::not_persisted));
}

TEST_F(RedisStreamsTest, AReplicaIsLeft) {
  start();
  redis_.command({"REPLICAOF", "127.0.0.1", "1"});
  const at::Delivery delivery = fire();
  EXPECT_TRUE(eventually([&] { return stats().last_error.find("READONLY") != std::string::npos; }));
  redis_.command({"REPLICAOF", "NO", "ONE"});
  EXPECT_THAT(delivery.wait(), IsOk());
  EXPECT_GE(dispatcher_->stats().connections.at(0).reconnects, 1U);
}

TEST_F(RedisStreamsTest, ARedisThatLoadsIsWaitedFor) {
  start();
  redis_.command({"DEBUG", "POPULATE", "3000"});
  redis_.command({"CONFIG", "SET", "loading-process-events-interval-bytes", "1024"});
  redis_.command({"CONFIG", "SET", "key-load-delay", "1000"});  // microseconds
  std::thread reload([] { Redis().command({"DEBUG", "RELOAD"}); });
  std::vector<at::Delivery> deliveries;
  EXPECT_TRUE(eventually([&] {
    if (stats().queued == 0) deliveries.push_back(fire());
    return stats().last_error.find("LOADING") != std::string::npos;
  }));
  reload.join();
  for (const at::Delivery& delivery : deliveries) EXPECT_THAT(delivery.wait(), IsOk());
}

TEST_F(RedisStreamsTest, ALostConnectionIsMadeAgain) {
  start();
  ASSERT_TRUE(dispatcher_->wait_until_connected(1min));
  redis_.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_TRUE(eventually([&] { return dispatcher_->stats().connections.at(0).reconnects == 1; }));
  EXPECT_THAT(fire().wait(), IsOk());
}

TEST_F(RedisStreamsTest, WithoutAServerTheReasonIsKnown) {
  const at::Config config = at::parse_config(R"({"brokers": {"orders": {"broker_type": "redis_streams",
      "conn_details": {"host": "localhost", "port": 1}, "params": {"stream": "orders", "retry": {"max_attempts": 1}}}}})",
                                             registry());
  at::TriggerDispatcher dispatcher(config, registry());
  const at::DeliveryReport report = dispatcher.fire("orders", "42").wait();
  EXPECT_THAT(report, HasCode(at::StatusCode::unavailable));
  EXPECT_THAT(report, PersistenceIs(at::Persistence::not_persisted));
  EXPECT_THAT(report.status.message(), HasSubstr("refused"));
}

TEST_F(RedisStreamsTest, WithoutAReplyNobodyKnows) {
  const at::DeliveryReport report = fire_and_lose_reply(R"("stream": "orders", "retry": {"max_attempts": 1})").wait();
  EXPECT_THAT(report, HasCode(at::StatusCode::unavailable));
  EXPECT_THAT(report, PersistenceIs(at::Persistence::possibly_persisted));
  EXPECT_THAT(ids_in("orders"), ElementsAre("7"));
}

TEST_F(RedisStreamsTest, ACopyHasTheSameId) {
  EXPECT_THAT(fire_and_lose_reply(R"("stream": "orders")").wait(), IsOk());
  EXPECT_THAT(ids_in("orders"), ElementsAre("7", "7"));
}

TEST_F(RedisStreamsTest, ARedisThatHangsHoldsNobodyUp) {
  start(R"("stream": "orders", "timeout_secs": 1)");
  while_stopped([&] { EXPECT_THAT(fire().wait(), HasCode(at::StatusCode::timed_out)); });
  EXPECT_TRUE(eventually([&] { return stats().late_outcomes == 1; }));
  EXPECT_THAT(fire().wait(), IsOk());
}

TEST_F(RedisStreamsTest, OnlySoManyAreUnderWay) {
  start(R"("stream": "orders", "max_in_flight": 5)");
  while_stopped([&] {
    for (int i = 0; i < 20; ++i) fire();
    EXPECT_TRUE(eventually([&] { return stats().in_flight == 5; }));
  });
  ASSERT_TRUE(dispatcher_->flush(1min));
  EXPECT_EQ(stats().delivered, 20U);
}

TEST_F(RedisStreamsTest, MoreThanTheSocketTakesWaits) {
  start();
  const std::string large(1'000'000, 'x');
  while_stopped([&] {
    for (int i = 0; i < 40; ++i) fire({.body = large});
    EXPECT_TRUE(eventually([&] { return stats().in_flight > 0; }));
    EXPECT_LT(stats().in_flight, 40U);
  });
  ASSERT_TRUE(dispatcher_->flush(1min));
  EXPECT_EQ(stats().delivered, 40U);
}

TEST_F(RedisStreamsTest, AMessageLargerThanTheSocketTakesGoesOnWhenItTakesMore) {
  start();
  const at::DeliveryReport report = fire({.body = std::string(16'000'000, 'x')}).wait();
  EXPECT_THAT(report, IsOk());
  EXPECT_THAT(report, at::testing::AttemptsAre(1U));
}

TEST_F(RedisStreamsTest, WhatIsWrongInTheFileIsSaid) {
  try {
    at::parse_config(R"({"settings": {"require_tls": true}, "brokers": {"orders": {"broker_type": "redis_streams",
        "conn_details": {"host": "redis", "pasword": "x"}, "params": {}}}})",
                     registry());
    FAIL();
  } catch (const at::ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("The field 'stream' must be provided."));
    EXPECT_THAT(error.what(), HasSubstr("Did you mean 'password'?"));
    EXPECT_THAT(error.what(), HasSubstr("in plain text"));
  }
}

}  // namespace
