// SPDX-License-Identifier: MIT
/// What tests of the Kafka backend share: a lane, configurations, messages, and a reader of topics.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "action_triggers/config.hpp"
#include "action_triggers/kafka.hpp"
#include "action_triggers/message.hpp"
#include "support/mock_cluster.hpp"
#include "support/test_lane.hpp"

namespace action_triggers::tests {

/// A lane whose broker is a KafkaBroker with these destinations.
struct KafkaLane : TestLane {
  explicit KafkaLane(const std::vector<KafkaConfig>& configs);
};

/// What the loader makes of a section that gives nothing but servers and topic.
KafkaConfig config_for(const std::string& bootstrap, const std::string& topic = "orders");

/// Its id is "id".
Message message_of(std::string body, std::string key = {});

struct Received {
  std::int32_t partition = -1;
  std::int64_t offset = -1;
  std::int64_t timestamp_ms = -1;
  bool has_value = false;
  bool has_key = false;
  std::string body;
  std::string key;
  std::vector<std::pair<std::string, std::string>> headers;
};

/// Reads `count` messages of a topic from the beginning, as another client would.
std::vector<Received> read_topic(const MockCluster& cluster, const std::string& topic, std::size_t count);

/// A port that nobody listens on.
inline constexpr const char* refused = "127.0.0.1:1";

}  // namespace action_triggers::tests
