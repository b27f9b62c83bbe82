// SPDX-License-Identifier: MIT
/// A Kafka server that refuses every login.
#pragma once

#include <atomic>
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
  /// From now on it closes connections in the middle of their login.
  void cut_logins() { cuts_logins_ = true; }
  [[nodiscard]] const std::string& bootstrap() const { return bootstrap_; }

 private:
  void serve() const;

  const int listener_;
  std::string bootstrap_;
  std::atomic<bool> cuts_logins_{false};
  std::thread thread_;
};

}  // namespace action_triggers::tests
