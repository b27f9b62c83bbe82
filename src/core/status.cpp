// SPDX-License-Identifier: MIT
#include "action_triggers/status.hpp"

#include <array>
#include <ostream>

namespace action_triggers {

std::string_view to_string(StatusCode code) noexcept {
  static constexpr std::array<std::string_view, status_code_count> names{
      "ok",        "invalid_argument", "not_found",       "unroutable",        "rejected",
      "too_large", "queue_full",       "unauthenticated", "permission_denied", "unavailable",
      "timed_out", "closed",           "internal",        "rolled_back"};
  const auto index = static_cast<std::size_t>(code);
  return index < names.size() ? names[index] : "unknown";
}

std::string Status::to_string() const {
  std::string text(action_triggers::to_string(code_));
  if (!message_.empty()) text.append(": ").append(message_);
  return text;
}

std::string_view to_string(Persistence persistence) noexcept {
  switch (persistence) {
    case Persistence::not_persisted:
      return "not_persisted";
    case Persistence::possibly_persisted:
      return "possibly_persisted";
    case Persistence::persisted:
      return "persisted";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, StatusCode code) { return out << to_string(code); }
std::ostream& operator<<(std::ostream& out, const Status& status) { return out << status.to_string(); }
std::ostream& operator<<(std::ostream& out, Persistence persistence) { return out << to_string(persistence); }

}  // namespace action_triggers
