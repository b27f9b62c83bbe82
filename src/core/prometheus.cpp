// SPDX-License-Identifier: MIT
#include "action_triggers/prometheus.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <map>
#include <utility>
#include <vector>

#include "action_triggers/health.hpp"
#include "base/utf8.hpp"

namespace action_triggers {
namespace {

using Type = MetricFamily::Type;
using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

double seconds(std::chrono::duration<double> time) { return time.count(); }
double timestamp(WallTime time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }

/// Prometheus refuses a page with a byte that is not UTF-8: here it is the text \xNN.
std::string in_utf8(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string valid;
  while (!text.empty()) {
    const std::size_t length = detail::utf8_length(text);
    if (length == 0) {
      const auto byte = static_cast<unsigned char>(text.front());
      valid.append("\\x").append(1, digits[byte >> 4U]).append(1, digits[byte & 0xFU]);
    } else {
      valid.append(text.substr(0, length));
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return valid;
}

/// A family after another.
class Page {
 public:
  void family(std::string_view name, Type type, std::string_view help) {
    families_.push_back({.name = std::string(name), .type = type, .help = std::string(help), .samples = {}});
  }
  template <class Number>
  void sample(Labels labels, Number value) {
    add(labels).value = static_cast<double>(value);
  }
  void histogram(Labels labels, const Histogram& histogram) { add(labels).histogram = histogram; }

  std::vector<MetricFamily> take() { return std::move(families_); }

 private:
  MetricFamily::Sample& add(Labels labels) {
    MetricFamily::Sample& sample = families_.back().samples.emplace_back();
    for (const auto& [label, of] : labels) sample.labels.emplace_back(label, in_utf8(of));
    return sample;
  }

  std::vector<MetricFamily> families_;
};

class TextFormat {
 public:
  void append(const MetricFamily& family) {
    name_ = family.name;
    text_.append("# HELP ").append(name_).append(" ").append(family.help).append("\n# TYPE ");
    text_.append(name_).append(" ").append(to_string(family.type)).append("\n");
    for (const MetricFamily::Sample& sample : family.samples) {
      if (family.type == Type::histogram) {
        append(sample.labels, sample.histogram);
      } else {
        line({}, sample.labels, {}, sample.value);
      }
    }
  }

  std::string take() { return std::move(text_); }

 private:
  void append(const MetricFamily::Labels& labels, const Histogram& histogram) {
    for (const Histogram::Bucket& bucket : histogram.buckets) {
      line("_bucket", labels, text_of(seconds(bucket.upper_bound)), static_cast<double>(bucket.count));
    }
    line("_bucket", labels, "+Inf", static_cast<double>(histogram.count));
    line("_sum", labels, {}, seconds(histogram.sum));
    line("_count", labels, {}, static_cast<double>(histogram.count));
  }

  static std::string text_of(double value) {
    std::array<char, 64> buffer{};  // more than any count or time in seconds needs
    const auto format = std::chars_format::fixed;
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format).ptr;
    return {buffer.data(), end};
  }

  void line(std::string_view suffix, const MetricFamily::Labels& labels, std::string_view upper_bound, double value) {
    text_.append(name_).append(suffix);
    char before = '{';
    const auto add = [&](std::string_view label, std::string_view of) {
      text_.append(1, std::exchange(before, ',')).append(label).append("=\"");
      append_escaped(of);
      text_.append("\"");
    };
    for (const auto& [label, of] : labels) add(label, of);
    if (!upper_bound.empty()) add("le", upper_bound);
    text_.append(before == '{' ? " " : "} ").append(text_of(value)).append("\n");
  }

  void append_escaped(std::string_view value) {
    for (const char c : value) {
      if (c == '\\' || c == '"') text_ += '\\';
      if (c == '\n') {
        text_ += "\\n";
      } else {
        text_ += c;
      }
    }
  }

  std::string text_;
  std::string_view name_;
};

/// A family with a series for each destination.
template <class Value>
void each_destination(Page& page, const Stats& stats, std::string_view name, Type type, std::string_view help,
                      Value value) {
  page.family(name, type, help);
  for (const auto& [destination, broker] : stats.brokers) {
    page.sample({{"destination", destination}, {"messaging_system", broker.broker_type}}, std::invoke(value, broker));
  }
}

void write_outcomes(Page& page, const Stats& stats) {
  page.family("messaging_client_sent_messages_total", Type::counter,
              "Messages with an outcome; error_type is empty for those that the broker confirmed.");
  for (const auto& [destination, broker] : stats.brokers) {
    for (std::size_t i = 0; i < broker.by_status.size(); ++i) {
      const auto code = static_cast<StatusCode>(i);
      if (code == StatusCode::rolled_back) continue;  // nobody tried to send it
      page.sample({{"destination", destination},
                   {"messaging_system", broker.broker_type},
                   {"messaging_operation_name", "send"},
                   {"error_type", code == StatusCode::ok ? std::string_view() : to_string(code)}},
                  broker.by_status[i]);
    }
  }
  page.family("messaging_client_operation_duration_seconds", Type::histogram,
              "From when a lane took a message to the broker's confirmation.");
  for (const auto& [destination, broker] : stats.brokers) {
    page.histogram(
        {{"destination", destination}, {"messaging_system", broker.broker_type}, {"messaging_operation_name", "send"}},
        broker.latency);
  }
}

void write_destinations(Page& page, const Stats& stats) {
  const auto counter = [&](std::string_view name, std::string_view help, auto value) {
    each_destination(page, stats, name, Type::counter, help, value);
  };
  const auto gauge = [&](std::string_view name, std::string_view help, auto value) {
    each_destination(page, stats, name, Type::gauge, help, value);
  };
  counter("action_triggers_fired_messages_total", "Messages fired, refused ones included.", &BrokerStats::fired);
  counter(
      "action_triggers_rolled_back_messages_total", "Messages of commit scopes that were rolled back.",
      [](const BrokerStats& broker) { return broker.by_status[static_cast<std::size_t>(StatusCode::rolled_back)]; });
  counter("action_triggers_retried_messages_total", "Messages handed to the client library again.",
          &BrokerStats::retried);
  counter("action_triggers_late_outcomes_total", "Outcomes that came after the deadline had decided.",
          &BrokerStats::late_outcomes);
  gauge("action_triggers_queued_messages", "Messages without an outcome: what the capacity counts.",
        &BrokerStats::queued);
  gauge("action_triggers_queue_limit_messages", "The capacity (max_queued_messages).", &BrokerStats::max_queued);
  gauge("action_triggers_queued_bytes", "The bytes of these messages.", &BrokerStats::queued_bytes);
  gauge("action_triggers_queue_limit_bytes", "The capacity (max_queued_bytes).", &BrokerStats::max_queued_bytes);
  gauge("action_triggers_in_flight_messages", "Messages that the client library has.", &BrokerStats::in_flight);
  gauge("action_triggers_oldest_message_age_seconds", "How long the oldest message without an outcome waits.",
        [](const BrokerStats& broker) { return seconds(broker.oldest_age); });
  gauge("action_triggers_message_timeout_seconds", "How long a message may wait (timeout_secs).",
        [](const BrokerStats& broker) { return seconds(broker.timeout); });
  gauge("action_triggers_undelivered_since_timestamp_seconds",
        "When the first message failed after what was delivered last; 0: what was sent last was delivered.",
        [](const BrokerStats& broker) { return broker.trouble ? timestamp(broker.trouble->since) : 0; });
  gauge("action_triggers_last_error_timestamp_seconds", "When a message failed last; 0: none has.",
        [](const BrokerStats& broker) { return timestamp(broker.last_error_at); });
}

void write_connections(Page& page, const Stats& stats) {
  page.family("action_triggers_connection_state", Type::gauge, "1 for the state that a destination's connection has.");
  for (const auto& [destination, broker] : stats.brokers) {
    for (const ConnectionState state :
         {ConnectionState::connecting, ConnectionState::connected, ConnectionState::blocked,
          ConnectionState::disconnected, ConnectionState::closed}) {
      page.sample({{"destination", destination},
                   {"messaging_system", broker.broker_type},
                   {"connection", broker.connection},
                   {"state", to_string(state)}},
                  broker.state == state ? 1 : 0);
    }
  }
  const auto each = [&](std::string_view name, Type type, std::string_view help, auto value) {
    page.family(name, type, help);
    for (const ConnectionStats& connection : stats.connections) {
      page.sample({{"connection", connection.name}, {"messaging_system", connection.broker_type}},
                  std::invoke(value, connection));
    }
  };
  each("action_triggers_connection_state_timestamp_seconds", Type::gauge, "When a connection came to its state.",
       [](const ConnectionStats& connection) { return timestamp(connection.since); });
  each("action_triggers_reconnects_total", Type::counter, "Connections made after the first one.",
       &ConnectionStats::reconnects);
  each("action_triggers_failed_connects_total", Type::counter,
       "Attempts to connect that failed; a client library's own are not counted.", &ConnectionStats::failed_attempts);
}

void write_triggers(Page& page, const Stats& stats) {
  page.family("action_triggers_trigger_events_total", Type::counter,
              "Events with a name that a trigger is for: matched, or filtered by its conditions.");
  for (const auto& [trigger, counts] : stats.triggers) {
    page.sample({{"trigger", trigger}, {"result", "matched"}}, counts.matched);
    page.sample({{"trigger", trigger}, {"result", "filtered"}}, counts.filtered);
  }
  page.family("action_triggers_trigger_messages_total", Type::counter,
              "Messages of a trigger: sent and confirmed, or failed, which includes those that could not be made.");
  for (const auto& [trigger, counts] : stats.triggers) {
    page.sample({{"trigger", trigger}, {"result", "sent"}}, counts.sent);
    page.sample({{"trigger", trigger}, {"result", "failed"}}, counts.failed);
  }
}

/// Destinations whose rows wait. Those that the configuration does not have are one series: what they are called is up
/// to whoever writes rows, and there may be any number of them.
void write_held(Page& page, const Stats& stats) {
  std::map<std::string_view, std::size_t> held;
  for (const auto& [destination, why] : stats.outbox->held) {
    ++held[stats.brokers.contains(destination) ? std::string_view(destination) : "unknown"];
  }
  page.family("action_triggers_outbox_held", Type::gauge,
              "1 for a destination whose rows wait in the table; how many for unknown ones.");
  for (const auto& [destination, count] : held) page.sample({{"destination", destination}}, count);
}

void write_outbox(Page& page, const Stats& stats) {
  const OutboxStats& outbox = *stats.outbox;
  const auto one = [&](std::string_view name, Type type, std::string_view help, auto value) {
    page.family(name, type, help);
    page.sample({}, value);
  };
  one("action_triggers_outbox_sent_messages_total", Type::counter, "Messages handed to destinations, again included.",
      outbox.sent);
  one("action_triggers_outbox_removed_rows_total", Type::counter,
      "Rows that left the table because they were confirmed.", outbox.removed);
  one("action_triggers_outbox_dead_letters_total", Type::counter, "Messages that became dead letters.", outbox.dead);
  one("action_triggers_outbox_rows_in_hand", Type::gauge, "Rows that were read and are still in the table.",
      outbox.in_hand);
  one("action_triggers_outbox_oldest_row_age_seconds", Type::gauge, "How long ago the oldest of these was written.",
      seconds(outbox.oldest_age));
  one("action_triggers_outbox_owned_shards", Type::gauge, "Shards whose rows this process sends.",
      outbox.shards.size());
  one("action_triggers_outbox_database_up", Type::gauge, "Whether the database answers.",
      outbox.last_error.empty() ? 1 : 0);
  write_held(page, stats);
  page.family("action_triggers_outbox_delivery_duration_seconds", Type::histogram,
              "From when a row was written to its removal.");
  page.histogram({}, outbox.delay);
}

void write_dispatcher(Page& page, const Stats& stats) {
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    page.family(name, Type::counter, help);
    page.sample({}, value);
  };
  counter("action_triggers_unmatched_events_total", "Events that no active trigger is for.", stats.unmatched_events);
  counter("action_triggers_unknown_destination_messages_total",
          "Messages fired at destinations that the configuration does not have.", stats.unknown_broker);
  counter("action_triggers_callback_exceptions_total", "Exceptions of callbacks, caught.", stats.callback_exceptions);
  counter("action_triggers_slow_callbacks_total", "Callbacks that held up their lane.", stats.slow_callbacks);
  page.family("action_triggers_reloads_total", Type::counter, "Reloads of the configuration.");
  page.sample({{"result", "ok"}}, stats.reloads);
  page.sample({{"result", "failed"}}, stats.failed_reloads);
  page.family("action_triggers_lanes", Type::gauge, "Threads with a connection each.");
  page.sample({}, stats.lanes);
  page.family("action_triggers_health", Type::gauge, "1 for the health that the dispatcher has.");
  const HealthState health = health_of(stats).state;
  for (const HealthState state : {HealthState::ok, HealthState::degraded, HealthState::down}) {
    page.sample({{"state", to_string(state)}}, health == state ? 1 : 0);
  }
}

}  // namespace

std::string_view to_string(MetricFamily::Type type) noexcept {
  switch (type) {
    case Type::counter:
      return "counter";
    case Type::gauge:
      return "gauge";
    case Type::histogram:
      return "histogram";
  }
  return "untyped";
}

std::vector<MetricFamily> metric_families(const Stats& stats) {
  Page page;
  write_outcomes(page, stats);
  write_destinations(page, stats);
  write_connections(page, stats);
  write_triggers(page, stats);
  if (stats.outbox) write_outbox(page, stats);
  write_dispatcher(page, stats);
  return page.take();
}

std::string prometheus_text(const Stats& stats) {
  TextFormat text;
  for (const MetricFamily& family : metric_families(stats)) text.append(family);
  return text.take();
}

}  // namespace action_triggers
