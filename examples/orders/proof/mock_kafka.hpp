// SPDX-License-Identifier: MIT
/// A Kafka for who has none: librdkafka's mock cluster, in this process.
#pragma once

#include <memory>

namespace proof {

/// Sets AT_KAFKA_BOOTSTRAP, for this process and those that it starts.
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

}  // namespace proof
