// SPDX-License-Identifier: MIT
/// From a message to the CloudEvent that is sent in its place. docs/cloudevents.md says what becomes what.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "action_triggers/cloudevents.hpp"
#include "action_triggers/message.hpp"
#include "action_triggers/outbound_message.hpp"
#include "triggers/payload_json.hpp"

namespace action_triggers::detail {

/// Threads: one at a time.
class CloudEventsMaker {
 public:
  /// With its body. Nothing: no JSON can hold it, as error() says.
  [[nodiscard]] std::optional<Message> make(const CloudEventsConfig& config, const OutboundMessage& message);
  [[nodiscard]] const std::string& error() const noexcept { return error_; }

 private:
  bool wrap(const CloudEventsConfig& config, std::vector<Header> attributes, Message& sent);
  void append_data(const std::string& content_type, const std::string& body, std::string& to);

  PayloadJson json_;
  std::string error_;
};

}  // namespace action_triggers::detail
