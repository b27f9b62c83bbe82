// SPDX-License-Identifier: MIT
/// The counters of a name's destinations as the public BrokerStats.
#pragma once

#include <vector>

#include "action_triggers/stats.hpp"

namespace action_triggers::detail {

class Destination;
class Lane;

/// Adds the counts of a destination: what stays true when it is gone. Any thread.
void add_counts(BrokerStats& stats, const Destination& destination);

/// Of the destinations of one name, at least one, added to what was counted before; without their connection. Any
/// thread.
BrokerStats stats_of(const std::vector<const Destination*>& destinations, BrokerStats past);

/// Adds the connection. `stats` has the rest.
void show_connection(BrokerStats& stats, const ConnectionStats& connection);

/// Of a lane, without its name, type and destinations. Any thread.
ConnectionStats stats_of(const Lane& lane);

}  // namespace action_triggers::detail
