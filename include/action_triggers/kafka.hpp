// SPDX-License-Identifier: MIT
/// The configuration of a destination with `broker_type: "kafka"`. Part of every build, with or without the backend.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "action_triggers/broker_config.hpp"
#include "action_triggers/cloudevents.hpp"
#include "action_triggers/export.hpp"
#include "action_triggers/secret.hpp"

namespace action_triggers {

struct ACTION_TRIGGERS_EXPORT KafkaConfig : BrokerConfig, CloudEventsSupport {
  std::string bootstrap_servers;  ///< host:port[,host:port…]
  std::string topic;

  /// Everything that librdkafka is configured with, by its own names, our defaults included. Secrets are kept apart.
  std::map<std::string, std::string> properties;
  std::map<std::string, Secret> secret_properties;

  std::optional<std::string> message_id_header = "message-id";  ///< Absent (null in the file): the id is not sent.
  std::string content_type;                                     ///< For messages that bring none.
};

}  // namespace action_triggers
