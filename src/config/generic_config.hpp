#pragma once

#include <memory>

#include "action_triggers/broker_type.hpp"

namespace action_triggers::detail {

/// The parser of types that bring none: takes any key.
std::unique_ptr<BrokerConfig> parse_generic(BrokerSection& section);

}  // namespace action_triggers::detail
