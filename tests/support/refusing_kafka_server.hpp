// SPDX-License-Identifier: MIT
/// A Kafka server that refuses every login.
#pragma once

#include <string>
#include <thread>

namespace action_triggers::tests {

/// Speaks just enough of the protocol (https://kafka.apache.org/protocol) to refuse every login as Apache Kafka does.
class RefusingKafkaServer {
 public:
  RefusingKafkaServer();
  ~RefusingKafkaServer();
  RefusingKafkaServer(const RefusingKafkaServer&) = delete;
  RefusingKafkaServer& operator=(const RefusingKafkaServer&) = delete;

  /// Until then connections are accepted, and nothing is answered.
  void begin_to_answer();
  [[nodiscard]] const std::string& bootstrap() const { return bootstrap_; }

 private:
  void serve() const;

  const int listener_;
  std::string bootstrap_;
  std::thread thread_;
};

}  // namespace action_triggers::tests
