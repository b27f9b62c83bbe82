/// librdkafka's mock cluster, in this process: a Kafka without a network's or a disk's limits.
#pragma once

#include <memory>
#include <string>

namespace action_triggers::bench {

class MockCluster {
 public:
  /// One broker, with `topic` in four partitions.
  explicit MockCluster(const std::string& topic);
  ~MockCluster();
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;

  [[nodiscard]] std::string bootstrap() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace action_triggers::bench
