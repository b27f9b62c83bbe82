// SPDX-License-Identifier: MIT
/// How a backend's parser builds BrokerConfig::connection_key.
#pragma once

#include <string>
#include <string_view>

namespace action_triggers::detail {

/// Joins parts so that two keys are equal only if all of their parts are: each part follows its length.
/// Parts may be secrets, so the key is to be compared, never printed.
class ConnectionKey {
 public:
  ConnectionKey& add(std::string_view part);
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

}  // namespace action_triggers::detail
