// SPDX-License-Identifier: MIT
/// The counters of a name's destinations as the public BrokerStats.
#pragma once

#include <vector>

#include "action_triggers/stats.hpp"

namespace action_triggers::detail {

class Destination;

/// Of the destinations of one name, added up: at least one. Any thread.
BrokerStats stats_of(const std::vector<const Destination*>& destinations);

}  // namespace action_triggers::detail
