// SPDX-License-Identifier: MIT
// Traces with OpenTelemetry C++: what a hook needs so that consumers go on with its trace. Not part of the build, since
// Debian has no OpenTelemetry C++; its API's headers are all that this file needs.
#include <opentelemetry/context/runtime_context.h>
#include <opentelemetry/trace/propagation/http_trace_context.h>
#include <opentelemetry/trace/scope.h>
#include <opentelemetry/trace/tracer.h>
#include <action_triggers/action_triggers.hpp>
#include <string>

namespace at = action_triggers;
namespace otel = opentelemetry;

/// Keeps what a propagator writes.
struct Carrier final : otel::context::propagation::TextMapCarrier {
  otel::nostd::string_view Get(otel::nostd::string_view /*key*/) const noexcept override { return ""; }
  void Set(otel::nostd::string_view key, otel::nostd::string_view value) noexcept override {
    (key == "traceparent" ? found.traceparent : found.tracestate) = std::string(value);
  }
  at::TraceContext found;
};

at::TraceContext current_trace() {
  Carrier carrier;
  otel::trace::propagation::HttpTraceContext().Inject(carrier, otel::context::RuntimeContext::GetCurrent());
  return carrier.found;
}

at::DispatcherOptions traced() {
  at::DispatcherOptions options;
  options.trace_context = current_trace;
  return options;
}

/// A span for the message itself, from the hook to the broker's confirmation.
void fire_in_span(at::TriggerDispatcher& dispatcher, otel::trace::Tracer& tracer, const std::string& body) {
  otel::trace::StartSpanOptions kind;
  kind.kind = otel::trace::SpanKind::kProducer;
  auto span = tracer.StartSpan("send orders",
                               {{"messaging.system", "kafka"},
                                {"messaging.operation.name", "send"},
                                {"messaging.operation.type", "send"},
                                {"messaging.destination.name", "orders"}},
                               kind);
  const otel::trace::Scope active(span);  // so that it is what current_trace() finds
  dispatcher.fire("order_events", body, [span](const at::DeliveryReport& report) {
    span->SetAttribute("messaging.message.id", report.message_id);
    if (!report.status.ok()) span->SetStatus(otel::trace::StatusCode::kError, report.status.message());
    span->End();
  });
}
