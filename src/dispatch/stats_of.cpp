// SPDX-License-Identifier: MIT
#include "dispatch/stats_of.hpp"

#include <algorithm>
#include <utility>

#include "base/clock.hpp"
#include "dispatch/callbacks.hpp"
#include "dispatch/destination.hpp"
#include "dispatch/lane.hpp"

namespace action_triggers::detail {
namespace {

/// Adds what a destination is like now, and of its failures the latest.
void add_present(BrokerStats& stats, const Destination& destination, TimePoint now) {
  if (!destination.is_gone.load(std::memory_order_acquire)) {
    stats.max_queued += destination.config->max_queued_messages;
    stats.max_queued_bytes += destination.config->max_queued_bytes;
    stats.full = stats.full || destination.capacity.is_full();
  }
  const auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(destination.timeout());
  stats.timeout = stats.timeout.count() == 0 ? timeout : std::min(stats.timeout, timeout);
  const TimePoint since = destination.oldest_since.load(std::memory_order_relaxed);
  if (destination.capacity.messages() != 0 && since < now) stats.oldest_age = std::max(stats.oldest_age, now - since);

  const Destination::Failures failures = destination.failures();
  const WallTime latest = wall_time_of(failures.latest);
  if (!failures.text.empty() && latest >= stats.last_error_at) {
    stats.last_error = failures.text;
    stats.last_error_at = latest;
  }
  if (failures.trouble.ok()) return;
  Trouble trouble{.code = failures.trouble.code(),
                  .text = failures.trouble.to_string(),
                  .since = wall_time_of(failures.trouble_since),
                  .latest = wall_time_of(failures.trouble_latest)};
  if (!stats.trouble || stats.trouble->latest < trouble.latest) stats.trouble = std::move(trouble);
}

}  // namespace

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
  counters.latency.add_to(stats.latency);
}

BrokerStats stats_of(const std::vector<const Destination*>& destinations, BrokerStats past) {
  BrokerStats stats = std::move(past);
  const TimePoint now = Clock::now();
  LatencyHistogram latency;
  for (const Destination* destination : destinations) {
    add_counts(stats, *destination);
    add_present(stats, *destination, now);
    latency.add(destination->counters.latency);
  }
  stats.broker_type = destinations.front()->config->broker_type;
  stats.latency_p50 = latency.quantile(0.5);
  stats.latency_p99 = latency.quantile(0.99);
  stats.latency_max = latency.max();
  return stats;
}

void show_connection(BrokerStats& stats, const ConnectionStats& connection) {
  stats.connection = connection.name;
  stats.state = connection.state;
  stats.state_since = connection.since;
  const bool is_newer = stats.last_error.empty() || stats.last_error_at < connection.down_since;
  if (is_newer && connection.state != ConnectionState::blocked) stats.last_error = connection.error;
}

ConnectionStats stats_of(const Lane& lane) {
  const ConnectionFacts facts = lane.connection_facts();
  ConnectionStats stats;
  stats.state = facts.state;
  stats.since = wall_time_of(facts.since);
  stats.down_since = wall_time_of(facts.down_since);
  stats.reconnects = facts.reconnects;
  stats.failed_attempts = facts.failed_attempts;
  stats.failed_attempts_since = facts.failed_attempts_since;
  stats.next_attempt = wall_time_of(facts.next_attempt);
  stats.error_code = facts.error_code;
  stats.error = facts.error;
  return stats;
}

}  // namespace action_triggers::detail
