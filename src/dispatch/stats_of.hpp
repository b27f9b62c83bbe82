// SPDX-License-Identifier: MIT
/// The counters of a name's destinations as the public BrokerStats.
#pragma once

#include <string>
#include <vector>

#include "action_triggers/stats.hpp"

namespace action_triggers::detail {

class Destination;
class Lane;

/// Adds the counts of a destination: what stays true when it is gone. Any thread.
void add_counts(BrokerStats& stats, const Destination& destination);

/// Of the destinations of one name, added to what was counted before: at least one, and of the first one the state. Any
/// thread.
BrokerStats stats_of(const std::vector<const Destination*>& destinations, BrokerStats past);

/// Of a lane that has these destinations. Any thread.
ConnectionStats stats_of(const Lane& lane, std::vector<std::string> destinations);

}  // namespace action_triggers::detail
