// SPDX-License-Identifier: MIT
/// A message's copy without its body, for whoever sends another one, or the same one from where it is.
#pragma once

#include "action_triggers/message.hpp"

namespace action_triggers::detail {

/// Memory that `to` has already is used again; its body stays as it is.
inline void copy_all_but_body(const Message& from, Message& to) {
  to.key = from.key;
  to.headers = from.headers;
  to.content_type = from.content_type;
  to.id = from.id;
  to.expiration = from.expiration;
  to.priority = from.priority;
  to.properties = from.properties;
}

}  // namespace action_triggers::detail
