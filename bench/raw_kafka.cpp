// SPDX-License-Identifier: MIT
// librdkafka as applications use it: produce in the application's threads, a thread that polls, a callback a report.
#include <librdkafka/rdkafka.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

#include "measure.hpp"
#include "support/mock_cluster.hpp"

using namespace action_triggers::bench;

namespace {

class Producer {
 public:
  Producer(const Options& options, const std::string& bootstrap) {
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
      auto& self = *static_cast<Producer*>(opaque);
      auto& count = message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? self.confirmed_ : self.failed_;
      count.fetch_add(1, std::memory_order_release);
      self.confirmed_.notify_all();
    });
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (client_ == nullptr) throw std::runtime_error(reason);
    topic_ = rd_kafka_topic_new(client_, options.destination.c_str(), nullptr);
    poller_ = std::thread([this] {
      while (!stop_) rd_kafka_poll(client_, 100);
    });
  }
  ~Producer() {
    rd_kafka_purge(client_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(client_, 5'000);
    stop_ = true;
    poller_.join();
    rd_kafka_topic_destroy(topic_);
    rd_kafka_destroy(client_);
  }
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  void produce(const std::string& body) {
    while (rd_kafka_produce(topic_, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, const_cast<char*>(body.data()),
                            body.size(), nullptr, 0, nullptr) != 0) {
      wait_for_room(rd_kafka_last_error());
    }
  }
  /// With the message's id as a header, as ours has it.
  void produce_with_id(const std::string& body, const std::string& id) {
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
  /// Until `count` messages have their report.
  void await(std::size_t count) const {
    for (std::size_t now = 0; (now = confirmed_.load(std::memory_order_acquire)) < count;) {
      if (failed_ > 0) throw std::runtime_error("messages failed");
      confirmed_.wait(now, std::memory_order_acquire);
    }
  }
  void await_patiently(std::size_t count) const {
    while (confirmed_.load(std::memory_order_acquire) < count) {
      if (failed_ > 0) throw std::runtime_error("messages failed");
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }

 private:
  static void wait_for_room(rd_kafka_resp_err_t error) {
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) throw std::runtime_error(rd_kafka_err2str(error));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  rd_kafka_t* client_;
  rd_kafka_topic_t* topic_;
  std::atomic<std::size_t> confirmed_{0};
  std::atomic<std::size_t> failed_{0};
  std::atomic<bool> stop_{false};
  std::thread poller_;
};

nlohmann::json measure(const Options& options, const std::string& bootstrap, const Stopwatch& since_start) {
  const std::string body(options.size, 'x');
  Producer producer(options, bootstrap);
  producer.produce_with_id(body, id_of(0));
  producer.await(1);
  if (options.work == "first") return {{"seconds", since_start.seconds()}};
  if (options.work == "throughput") {
    const Stopwatch watch;
    for (std::size_t i = 0; i < options.count; ++i) producer.produce_with_id(body, id_of(i));
    producer.await_patiently(options.count + 1);
    return rates(options.count, watch);
  }
  if (options.work == "latency") {
    std::size_t sent = 1;
    return quantiles(time_each(1, options.count, 0, [&](std::size_t i) {
      producer.produce_with_id(body, id_of(i));
      producer.await(++sent);
    }));
  }
  if (options.work == "hook" || options.work == "paced") {
    auto times = time_each(options.threads, options.count, options.work == "paced" ? options.rate : 0,
                           [&](std::size_t) { producer.produce(body); });
    producer.await_patiently(options.count + 1);
    return quantiles(times);
  }
  if (options.work == "idle") return idle(options);
  throw std::runtime_error("not for raw librdkafka: " + options.work);
}

}  // namespace

int main(int argc, char** argv) {
  const Stopwatch since_start;
  Options options = parse(argc, argv, "Measures librdkafka by itself.");
  try {
    std::optional<action_triggers::tests::MockCluster> mock;
    if (options.broker == "mock") mock.emplace().create_topic(options.destination);
    return report(options, "raw librdkafka", measure(options, mock ? mock->bootstrap() : options.broker, since_start));
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
