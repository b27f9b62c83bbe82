// SPDX-License-Identifier: MIT
/// How a destination sends its messages as CloudEvents 1.0: `params.envelope` and `params.cloudevents`
/// (docs/cloudevents.md).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "action_triggers/export.hpp"

namespace action_triggers {

/// Where a message has its attributes.
enum class CloudEventsMode : std::uint8_t {
  binary,      ///< In headers; the body stays as it is.
  structured,  ///< In a JSON object, with the body in it.
};

/// The attributes that all messages of a destination have, unless a message brings its own as headers.
struct CloudEventsConfig {
  CloudEventsMode mode = CloudEventsMode::binary;
  std::string header_prefix = "ce_";  ///< Before an attribute's name in a header: Kafka "ce_", RabbitMQ "ce-".
  std::string source;                 ///< Never empty.
  std::string type;                   ///< Empty: the event's name; of what was not emitted, the destination's.
  std::string subject;
  std::string dataschema;
  std::string content_type;  ///< Of messages that bring none: the destination's own.
  std::map<std::string, std::string, std::less<>> extensions;
};

/// What a destination's configuration has whose broker type knows CloudEvents.
struct ACTION_TRIGGERS_EXPORT CloudEventsSupport {
  CloudEventsSupport() = default;
  CloudEventsSupport(const CloudEventsSupport&) = default;
  CloudEventsSupport(CloudEventsSupport&&) = default;
  CloudEventsSupport& operator=(const CloudEventsSupport&) = default;
  CloudEventsSupport& operator=(CloudEventsSupport&&) = default;
  virtual ~CloudEventsSupport();

  std::shared_ptr<const CloudEventsConfig> cloudevents;  ///< nullptr: messages are sent as they are.
};

}  // namespace action_triggers
