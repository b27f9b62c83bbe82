// SPDX-License-Identifier: MIT
/// librdkafka's mock cluster, in this process: a Kafka without a network or a disk, which fails as it is told to.
#pragma once

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace action_triggers::tests {

/// Topics come into being when they are first asked for, with four partitions. A request that fails appends nothing,
/// and a partition keeps its newest 5 MiB.
class MockCluster {
 public:
  explicit MockCluster(int brokers = 1) {
    std::array<char, 512> reason{};
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
    handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size()));
    if (!handle_) throw std::runtime_error(reason.data());
    cluster_.reset(rd_kafka_mock_cluster_new(handle_.get(), brokers));
    if (!cluster_) throw std::runtime_error("no mock cluster");
  }

  [[nodiscard]] std::string bootstrap() const { return rd_kafka_mock_cluster_bootstraps(cluster_.get()); }

  void create_topic(const std::string& topic) { rd_kafka_mock_topic_create(cluster_.get(), topic.c_str(), 4, 1); }

  /// The next produce requests are answered with these errors.
  void fail_produce(const std::vector<rd_kafka_resp_err_t>& errors) { fail(0, errors); }
  /// The next requests of producers for an id of their own are answered with these errors.
  void fail_producer_id(const std::vector<rd_kafka_resp_err_t>& errors) { fail(22, errors); }
  /// The next request of this kind (https://kafka.apache.org/protocol#protocol_api_keys) is answered with this error.
  void fail_request(std::int16_t api_key, rd_kafka_resp_err_t error) { fail(api_key, {error}); }
  void fail_topic(const std::string& topic, rd_kafka_resp_err_t error) {
    rd_kafka_mock_topic_set_error(cluster_.get(), topic.c_str(), error);
  }
  /// -1: no broker leads the partition.
  void set_leader(const std::string& topic, int partition, int broker) {
    rd_kafka_mock_partition_set_leader(cluster_.get(), topic.c_str(), partition, broker);
  }
  void set_down(int broker = 1) { rd_kafka_mock_broker_set_down(cluster_.get(), broker); }
  void set_up(int broker = 1) { rd_kafka_mock_broker_set_up(cluster_.get(), broker); }
  void set_round_trip(std::chrono::milliseconds time, int broker = 1) {
    rd_kafka_mock_broker_set_rtt(cluster_.get(), broker, static_cast<int>(time.count()));
  }

 private:
  void fail(std::int16_t request, const std::vector<rd_kafka_resp_err_t>& errors) {
    rd_kafka_mock_push_request_errors_array(cluster_.get(), request, errors.size(), errors.data());
  }

  std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)> handle_{nullptr, rd_kafka_destroy};
  std::unique_ptr<rd_kafka_mock_cluster_t, decltype(&rd_kafka_mock_cluster_destroy)> cluster_{
      nullptr, rd_kafka_mock_cluster_destroy};
};

}  // namespace action_triggers::tests
