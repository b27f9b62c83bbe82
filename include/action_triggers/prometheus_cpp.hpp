// SPDX-License-Identifier: MIT
/// A dispatcher's numbers among those that an application shows with prometheus-cpp. Needs that library: link
/// action_triggers::prometheus (docs/monitoring.md).
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <chrono>
#include <limits>
#include <utility>
#include <vector>

#include "action_triggers/prometheus.hpp"
#include "action_triggers/trigger_dispatcher.hpp"

namespace action_triggers {

/// What prometheus_text() would say, collected anew for each scrape. Any thread, as stats() is.
///
///     const auto numbers = std::make_shared<at::PrometheusCollectable>(dispatcher);
///     exposer.RegisterCollectable(numbers);  // it keeps no ownership: `numbers` lives on, and the dispatcher longer
class PrometheusCollectable final : public prometheus::Collectable {
 public:
  explicit PrometheusCollectable(const TriggerDispatcher& dispatcher) : dispatcher_(dispatcher) {}

  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> all;
    for (MetricFamily& family : metric_families(dispatcher_.stats())) {
      if (family.samples.empty()) continue;  // as prometheus-cpp's own do
      prometheus::MetricFamily made;
      made.name = std::move(family.name);
      made.help = std::move(family.help);
      made.type = type_of(family.type);
      for (MetricFamily::Sample& sample : family.samples) made.metric.push_back(metric_of(family.type, sample));
      all.push_back(std::move(made));
    }
    return all;
  }

 private:
  static prometheus::MetricType type_of(MetricFamily::Type type) {
    if (type == MetricFamily::Type::counter) return prometheus::MetricType::Counter;
    return type == MetricFamily::Type::gauge ? prometheus::MetricType::Gauge : prometheus::MetricType::Histogram;
  }

  static prometheus::ClientMetric metric_of(MetricFamily::Type type, MetricFamily::Sample& sample) {
    prometheus::ClientMetric metric;
    for (auto& [name, value] : sample.labels) metric.label.push_back({std::move(name), std::move(value)});
    metric.counter.value = type == MetricFamily::Type::counter ? sample.value : 0;
    metric.gauge.value = type == MetricFamily::Type::gauge ? sample.value : 0;
    if (type != MetricFamily::Type::histogram) return metric;
    const auto seconds = [](std::chrono::duration<double> time) { return time.count(); };
    metric.histogram.sample_count = sample.histogram.count;
    metric.histogram.sample_sum = seconds(sample.histogram.sum);
    for (const Histogram::Bucket& bucket : sample.histogram.buckets) {
      metric.histogram.bucket.push_back({bucket.count, seconds(bucket.upper_bound)});
    }
    const double without_end = std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({sample.histogram.count, without_end});
    return metric;
  }

  const TriggerDispatcher& dispatcher_;
};

}  // namespace action_triggers
