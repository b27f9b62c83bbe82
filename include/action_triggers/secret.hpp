// SPDX-License-Identifier: MIT
/// A string that cannot be printed by accident.
#pragma once

#include <iosfwd>
#include <string>
#include <utility>

#include "action_triggers/export.hpp"

namespace action_triggers {

/// Holds a password or key. Streams, dumps, errors and logs show `***`; only reveal() gives the value.
class ACTION_TRIGGERS_EXPORT Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  /// The value itself. Hand it to a client library, never to a log or an error text.
  [[nodiscard]] const std::string& reveal() const noexcept { return value_; }
  [[nodiscard]] bool empty() const noexcept { return value_.empty(); }

  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string value_;
};

/// Writes `***`, or nothing for an empty secret.
ACTION_TRIGGERS_EXPORT std::ostream& operator<<(std::ostream& out, const Secret& secret);

}  // namespace action_triggers
