// SPDX-License-Identifier: MIT
#include "dispatch/stats_of.hpp"

#include "dispatch/destination.hpp"
#include "dispatch/lane.hpp"

namespace action_triggers::detail {

BrokerStats stats_of(const Destination& destination) {
  const DestinationCounters& counters = destination.counters;
  BrokerStats stats;
  std::uint64_t refused_in_fire = 0;
  for (std::size_t code = 0; code < status_code_count; ++code) {
    const std::uint64_t refused = destination.refused[code].load(std::memory_order_relaxed);
    stats.by_status[code] = counters.outcomes[code].get() + refused;
    refused_in_fire += refused;
    if (code != 0) stats.failed += stats.by_status[code];
  }
  stats.delivered = stats.by_status[0];
  stats.queued = destination.capacity.messages();
  stats.queued_bytes = destination.capacity.bytes();
  stats.fired = refused_in_fire + destination.accepted();  // after the outcomes, which it is never less than
  stats.in_flight = counters.in_flight.get();
  stats.retried = counters.retried.get();
  stats.late_outcomes = counters.late_outcomes.get();
  stats.state = destination.lane->state();
  stats.last_error = destination.last_error();
  if (stats.last_error.empty()) stats.last_error = destination.lane->connection_error();
  stats.latency_p50 = counters.latency.quantile(0.5);
  stats.latency_p99 = counters.latency.quantile(0.99);
  stats.latency_max = counters.latency.max();
  return stats;
}

}  // namespace action_triggers::detail
