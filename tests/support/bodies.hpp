// SPDX-License-Identifier: MIT
/// What a broker in memory has got, where only the bodies matter.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/memory.hpp"

namespace action_triggers::tests {

/// In the order of arrival.
inline std::vector<std::string> bodies_at(const InMemoryBroker& memory, std::string_view destination) {
  std::vector<std::string> bodies;
  for (const Message& message : memory.messages(destination)) bodies.push_back(message.body);
  return bodies;
}

}  // namespace action_triggers::tests
