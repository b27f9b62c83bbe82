// SPDX-License-Identifier: MIT
#include "action_triggers/outbound_message.hpp"

namespace action_triggers {

Message OutboundMessage::copy() const {
  Message message;
  message.body = body();
  message.key = key();
  message.content_type = content_type();
  message.id = id();
  message.headers.reserve(header_count());
  for_each_header([&](HeaderView header) {
    message.headers.push_back({.name = std::string(header.name), .value = std::string(header.value)});
  });
  message.expiration = expiration();
  message.priority = priority();
  return message;
}

}  // namespace action_triggers
