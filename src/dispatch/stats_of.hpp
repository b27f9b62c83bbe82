// SPDX-License-Identifier: MIT
/// A destination's counters as the public BrokerStats.
#pragma once

#include "action_triggers/stats.hpp"

namespace action_triggers::detail {

class Destination;

/// Any thread.
BrokerStats stats_of(const Destination& destination);

}  // namespace action_triggers::detail
