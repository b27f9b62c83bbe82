// SPDX-License-Identifier: MIT
#include "action_triggers/cloudevents.hpp"

namespace action_triggers {

CloudEventsSupport::~CloudEventsSupport() = default;  // here, so that dynamic_cast works across shared libraries

}  // namespace action_triggers
