// SPDX-License-Identifier: MIT
/// The parser of broker types that were registered without one.
#pragma once

#include <memory>

#include "action_triggers/broker_type.hpp"

namespace action_triggers::detail {

/// Takes any key, and every value as text (GenericConfig).
std::unique_ptr<BrokerConfig> parse_generic(BrokerSection& section);

}  // namespace action_triggers::detail
