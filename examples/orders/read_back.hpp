// SPDX-License-Identifier: MIT
/// The other end: reads back what arrived, with clients that are not ours.
#pragma once

#include <action_triggers/config.hpp>
#include <map>
#include <memory>
#include <string>

namespace example {

/// Message id → body of everything at the broker's destination. Kafka: kcat; RabbitMQ: Python's pika, which takes the
/// messages out; memory: this process's own. Throws std::runtime_error.
std::map<std::string, std::string> read_back(const action_triggers::BrokerConfig& broker);

/// librdkafka's embedded Kafka cluster. Sets AT_KAFKA_BOOTSTRAP.
class MockKafka {
 public:
  MockKafka();
  ~MockKafka();
  MockKafka(const MockKafka&) = delete;
  MockKafka& operator=(const MockKafka&) = delete;

 private:
  struct Handles;
  std::unique_ptr<Handles> handles_;
};

}  // namespace example
