#include "action_triggers/trigger_dispatcher.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "base/fork.hpp"
#include "dispatch/lane.hpp"
#include "dispatch/name_table.hpp"
#include "dispatch/named_broker.hpp"
#include "dispatch/record.hpp"

namespace action_triggers {
namespace {

using detail::Lane;
using detail::MessageParts;
using detail::NamedBroker;
using detail::NameTable;
using detail::Quota;
using detail::Record;

constexpr const char* in_child_text =
    "this dispatcher belongs to the parent process and has none of its threads here; make one after fork()";
constexpr std::size_t largest_message = 1UL << 30U;  // beyond every broker's limit; keeps sizes in 32 bits
constexpr std::chrono::seconds grace_after_close{2};

/// Names share a lane if their type and connection are equal.
std::string lane_key(const BrokerConfig& config) {
  const std::string own = "=" + config.name;
  return config.broker_type + '\n' + (config.connection_key.empty() ? own : ":" + config.connection_key);
}

TimePoint later(std::chrono::nanoseconds timeout) {
  const TimePoint now = Clock::now();
  // Far below the clock's end, so that a grace period can still be added.
  return now +
         std::clamp<std::chrono::nanoseconds>(timeout, std::chrono::nanoseconds::zero(), std::chrono::hours(24 * 365));
}

/// Counts down as lanes reach their marks. The marks own it together.
struct FlushProgress {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t lanes_left = 0;

  void lane_done() {
    const std::lock_guard lock(mutex);
    if (--lanes_left == 0) changed.notify_all();
  }
};

struct FlushRequest final : detail::FlushMark {
  explicit FlushRequest(std::shared_ptr<FlushProgress> shared) : progress(std::move(shared)) {}
  void reached() noexcept override {
    progress->lane_done();
    delete this;
  }
  std::shared_ptr<FlushProgress> progress;
};

}  // namespace

class TriggerDispatcher::Impl {
 public:
  Impl(Config&& config, const BrokerRegistry& registry, DispatcherOptions options)
      : hooks_(std::make_shared<detail::Hooks>()) {
    detail::watch_forks();
    generation_ = detail::fork_generation();
    hooks_->options = std::move(options);
    for (const ConfigProblem& warning : config.warnings) {
      hooks_->log(LogLevel::warning, "config",
                  warning.broker.empty() ? warning.text : warning.broker + ": " + warning.text);
    }
    std::map<std::string, std::vector<std::shared_ptr<const BrokerConfig>>> groups;
    for (auto& [name, broker] : config.brokers) {
      std::string key = lane_key(*broker);
      groups[std::move(key)].push_back(std::move(broker));
    }
    std::vector<NamedBroker*> all;
    for (auto& [key, configs] : groups) {
      const BrokerConfig& first = *configs.front();
      const BrokerRegistry::Entry* entry = registry.find(first.broker_type);
      if (entry == nullptr || !entry->make) {
        throw std::runtime_error("broker '" + first.name + "': the registry cannot make brokers of type '" +
                                 first.broker_type + "'; was the configuration loaded with another registry?");
      }
      auto lane = std::make_shared<Lane>(std::move(configs), entry->make, hooks_, "at-" + first.broker_type);
      for (const auto& named : lane->names()) all.push_back(named.get());
      lanes_.push_back(std::move(lane));
    }
    names_ = NameTable(all);
    try {
      for (const auto& lane : lanes_) lane->start();
    } catch (...) {
      end(std::chrono::nanoseconds::zero());
      throw;
    }
  }

  ~Impl() {
    if (is_in_child()) return;  // the lanes' threads, and with them the lanes, are the parent's
    end(hooks_->options.close_timeout);
    for (const auto& lane : lanes_) lane->join();
  }

  Delivery fire(std::string_view broker, const MessageParts& parts, DeliveryCallback&& callback) {
    if (is_in_child()) return refuse(broker, parts, std::move(callback), {StatusCode::closed, in_child_text});
    NamedBroker* const found = names_.find(broker);
    if (found == nullptr) {
      unknown_broker_.fetch_add(1, std::memory_order_relaxed);
      return refuse(broker, parts, std::move(callback),
                    {StatusCode::not_found, "no broker is named '" + std::string(broker) + "' in the configuration"});
    }
    NamedBroker& named = *found;
    const std::size_t bytes = Record::payload_bytes(parts);
    if (bytes > largest_message) {
      return refuse(named, parts, std::move(callback),
                    {StatusCode::too_large, "messages of over 1 GiB cannot be sent"});
    }
    const bool drop_oldest = named.overflow == Overflow::drop_oldest;
    Quota::Answer answer = named.quota.take(bytes, drop_oldest);
    if (answer == Quota::Answer::full && named.overflow == Overflow::block && !detail::on_lane_thread) {
      const TimePoint deadline = later(named.config->max_block);
      while (answer == Quota::Answer::full && Clock::now() < deadline) {
        named.lane->wait_for_room(named, deadline);
        answer = named.quota.take(bytes, false);
      }
    }
    if (answer != Quota::Answer::granted)
      return refuse(named, parts, std::move(callback), why_refused(answer, named, bytes));
    Record* record = nullptr;
    try {
      record = Record::make(parts, bytes, std::move(callback));
    } catch (...) {
      named.quota.give_back(1, bytes);
      throw;
    }
    record->named = &named;
    Delivery delivery = record->handle();
    named.lane->push(*record);
    return delivery;
  }

  bool flush(std::chrono::nanoseconds timeout) {
    detail::refuse_on_lane_thread("TriggerDispatcher::flush");
    if (is_in_child()) return false;
    const TimePoint deadline = later(timeout);
    const auto progress = std::make_shared<FlushProgress>();
    progress->lanes_left = lanes_.size();
    for (const auto& lane : lanes_) {
      auto mark = std::make_unique<FlushRequest>(progress);
      if (lane->push(*mark)) {
        static_cast<void>(mark.release());  // the lane's now
      } else {
        progress->lane_done();
      }
    }
    std::unique_lock lock(progress->mutex);
    return progress->changed.wait_until(lock, deadline, [&] { return progress->lanes_left == 0; });
  }

  CloseReport close(std::chrono::nanoseconds timeout) {
    detail::refuse_on_lane_thread("TriggerDispatcher::close");
    if (is_in_child()) return {};
    return end(timeout);
  }

  [[nodiscard]] Stats stats() const {
    Stats stats;
    if (is_in_child()) return stats;
    for (const auto& lane : lanes_) {
      for (const auto& named : lane->names()) stats.brokers.emplace(named->name, stats_of(*named));
    }
    stats.unknown_broker = unknown_broker_.load(std::memory_order_relaxed);
    stats.callback_exceptions = hooks_->callback_exceptions.load(std::memory_order_relaxed);
    stats.slow_callbacks = hooks_->slow_callbacks.load(std::memory_order_relaxed);
    stats.lanes = lanes_.size();
    return stats;
  }

 private:
  static Status why_refused(Quota::Answer answer, const NamedBroker& named, std::size_t bytes) {
    const std::string& name = named.name;
    switch (answer) {
      case Quota::Answer::closed:
        return {StatusCode::closed, "fired at '" + name + "' after close()"};
      case Quota::Answer::too_large:
        return {StatusCode::too_large, "a message of " + std::to_string(bytes) + " bytes can never fit '" + name +
                                           "'; raise params.max_queued_bytes"};
      default:
        return {StatusCode::queue_full,
                "'" + name + "' holds " + std::to_string(named.quota.messages()) + " messages (" +
                    std::to_string(named.quota.bytes()) +
                    " bytes) without an outcome; the broker is too slow or away, or raise params.max_queued_messages / "
                    "max_queued_bytes"};
    }
  }

  Delivery refuse(NamedBroker& named, const MessageParts& parts, DeliveryCallback&& callback, Status status) {
    named.refused[static_cast<std::size_t>(status.code())].fetch_add(1, std::memory_order_relaxed);
    return refuse(named.name, parts, std::move(callback), std::move(status));
  }

  /// An outcome that is known at once: no lane has to do with it.
  Delivery refuse(std::string_view broker, const MessageParts& parts, DeliveryCallback&& callback, Status status) {
    Record* record = Record::make({}, 0, std::move(callback));
    record->drop_reference();  // the lane's
    Delivery delivery = record->handle();
    auto report = std::make_unique<DeliveryReport>();
    report->status = std::move(status);
    report->broker = broker;
    if (parts.rest != nullptr) report->message_id = parts.rest->id;
    record->report = std::move(report);
    record->publish();
    hooks_->run_callbacks(*record, *record->report);
    return delivery;
  }

  /// Whether this is a child of the process that made the dispatcher: there are no lanes' threads here.
  [[nodiscard]] bool is_in_child() const noexcept { return generation_ != detail::fork_generation(); }

  CloseReport end(std::chrono::nanoseconds timeout) {
    {
      const std::lock_guard lock(close_mutex_);
      if (std::exchange(closed_, true)) return {};
    }
    const TimePoint deadline = later(timeout);
    for (const auto& lane : lanes_) lane->begin_close(deadline);
    CloseReport report;
    for (const auto& lane : lanes_) {
      if (detail::on_lane_thread || !lane->wait_until_ended(deadline + grace_after_close)) continue;
      const auto& counts = lane->close_counts();
      report.delivered += counts.delivered;
      report.failed += counts.failed;
      for (const auto& named : lane->names()) {
        if (const std::size_t n = counts.abandoned[named->index]; n > 0) {
          report.abandoned += n;
          report.abandoned_by_broker[named->name] += n;
        }
      }
    }
    return report;
  }

  static BrokerStats stats_of(const NamedBroker& named) {
    BrokerStats stats;
    for (std::size_t code = 0; code < status_code_count; ++code) {
      const std::uint64_t refused = named.refused[code].load(std::memory_order_relaxed);
      stats.by_status[code] = named.outcomes[code].get() + refused;
      stats.fired += refused;
      if (code != 0) stats.failed += stats.by_status[code];
    }
    stats.delivered = stats.by_status[0];
    stats.queued = named.quota.messages();
    stats.queued_bytes = named.quota.bytes();
    const std::uint64_t held = named.held.get();
    stats.fired += named.picked_up.get() + (stats.queued > held ? stats.queued - held : 0);
    stats.in_flight = named.in_flight.get();
    stats.retried = named.retried.get();
    stats.late_outcomes = named.late_outcomes.get();
    stats.state = named.lane->state();
    stats.last_error = named.get_last_error();
    if (stats.last_error.empty()) stats.last_error = named.lane->connection_error();
    stats.latency_p50 = named.latency.quantile(0.5);
    stats.latency_p99 = named.latency.quantile(0.99);
    stats.latency_max = named.latency.max();
    return stats;
  }

  const std::shared_ptr<detail::Hooks> hooks_;
  std::uint32_t generation_ = 0;
  std::vector<std::shared_ptr<Lane>> lanes_;
  NameTable names_;
  std::atomic<std::uint64_t> unknown_broker_{0};
  std::mutex close_mutex_;
  bool closed_ = false;
};

TriggerDispatcher::TriggerDispatcher(Config config)
    : TriggerDispatcher(std::move(config), BrokerRegistry::builtin(), DispatcherOptions()) {}

TriggerDispatcher::TriggerDispatcher(Config config, const BrokerRegistry& registry, DispatcherOptions options)
    : impl_(std::make_unique<Impl>(std::move(config), registry, std::move(options))) {}

TriggerDispatcher::~TriggerDispatcher() = default;

Delivery TriggerDispatcher::fire(std::string_view broker, const Message& message) {
  return impl_->fire(broker, {message.body, &message}, {});
}

Delivery TriggerDispatcher::fire(std::string_view broker, std::string_view body) {
  return impl_->fire(broker, {body, nullptr}, {});
}

Delivery TriggerDispatcher::fire(std::string_view broker, const Message& message, DeliveryCallback callback) {
  return impl_->fire(broker, {message.body, &message}, std::move(callback));
}

Delivery TriggerDispatcher::fire(std::string_view broker, std::string_view body, DeliveryCallback callback) {
  return impl_->fire(broker, {body, nullptr}, std::move(callback));
}

bool TriggerDispatcher::flush(std::chrono::nanoseconds timeout) { return impl_->flush(timeout); }
CloseReport TriggerDispatcher::close(std::chrono::nanoseconds timeout) { return impl_->close(timeout); }
Stats TriggerDispatcher::stats() const { return impl_->stats(); }

}  // namespace action_triggers
