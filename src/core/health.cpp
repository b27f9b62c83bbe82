// SPDX-License-Identifier: MIT
#include "action_triggers/health.hpp"

#include <algorithm>
#include <map>
#include <ostream>
#include <utility>

#include "base/text.hpp"

namespace action_triggers {
namespace {

using Seconds = std::chrono::seconds;

std::string age_text(WallTime since, WallTime now) {
  const auto age = std::chrono::duration_cast<Seconds>(now - since);
  return detail::seconds_text(std::max(age, Seconds::zero()));
}

std::string plural(std::uint64_t count, const std::string& one) {
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

std::string what_to_do(StatusCode code, const std::string& destination) {
  switch (code) {
    case StatusCode::unauthenticated:
      return "put the right user and password into conn_details and reload, or mend the account at the broker";
    case StatusCode::permission_denied:
      return "give the user the right to write there, or another user into conn_details and reload";
    case StatusCode::not_found:
      return "make the exchange, queue or topic, or correct its name in params and reload";
    case StatusCode::unroutable:
      return "make the queue, or bind one to the exchange for this routing key, or correct the name in params and "
             "reload";
    case StatusCode::rejected:
      return "look at the broker: whether the queue is full, or too few replicas of the topic are in sync";
    case StatusCode::timed_out:
      return "look whether the broker is overloaded, or its disk full; if it only is slow, raise params.timeout_secs";
    case StatusCode::queue_full:
      return "look why the broker is slow, or raise params.max_queued_messages and max_queued_bytes";
    case StatusCode::internal:
      return "look into the log, and report it as a bug";
    default:
      return "look whether the broker runs and can be reached from here: action-triggers ping FILE --only '" +
             destination + "'";
  }
}

std::string attempts_text(const ConnectionStats& connection, WallTime now) {
  if (connection.failed_attempts_since == 0) return {};
  std::string text = plural(connection.failed_attempts_since, "attempt") + " to connect";
  const auto left = std::chrono::ceil<Seconds>(connection.next_attempt - now);
  if (connection.next_attempt != WallTime() && left > Seconds::zero()) {
    text += ", the next in " + detail::seconds_text(left);
  }
  return text;
}

/// The connection came after it, and that was all it needed.
bool is_over(const Trouble& trouble, const BrokerStats& broker) {
  const bool is_connections = trouble.code == StatusCode::unavailable || trouble.code == StatusCode::timed_out ||
                              trouble.code == StatusCode::unauthenticated;
  return is_connections && broker.state_since > trouble.latest;
}

class Examination {
 public:
  explicit Examination(const Stats& stats) : stats_(stats) {
    for (const ConnectionStats& connection : stats.connections) connections_[connection.name] = &connection;
  }

  Health health() {
    if (stats_.in_child_of_fork) {
      add(HealthState::down, {}, "this process is a child of fork(): nothing is sent here", WallTime(), {},
          "make a dispatcher of its own in the child");
      health_.state = HealthState::down;
      return std::move(health_);
    }
    examine_outbox();
    bool all_are_down = !stats_.brokers.empty();
    for (const auto& [name, broker] : stats_.brokers) {
      const bool is_down = !examine_connection(name, broker);
      if (!is_down) examine_messages(name, broker);
      examine_room(name, broker);
      all_are_down = all_are_down && is_down;
    }
    if (stats_.outbox) examine_held(*stats_.outbox);
    if (all_are_down || database_is_down()) {
      health_.state = HealthState::down;
    } else if (!health_.reasons.empty()) {
      health_.state = HealthState::degraded;
    }
    return std::move(health_);
  }

 private:
  [[nodiscard]] bool database_is_down() const { return stats_.outbox && !stats_.outbox->last_error.empty(); }

  void examine_outbox() {
    if (!database_is_down()) return;
    add(HealthState::down, {}, "the outbox's database does not answer: " + stats_.outbox->last_error,
        stats_.outbox->last_error_since, "it is asked again every few seconds",
        "look whether the database runs, and can be reached with the outbox's conninfo or path; what is committed is "
        "sent when it answers");
  }

  /// Whether a destination has a connection beside this one that is bad.
  [[nodiscard]] bool has_another(const std::string& destination, const std::string& bad) const {
    return std::any_of(stats_.connections.begin(), stats_.connections.end(), [&](const ConnectionStats& one) {
      return one.name != bad && (one.state == ConnectionState::connected || one.state == ConnectionState::blocked) &&
             std::find(one.destinations.begin(), one.destinations.end(), destination) != one.destinations.end();
    });
  }

  /// False: there is none.
  bool examine_connection(const std::string& name, const BrokerStats& broker) {
    const auto found = connections_.find(broker.connection);
    const ConnectionStats connection = found == connections_.end() ? ConnectionStats() : *found->second;
    if (broker.state == ConnectionState::closed) {
      add(HealthState::down, name, "closed: nothing is taken or sent any more", broker.state_since, {},
          "if the program is not ending, look why it closed its dispatcher");
    } else if (broker.state == ConnectionState::blocked) {
      add(HealthState::degraded, name,
          "the broker holds messages up" + (connection.error.empty() ? "" : ": " + connection.error),
          broker.state_since, {},
          "free memory or disk space at the broker (RabbitMQ: rabbitmq-diagnostics alarms), or raise its limits or "
          "quotas; messages wait meanwhile");
    } else if (broker.state != ConnectionState::connected) {
      const std::string why = connection.error.empty() ? " yet" : ": " + connection.error;
      const bool is_partly_up = has_another(name, broker.connection);
      add(is_partly_up ? HealthState::degraded : HealthState::down, name,
          (is_partly_up ? "some of its targets have no connection" : "no connection") + why,
          connection.down_since == WallTime() ? broker.state_since : connection.down_since,
          attempts_text(connection, stats_.taken_at), what_to_do(connection.error_code, name));
      return is_partly_up;
    } else if (!connection.error.empty()) {  // of one broker of a cluster
      add(HealthState::degraded, name, connection.error, WallTime(), "its client tries again by itself",
          "messages that it is needed for wait; " + what_to_do(connection.error_code, name));
    }
    return broker.state != ConnectionState::closed;
  }

  void examine_messages(const std::string& name, const BrokerStats& broker) {
    if (broker.trouble && !is_over(*broker.trouble, broker)) {
      const Trouble& trouble = *broker.trouble;
      add(HealthState::degraded, name, "nothing was delivered since a message failed: " + trouble.text, trouble.since,
          "the latest one " + age_text(trouble.latest, stats_.taken_at) + " ago", what_to_do(trouble.code, name));
    } else if (broker.state == ConnectionState::connected && broker.timeout.count() > 0 &&
               broker.oldest_age > broker.timeout / 2) {
      const auto waits = std::chrono::duration_cast<Seconds>(broker.oldest_age);
      add(HealthState::degraded, name, "the oldest message waits for " + detail::seconds_text(waits),
          stats_.taken_at - std::chrono::duration_cast<WallTime::duration>(broker.oldest_age),
          "messages are given up after " + detail::seconds_text(broker.timeout),
          what_to_do(StatusCode::timed_out, name));
    }
  }

  void examine_room(const std::string& name, const BrokerStats& broker) {
    if (!broker.full) return;
    add(HealthState::degraded, name,
        "full: it holds " + plural(broker.queued, "message") + " (" + plural(broker.queued_bytes, "byte") + ")",
        WallTime(), {}, what_to_do(StatusCode::queue_full, name));
  }

  void examine_held(const OutboxStats& outbox) {
    for (const auto& [name, why] : outbox.held) {
      const bool is_said = std::any_of(health_.reasons.begin(), health_.reasons.end(),
                                       [&name = name](const auto& reason) { return reason.destination == name; });
      if (is_said) continue;
      const auto since = outbox.held_since.find(name);
      add(HealthState::degraded, name, "its rows wait in the outbox: " + why,
          since == outbox.held_since.end() ? WallTime() : since->second, "they are tried again",
          "action-triggers outbox status FILE shows what waits; mend what the reason says");
    }
  }

  void add(HealthState state, const std::string& destination, std::string what, WallTime since, std::string tried,
           std::string to_do) {
    health_.reasons.push_back({state, destination, std::move(what), since, std::move(tried), std::move(to_do)});
  }

  const Stats& stats_;
  std::map<std::string, const ConnectionStats*> connections_;
  Health health_;
};

}  // namespace

std::string_view to_string(HealthState state) noexcept {
  switch (state) {
    case HealthState::ok:
      return "ok";
    case HealthState::degraded:
      return "degraded";
    case HealthState::down:
      return "down";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, HealthState state) { return out << to_string(state); }

Health health_of(const Stats& stats) { return Examination(stats).health(); }

std::ostream& operator<<(std::ostream& out, const Health& health) {
  out << health.state;
  for (const HealthReason& reason : health.reasons) {
    out << '\n' << (reason.destination.empty() ? "" : reason.destination + ": ") << reason.what;
    if (reason.since != WallTime()) out << "\n  for " << age_text(reason.since, WallTime::clock::now());
    if (!reason.tried.empty()) out << "\n  tried: " << reason.tried;
    out << "\n  to do: " << reason.to_do;
  }
  return out;
}

}  // namespace action_triggers
