// SPDX-License-Identifier: MIT
/// The one OutboundMessage that tests make. It knows how the lane lays out a message's bytes; nothing else in tests
/// does.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "action_triggers/broker.hpp"
#include "action_triggers/config.hpp"
#include "action_triggers/message.hpp"

namespace action_triggers::tests {

/// A message that owns its bytes.
struct TestMessage final : OutboundMessage {
  TestMessage(const BrokerConfig& config, std::uint32_t index, const Message& message) {
    block_ = message.body + message.key + message.content_type + message.id;
    for (const Header& header : message.headers) {
      const std::array<std::uint32_t, 2> sizes{static_cast<std::uint32_t>(header.name.size()),
                                               static_cast<std::uint32_t>(header.value.size())};
      std::array<char, sizeof sizes> bytes{};
      std::memcpy(bytes.data(), sizes.data(), sizeof sizes);
      block_.append(bytes.data(), bytes.size()).append(header.name).append(header.value);
    }
    bytes_ = block_.data();
    body_size_ = static_cast<std::uint32_t>(message.body.size());
    key_size_ = static_cast<std::uint32_t>(message.key.size());
    content_type_size_ = static_cast<std::uint32_t>(message.content_type.size());
    id_size_ = static_cast<std::uint32_t>(message.id.size());
    header_count_ = static_cast<std::uint32_t>(message.headers.size());
    attempts_ = 1;
    destination_ = &config;
    destination_index_ = index;
  }

  std::vector<Outcome> outcomes;  // in the order they came; more than one only if it was sent again

 private:
  std::string block_;
};

}  // namespace action_triggers::tests
