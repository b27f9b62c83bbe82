// SPDX-License-Identifier: MIT
#include "mock_kafka.hpp"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <cstdlib>
#include <stdexcept>

namespace proof {

struct MockKafka::Handles {
  rd_kafka_t* client = nullptr;
  rd_kafka_mock_cluster_t* cluster = nullptr;
};

MockKafka::MockKafka() : handles_(std::make_unique<Handles>()) {
  std::array<char, 512> reason{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "log_level", "3", reason.data(), reason.size());  // a client without servers would complain
  handles_->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size());
  if (handles_->client == nullptr) throw std::runtime_error(reason.data());
  handles_->cluster = rd_kafka_mock_cluster_new(handles_->client, 1);
  setenv("AT_KAFKA_BOOTSTRAP", rd_kafka_mock_cluster_bootstraps(handles_->cluster), 1);
}

MockKafka::~MockKafka() {
  rd_kafka_mock_cluster_destroy(handles_->cluster);
  rd_kafka_destroy(handles_->client);
}

}  // namespace proof
