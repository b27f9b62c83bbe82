// SPDX-License-Identifier: MIT
#include "dispatch/stats_of.hpp"

#include <utility>

#include "dispatch/callbacks.hpp"
#include "dispatch/destination.hpp"
#include "dispatch/lane.hpp"

namespace action_triggers::detail {

void add_counts(BrokerStats& stats, const Destination& destination) {
  const DestinationCounters& counters = destination.counters;
  std::uint64_t refused_in_fire = 0;
  for (std::size_t code = 0; code < status_code_count; ++code) {
    const std::uint64_t refused = destination.refused[code].load(std::memory_order_relaxed);
    const std::uint64_t outcomes = counters.outcomes[code].get() + refused;
    stats.by_status[code] += outcomes;
    refused_in_fire += refused;
    if (is_failure(static_cast<StatusCode>(code))) stats.failed += outcomes;
  }
  stats.delivered = stats.by_status[0];
  stats.queued += destination.capacity.messages() + destination.capacity.messages_in_scopes();
  stats.queued_bytes += destination.capacity.bytes() + destination.capacity.bytes_in_scopes();
  stats.fired += refused_in_fire + destination.accepted();  // after the outcomes, which it is never less than
  stats.in_flight += counters.in_flight.get();
  stats.retried += counters.retried.get();
  stats.late_outcomes += counters.late_outcomes.get();
  if (stats.last_error.empty()) stats.last_error = destination.last_error();
}

BrokerStats stats_of(const std::vector<const Destination*>& destinations, BrokerStats past) {
  BrokerStats stats = std::move(past);
  stats.last_error.clear();
  LatencyHistogram latency;
  for (const Destination* destination : destinations) {
    add_counts(stats, *destination);
    latency.add(destination->counters.latency);
  }
  const Lane& lane = *destinations.front()->lane;
  stats.state = lane.state();
  if (stats.last_error.empty()) stats.last_error = lane.connection_error();
  stats.latency_p50 = latency.quantile(0.5);
  stats.latency_p99 = latency.quantile(0.99);
  stats.latency_max = latency.max();
  return stats;
}

}  // namespace action_triggers::detail
