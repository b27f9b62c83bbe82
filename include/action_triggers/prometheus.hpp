// SPDX-License-Identifier: MIT
/// Stats as Prometheus reads them, for an application that has an HTTP server of its own.
#pragma once

#include <string>
#include <string_view>

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

}  // namespace action_triggers
