// SPDX-License-Identifier: MIT
#include "config/connection_key.hpp"

namespace action_triggers::detail {

ConnectionKey& ConnectionKey::add(std::string_view part) {
  text_.append(std::to_string(part.size())).append(1, ':').append(part);
  return *this;
}

}  // namespace action_triggers::detail
