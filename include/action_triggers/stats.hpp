// SPDX-License-Identifier: MIT
/// What the dispatcher counts: per destination, in all, and at its close.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/export.hpp"
#include "action_triggers/histogram.hpp"
#include "action_triggers/status.hpp"

namespace action_triggers {

/// The state of a lane's connection.
enum class ConnectionState : std::uint8_t {
  connecting,
  connected,
  blocked,  ///< Connected, but the server holds messages up for now: RabbitMQ's connection.blocked, Kafka's quotas.
  disconnected,  ///< The last attempt failed, or the connection is lost. It is made again.
  closed,
};

ACTION_TRIGGERS_EXPORT std::string_view to_string(ConnectionState state) noexcept;
ACTION_TRIGGERS_EXPORT std::ostream& operator<<(std::ostream& out, ConnectionState state);

/// A time as a person's clock has it. WallTime(): never.
using WallTime = std::chrono::system_clock::time_point;

/// What a destination has failed at, and not delivered anything since. A message that is itself at fault is none.
struct Trouble {
  StatusCode code = StatusCode::internal;
  std::string text;  ///< The latest failure, or refusal of a message that is sent again.
  WallTime since;    ///< The first one after what was delivered last.
  WallTime latest;
};

/// One destination since the dispatcher was made. Counts of messages unless said otherwise.
struct BrokerStats {
  std::string broker_type;
  /// Every fire() at it, refused ones included; what a CommitScope holds counts when it ends.
  std::uint64_t fired = 0;
  std::uint64_t delivered = 0;                               ///< Reported ok.
  std::uint64_t failed = 0;                                  ///< Reported neither ok nor rolled_back.
  std::array<std::uint64_t, status_code_count> by_status{};  ///< Index: StatusCode.
  std::uint64_t retried = 0;                                 ///< Handed to the client library again.
  std::uint64_t late_outcomes = 0;  ///< The outcome arrived after the deadline had been reported.
  /// Not yet reported, or still held by the client library or by an open CommitScope: what capacity counts.
  std::uint64_t queued = 0;
  std::uint64_t queued_bytes = 0;
  std::uint64_t in_flight = 0;   ///< Of those, handed to the client library.
  std::uint64_t max_queued = 0;  ///< Its capacity; of several with this name (derived ones, and what they replace)
  std::uint64_t max_queued_bytes = 0;    ///< the sum.
  bool full = false;                     ///< One of these has no room for another message like those that it holds.
  std::chrono::milliseconds timeout{0};  ///< The shortest `timeout_secs` of these.
  /// How long the oldest message without an outcome waits, from when its lane took it. In a callback, and while a
  /// callback holds up the lane, as of a stats() before.
  std::chrono::nanoseconds oldest_age{0};

  ConnectionState state = ConnectionState::connecting;  ///< Of `connection`.
  WallTime state_since;
  /// The name of its entry in Stats::connections. Of several (derived ones may have their own) the one that is worst
  /// off.
  std::string connection;
  std::string last_error;          ///< The latest failure of a message or of the connection; empty if none.
  WallTime last_error_at;          ///< Of a message; never if none has failed.
  std::optional<Trouble> trouble;  ///< None: what was sent last was delivered, or nothing was sent.

  Histogram latency;  ///< Of delivered messages (see DeliveryReport::latency).
  /// The same as percentiles; within 12.5 %. Zero if none.
  std::chrono::nanoseconds latency_p50{0};
  std::chrono::nanoseconds latency_p99{0};
  std::chrono::nanoseconds latency_max{0};
};

/// The connection of one lane, since the lane was made.
struct ConnectionStats {
  /// That of the first of its destinations; with " (CloudEvents)" if it is only for derived ones that send these.
  std::string name;
  std::string broker_type;
  std::vector<std::string> destinations;  ///< Sorted.
  ConnectionState state = ConnectionState::connecting;
  WallTime since;                     ///< When it came to this state.
  WallTime down_since;                ///< Since when there is none; never while there is one.
  std::uint64_t reconnects = 0;       ///< Connections that were made after the first one.
  std::uint64_t failed_attempts = 0;  ///< Attempts to connect that failed; a client library's own are not counted.
  std::uint64_t failed_attempts_since = 0;  ///< Of these, those since there was a connection.
  WallTime next_attempt;                    ///< Never: none is waited for.
  StatusCode error_code = StatusCode::ok;  ///< Why there is no connection, or not to all brokers of a cluster; else ok.
  std::string error;                       ///< The same for people; or why it is `blocked`.
};

/// One trigger since the dispatcher was made. matched + filtered is how many events had a name that it is for.
struct TriggerStats {
  std::uint64_t matched = 0;   ///< Events of which it sent something, or tried to.
  std::uint64_t filtered = 0;  ///< Events that its `when`, or the `when` of each of its targets, left out.
  std::uint64_t sent = 0;      ///< Messages reported ok.
  std::uint64_t failed = 0;    ///< Messages reported neither ok nor rolled_back; also those that could not be made.
  std::string last_error;      ///< The latest failure; empty if none.
  WallTime last_error_at;
};

/// The outbox of a dispatcher, as its relay here sees it, since the Outbox was made.
struct OutboxStats {
  std::vector<std::int32_t> shards;  ///< Those whose rows this process sends; empty: another one does.
  std::uint64_t sent = 0;            ///< Messages handed to destinations, again included: of an event one a target.
  std::uint64_t removed = 0;         ///< Rows that have left the table because all of it is confirmed.
  std::uint64_t dead = 0;            ///< Messages that became dead letters.
  std::uint64_t in_hand = 0;         ///< Rows that were read, and are still in the table.
  std::chrono::milliseconds oldest_age{0};               ///< Of those, since they were written.
  Histogram delay;                                       ///< Of removed rows, since they were written.
  std::map<std::string, std::string, std::less<>> held;  ///< Destinations that take or confirm nothing, and why.
  std::map<std::string, WallTime, std::less<>> held_since;
  std::string last_error;     ///< Of the database; empty: all is well.
  WallTime last_error_since;  ///< Since when it does not answer; never: all is well.
};

/// What TriggerDispatcher::stats() returns.
struct Stats {
  WallTime taken_at;                                          ///< When it was called.
  bool in_child_of_fork = false;                              ///< Nothing is sent there, and the rest is empty.
  std::map<std::string, BrokerStats, std::less<>> brokers;    ///< By destination.
  std::map<std::string, TriggerStats, std::less<>> triggers;  ///< By name, those of earlier configurations too.
  std::optional<OutboxStats> outbox;                          ///< Absent: no relay runs here.
  std::uint64_t unmatched_events = 0;                         ///< Emitted, and of no active trigger.
  std::uint64_t unknown_broker = 0;       ///< Fires at destinations that the configuration does not have.
  std::uint64_t callback_exceptions = 0;  ///< Thrown by callbacks, on_failure, executor or log callback, and caught.
  std::uint64_t slow_callbacks = 0;       ///< Took longer than DispatcherOptions::slow_callback.
  std::size_t lanes = 0;
  std::vector<ConnectionStats> connections;  ///< One a lane.
  std::uint64_t reloads = 0;                 ///< Of the configuration, which succeeded.
  std::uint64_t failed_reloads = 0;          ///< The configuration before stayed.
  std::string last_reload_error;             ///< Of the latest one that failed; empty if none.
};

/// What TriggerDispatcher::close() found. delivered + failed + abandoned is what was waiting when it began.
struct CloseReport {
  std::size_t delivered = 0;
  std::size_t failed = 0;
  std::size_t abandoned = 0;  ///< Ran out of time: each one was reported `closed`.
  std::map<std::string, std::size_t, std::less<>> abandoned_by_broker;  ///< By destination.

  /// Not reported yet when close() returned, because a callback or the client library holds up the lane. They will be.
  std::size_t unfinished = 0;

  /// Held by open CommitScopes, and in none of the numbers above: reported when these end.
  std::size_t in_open_scopes = 0;

  [[nodiscard]] bool complete() const noexcept {
    return failed == 0 && abandoned == 0 && unfinished == 0 && in_open_scopes == 0;
  }
};

}  // namespace action_triggers
