// SPDX-License-Identifier: MIT
#include "action_triggers/event.hpp"

namespace action_triggers {

Message Event::copy() const {
  Message all = message != nullptr ? *message : Message();
  all.body = payload;
  all.id = id;
  return all;
}

}  // namespace action_triggers
