// SPDX-License-Identifier: MIT
/// Stats as Prometheus reads them, for an application that has an HTTP server of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "action_triggers/export.hpp"
#include "action_triggers/stats.hpp"

namespace action_triggers {

/// The Content-Type of what prometheus_text() gives.
inline constexpr std::string_view prometheus_content_type = "text/plain; version=0.0.4; charset=utf-8";

/// All of them in Prometheus' text format. Names follow OpenTelemetry's conventions for messaging where they exist;
/// every series is there from the start, at 0. docs/monitoring.md says what each one means. Throws std::bad_alloc.
///
///     server.get("/metrics", [&] { return at::prometheus_text(dispatcher.stats()); });
[[nodiscard]] ACTION_TRIGGERS_EXPORT std::string prometheus_text(const Stats& stats);

/// One metric of that page, for other formats and other clients (prometheus_cpp.hpp is one).
struct MetricFamily {
  enum class Type : std::uint8_t { counter, gauge, histogram };
  using Labels = std::vector<std::pair<std::string, std::string>>;  ///< Name and value, in UTF-8; not escaped.
  struct Sample {
    Labels labels;
    double value = 0;     ///< Of a counter or gauge. Times are in seconds.
    Histogram histogram;  ///< Of a histogram; empty otherwise.
  };
  std::string name;
  Type type = Type::gauge;
  std::string help;
  std::vector<Sample> samples;
};

ACTION_TRIGGERS_EXPORT std::string_view to_string(MetricFamily::Type type) noexcept;

/// What prometheus_text() writes, as data. Throws std::bad_alloc.
[[nodiscard]] ACTION_TRIGGERS_EXPORT std::vector<MetricFamily> metric_families(const Stats& stats);

}  // namespace action_triggers
