// SPDX-License-Identifier: MIT
#include "action_triggers/secret.hpp"

#include <ostream>

namespace action_triggers {

std::ostream& operator<<(std::ostream& out, const Secret& secret) { return out << (secret.empty() ? "" : "***"); }

}  // namespace action_triggers
