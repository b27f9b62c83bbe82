// SPDX-License-Identifier: MIT
/// The dispatcher: fire() or emit() from a hook, and learn what became of the message.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "action_triggers/clock.hpp"
#include "action_triggers/config.hpp"
#include "action_triggers/delivery.hpp"
#include "action_triggers/dispatcher_options.hpp"
#include "action_triggers/emission.hpp"
#include "action_triggers/event.hpp"
#include "action_triggers/export.hpp"
#include "action_triggers/fire_overloads.hpp"
#include "action_triggers/health.hpp"
#include "action_triggers/message.hpp"
#include "action_triggers/reload_report.hpp"
#include "action_triggers/stats.hpp"

namespace action_triggers {

class BrokerRegistry;
class CommitScope;
class ConfigWatcher;
namespace detail {
class DispatcherAccess;
}

/// Sends what is fired to its destination (an entry of the brokers map), and what is emitted to those that the triggers
/// of the configuration say: in the background, with exactly one DeliveryReport per fire, and per target of an event.
///
/// Threads: every member from any thread; see each member for what is allowed inside a callback. The destructor must
/// not run while another thread is still inside a member.
///
/// In a child of fork() the dispatcher is dead: fire() reports `closed`, flush() is false, close() and the destructor
/// return at once, and the parent's connections are left alone.
///
/// What belongs to a transaction is fired in a CommitScope (commit_scope.hpp).
///
/// Callbacks run on the lane's thread (or DispatcherOptions::executor), outside all locks; exceptions in them are
/// caught and counted. They run until the destructor is done, which reports what is left: all that a callback,
/// on_failure, the log callback or the executor uses must outlive the dispatcher, so declare it before; or else see
/// callback_scope.hpp. Only an outcome that is known at once (no such destination, closed, queue_full) calls back
/// inside fire().
class ACTION_TRIGGERS_EXPORT TriggerDispatcher : public FireOverloads<TriggerDispatcher> {
 public:
  /// Starts one lane per distinct connection and begins to connect. Does not wait for brokers: unreachable ones show in
  /// stats() and in reports. Throws std::runtime_error if a lane's broker cannot be made, std::system_error if a thread
  /// cannot be started.
  explicit TriggerDispatcher(Config config);
  TriggerDispatcher(Config config, DispatcherOptions options);
  TriggerDispatcher(Config config, const BrokerRegistry& registry, DispatcherOptions options = {});

  /// A dispatcher that was moved from can be destroyed or assigned to, nothing else. Moving is no call from "any
  /// thread": nobody may be inside a member. Whoever kept a pointer to the dispatcher has the wrong one afterwards.
  TriggerDispatcher(TriggerDispatcher&&) noexcept;
  TriggerDispatcher& operator=(TriggerDispatcher&&) noexcept;

  /// close(options.close_timeout), then frees the connections. Returns after close_timeout + 2 s at the latest, plus
  /// the time that a callback still running takes. On a lane's own thread (in a callback) it does not wait for that
  /// lane.
  ~TriggerDispatcher();

  /// Copies the message to the destination's lane and returns; never waits for a broker (Overflow::block waits for
  /// capacity, at most max_block), never throws broker trouble. Throws std::bad_alloc only, and then nothing was fired.
  ///
  /// If one fire() returned before another one began, on whatever threads, they are sent in that order.
  Delivery fire(std::string_view destination, const Message& message);
  Delivery fire(std::string_view destination, const Message& message, DeliveryCallback callback);
  Delivery fire(std::string_view destination, std::string_view body);
  Delivery fire(std::string_view destination, std::string_view body, DeliveryCallback callback);

  /// Sends an event to the targets of all active triggers that it matches, in the configuration's order: each as a
  /// fire() of its own, all with one message id. Conditions and templates are evaluated here, on the calling thread;
  /// the payload is read as JSON only if one of them looks into it. A target whose message cannot be made (the payload
  /// is not JSON, a value is missing) is reported `invalid_argument`, and the others get theirs.
  ///
  /// An event that no trigger matches is counted (Stats::unmatched_events), and has no deliveries. The callback gets
  /// the report of each target. Throws as fire(); then some of the targets may have been fired at.
  Emission emit(std::string_view event, const Message& message);
  Emission emit(std::string_view event, const Message& message, const DeliveryCallback& callback);
  Emission emit(std::string_view event, std::string_view payload);
  Emission emit(std::string_view event, std::string_view payload, const DeliveryCallback& callback);

  /// And for other payloads than these: fire_overloads.hpp.
  using FireOverloads::emit;
  using FireOverloads::fire;

  /// A trigger in C++: from now on emit() calls `function` for the events that `pattern` matches, after the triggers of
  /// the configuration, and sends what it returns (event.hpp). `name` is its trigger's in reports and stats().
  /// Throws std::invalid_argument for a wrong pattern, an empty function, or a name that another function has.
  void on(std::string_view pattern, EventFunction function) { on(pattern, pattern, std::move(function)); }
  void on(std::string_view pattern, std::string_view name, EventFunction function);
  /// False: no function has that name. When it returns, no thread is in the function any more, unless it was called
  /// inside emit(), by a function or a callback.
  bool off(std::string_view name);

  /// Waits until everything fired before the call has its outcome and its callbacks have run (or were handed to the
  /// executor); open CommitScopes are not waited for. False: `timeout` came first. In a callback or a function of on():
  /// throws std::logic_error.
  template <class Rep, class Period>
  bool flush(std::chrono::duration<Rep, Period> timeout) {
    return flush_within(saturated(timeout));
  }
  /// Without a limit of its own: every message has its deadline.
  bool flush() { return flush_within(std::chrono::nanoseconds::max()); }

  /// Waits until there is a connection for every destination, or for one: each has been seen connected once when this
  /// returns true. False: `timeout` came first, or the dispatcher is closed. A fire needs no such wait. One that is
  /// lost later shows in stats(). In a callback: throws std::logic_error; std::invalid_argument for a destination that
  /// the configuration does not have.
  template <class Rep, class Period>
  bool wait_until_connected(std::chrono::duration<Rep, Period> timeout) {
    return connected_within(saturated(timeout));
  }
  template <class Rep, class Period>
  bool wait_until_connected(std::string_view destination, std::chrono::duration<Rep, Period> timeout) {
    return connected_within(destination, saturated(timeout));
  }

  /// Refuses further fires (they report `closed`), waits up to `timeout` for what is under way, then reports the rest
  /// as `closed`; open CommitScopes are counted, not waited for. Returns `timeout` + 2 s later at most. A second call
  /// counts only what is unfinished. In a callback: throws std::logic_error.
  template <class Rep, class Period>
  CloseReport close(std::chrono::duration<Rep, Period> timeout) {
    return close_within(saturated(timeout));
  }
  CloseReport close();  ///< Within DispatcherOptions::close_timeout.

  /// Becomes a dispatcher for another configuration, while messages flow. Destinations whose settings are the same keep
  /// their connection, queue, order and counters. What changed or removed ones hold is delivered as they say, or
  /// reported `closed` when `drain` (DispatcherOptions::close_timeout) is over; fires at a changed one wait for that,
  /// so order holds across the change. An event goes by all of the old triggers or all of the new ones. Fires are never
  /// refused because of a reload, except `not_found` at a removed destination.
  ///
  /// Returns when no fire can reach what was removed, which takes as long as a fire() that waits for capacity
  /// (Overflow::block). Throws std::runtime_error if a new lane's broker cannot be made, std::system_error without a
  /// thread, std::invalid_argument for a configuration that does not fit together, std::logic_error in a callback, in a
  /// child of fork() and after close(): then nothing has changed.
  ReloadReport reload(Config config);
  template <class Rep, class Period>
  ReloadReport reload(Config config, std::chrono::duration<Rep, Period> drain) {
    const std::chrono::nanoseconds within = saturated(drain);
    return reload_within(std::move(config), within);
  }
  /// Loads a file with the dispatcher's registry, and reloads. Throws ConfigError too.
  ReloadReport reload_file(const std::string& path, const ConfigOptions& options = {});

  /// A snapshot; counters of one destination may be a few messages apart while traffic flows. Waits up to 50 ms for a
  /// lane that a callback holds up.
  [[nodiscard]] Stats stats() const;
  /// What these say of all destinations, and of the outbox: health_of(stats()).
  [[nodiscard]] Health health() const;

 private:
  friend class CommitScope;
  friend class ConfigWatcher;
  friend class detail::DispatcherAccess;
  /// The same; `files`: what `${file:…}` read or could not read, also if it throws.
  ReloadReport reload_file(const std::string& path, const ConfigOptions& options, std::vector<std::string>& files);

  ReloadReport reload_within(Config config, std::chrono::nanoseconds drain);
  bool flush_within(std::chrono::nanoseconds timeout);
  CloseReport close_within(std::chrono::nanoseconds timeout);
  bool connected_within(std::chrono::nanoseconds timeout);
  bool connected_within(std::string_view destination, std::chrono::nanoseconds timeout);

  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace action_triggers
