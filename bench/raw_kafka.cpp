// SPDX-License-Identifier: MIT
// librdkafka as a careful application uses it: a callback a report, which wakes nobody but for the report that somebody
// waits for. Two ways: a thread that polls beside those that produce, or (--own-poll) the one thread that produces
// polls as well.
#include <librdkafka/rdkafka.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <thread>

#include "measure.hpp"
#include "support/mock_cluster.hpp"

using namespace action_triggers::bench;

namespace {

class Producer {
 public:
  Producer(const Options& options, const std::string& bootstrap) : own_poll_(options.own_poll) {
    char reason[512];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    const auto set = [&](const char* name, const std::string& value) {
      if (rd_kafka_conf_set(conf, name, value.c_str(), reason, sizeof reason) != RD_KAFKA_CONF_OK) {
        throw std::runtime_error(reason);
      }
    };
    // As our defaults, so that both do the same work.
    set("bootstrap.servers", bootstrap);
    set("enable.idempotence", "true");
    set("acks", "all");
    set("socket.nagle.disable", "true");
    set("partitioner", "murmur2_random");
    set("linger.ms", std::to_string(options.linger_ms));
    set("queue.buffering.max.messages", options.work == "throughput" ? "100000" : "10000000");
    set("queue.buffering.max.kbytes", "2097151");
    rd_kafka_conf_set_opaque(conf, this);
    rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
      static_cast<Producer*>(opaque)->count(*message);
    });
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (client_ == nullptr) throw std::runtime_error(reason);
    topic_ = rd_kafka_topic_new(client_, options.destination.c_str(), nullptr);
    if (own_poll_) return;
    poller_ = std::thread([this] {
      while (!stop_) rd_kafka_poll(client_, 100);
    });
  }
  ~Producer() {
    rd_kafka_purge(client_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(client_, 5'000);
    stop_ = true;
    if (poller_.joinable()) poller_.join();
    rd_kafka_topic_destroy(topic_);
    rd_kafka_destroy(client_);
  }
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  void produce(const std::string& body) {
    poll_now_and_then();
    while (rd_kafka_produce(topic_, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, const_cast<char*>(body.data()),
                            body.size(), nullptr, 0, nullptr) != 0) {
      wait_for_room(rd_kafka_last_error());
    }
  }
  /// With the message's id as a header, as ours has it.
  void produce_with_id(const std::string& body, const std::string& id) {
    poll_now_and_then();
    for (;;) {
      rd_kafka_headers_t* headers = rd_kafka_headers_new(1);
      rd_kafka_header_add(headers, "message-id", 10, id.data(), static_cast<ssize_t>(id.size()));
      std::array<rd_kafka_vu_t, 4> arguments{};
      arguments[0].vtype = RD_KAFKA_VTYPE_RKT;
      arguments[0].u.rkt = topic_;
      arguments[1].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
      arguments[1].u.i = RD_KAFKA_MSG_F_COPY;
      arguments[2].vtype = RD_KAFKA_VTYPE_VALUE;
      arguments[2].u.mem = {const_cast<char*>(body.data()), body.size()};
      arguments[3].vtype = RD_KAFKA_VTYPE_HEADERS;
      arguments[3].u.headers = headers;
      rd_kafka_error_t* error = rd_kafka_produceva(client_, arguments.data(), arguments.size());
      if (error == nullptr) return;
      const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
      rd_kafka_error_destroy(error);
      rd_kafka_headers_destroy(headers);
      wait_for_room(code);
    }
  }
  /// Until `count` messages have their report. At once, at the price of a wake-up of the thread that calls.
  void await(std::size_t count) {
    if (!own_poll_) {
      awaited_ = count;
      while (counted_ < count) awaited_came_.acquire();
      awaited_ = nobody_waits;
    }
    while (counted_ < count) rd_kafka_poll(client_, 100);
    if (failed_ > 0) throw std::runtime_error("messages failed");
  }
  /// The same for the end of many: a fraction of a millisecond late, and no report is looked at for it.
  void await_patiently(std::size_t count) {
    while (look() < count) continue;
  }
  /// How many have their report, after a moment in which more may come.
  std::size_t look() {
    if (own_poll_) {
      rd_kafka_poll(client_, 1);
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    if (failed_ > 0) throw std::runtime_error("messages failed");
    return counted_.load(std::memory_order_acquire);
  }

 private:
  static constexpr std::size_t nobody_waits = 0;

  void count(const rd_kafka_message_t& message) {
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) failed_.fetch_add(1);
    if (counted_.fetch_add(1) + 1 == awaited_) awaited_came_.release();
  }
  void poll_now_and_then() {
    constexpr unsigned between = 256;
    if (own_poll_ && ++produced_ % between == 0) rd_kafka_poll(client_, 0);
  }
  void wait_for_room(rd_kafka_resp_err_t error) {
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) throw std::runtime_error(rd_kafka_err2str(error));
    if (own_poll_) {
      rd_kafka_poll(client_, 1);
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  const bool own_poll_;
  unsigned produced_ = 0;  // with own_poll_
  rd_kafka_t* client_;
  rd_kafka_topic_t* topic_;
  std::atomic<std::size_t> counted_{0};
  std::atomic<std::size_t> failed_{0};
  std::atomic<std::size_t> awaited_{nobody_waits};  // with which report await() returns
  std::counting_semaphore<> awaited_came_{0};
  std::atomic<bool> stop_{false};
  std::thread poller_;
};

nlohmann::json measure(const Options& options, const std::string& bootstrap,
                       std::optional<action_triggers::tests::MockCluster>& mock, const Stopwatch& since_start) {
  const std::string body(options.size, 'x');
  Producer producer(options, bootstrap);
  const auto produce = [&](std::size_t i) {
    if (options.with_id) {
      producer.produce_with_id(body, id_of(i));
    } else {
      producer.produce(body);
    }
  };
  produce(0);
  producer.await(1);
  if (options.work == "first") return {{"seconds", since_start.seconds()}};
  if (options.work == "throughput" || options.work == "burst") {
    const Stopwatch watch;
    for (std::size_t i = 0; i < options.count; ++i) produce(i);
    producer.await_patiently(options.count + 1);
    return rates(options.count, watch);
  }
  if (options.work == "backlog") {
    return queue_and_drain(
        options, {[&](auto time) { mock.value().set_round_trip(time); }, produce, [&] { return producer.look(); }});
  }
  if (options.work == "latency") {
    std::size_t sent = 1;
    return quantiles(time_each(1, options.count, 0, [&](std::size_t i) {
      produce(i);
      producer.await(++sent);
    }));
  }
  if (options.work == "hook" || options.work == "paced") {
    auto times = time_each(options.threads, options.count, options.work == "paced" ? options.rate : 0,
                           [&](std::size_t) { producer.produce(body); });
    producer.await_patiently(options.count + 1);
    return quantiles(times);
  }
  return idle(options);
}

}  // namespace

int main(int argc, char** argv) {
  const Stopwatch since_start;
  const Options options = parse(argc, argv, "Measures librdkafka by itself.", common_works);
  try {
    std::optional<action_triggers::tests::MockCluster> mock;
    if (options.broker == "mock") mock.emplace().create_topic(options.destination);
    return report(options, "raw librdkafka",
                  measure(options, mock ? mock->bootstrap() : options.broker, mock, since_start));
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
