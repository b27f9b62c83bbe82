// SPDX-License-Identifier: MIT
/// Destinations and their lanes: what TriggerDispatcher stands on, and what an outbox's relay fires through.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/dispatcher_options.hpp"
#include "action_triggers/reload_report.hpp"
#include "action_triggers/stats.hpp"
#include "core/payload.hpp"
#include "dispatch/callbacks.hpp"
#include "dispatch/destination_table.hpp"
#include "dispatch/lane.hpp"
#include "dispatch/record.hpp"

namespace action_triggers::detail {

/// What a fire has that does not come from an application's fire().
struct FireOrigin {
  OutcomeObserver* observer = nullptr;  // outlives the message
  const MessageId* id = nullptr;        // of a message that brings none; nullptr: one is made
  /// Whether the same parts go to further destinations, which then share one payload: the first record that was made
  /// for them is `first`, and must be kept (by its Delivery) as long as this is used.
  bool shared = false;
  const Record* first = nullptr;
  /// The messages of an open commit scope, which this one joins instead of going to its lane. nullptr: it is sent.
  RecordList* scope = nullptr;
};

/// What a configuration has beside the destinations that can be fired at by name.
struct MoreDestinations {
  /// Variations of others, whose names they have: found by their configuration, with of().
  std::vector<std::shared_ptr<const BrokerConfig>> derived{};
  /// Names that have variations only, and what is said of a fire at one.
  std::map<std::string, std::string, std::less<>> incomplete{};
};

/// Threads: every member from any thread, the destructor when no other thread is inside a member. In a child of fork()
/// it does nothing: it has none of its parent's threads there.
class Dispatcher {
 public:
  using Configs = std::map<std::string, std::shared_ptr<const BrokerConfig>, std::less<>>;

  /// One lane for each connection; begins to connect. Throws std::runtime_error if the registry cannot make a broker,
  /// std::system_error if a thread cannot be started.
  Dispatcher(const Configs& configs, const BrokerRegistry& registry, DispatcherOptions options,
             MoreDestinations more = {});
  /// shut_down(), if that has not been called.
  ~Dispatcher();
  /// What a destructor does for those that use it: closes, and ends the threads. Afterwards it is closed, and can be
  /// asked as before. Once.
  void shut_down();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// The destinations by name, and what is attached to them. Valid inside a ReadSection.
  [[nodiscard]] const DestinationTable& table() const noexcept { return *table_.load(std::memory_order_seq_cst); }
  /// nullptr: there is none. Valid inside a ReadSection, and until somebody removes it.
  [[nodiscard, gnu::always_inline]] Destination* find(std::string_view name) const noexcept {
    return table().find(name);
  }
  /// To the table, for DestinationTable::attached. Before the first fire.
  void attach(const void* attached);

  /// The one that was made of this configuration; nullptr: there is none. Valid as with find().
  [[nodiscard]] Destination* of(const BrokerConfig& config) const;

  /// In a child of fork(): a lock may be another thread's, which is not there.
  [[nodiscard]] bool is_in_child() const noexcept;

  /// What is said of a fire at a name that find() does not know.
  [[nodiscard]] std::string why_unknown(std::string_view name) const;

  /// By name; an unknown one is reported `not_found`.
  Delivery fire(std::string_view name, const MessageParts& parts, DeliveryCallback&& callback);
  Delivery fire(std::string_view name, const MessageParts& parts, DeliveryCallback&& callback, FireOrigin& origin);
  Delivery fire(Destination& destination, const MessageParts& parts, DeliveryCallback&& callback, FireOrigin& origin);
  /// A durable message (durable.hpp), which brings its id. Never waits: if the answer is not `reserved`, there is no
  /// record, and the observer is not called. Inside a ReadSection. Throws std::bad_alloc, and then there is none
  /// either.
  Capacity::Answer offer(Destination& destination, const MessageParts& parts, OutcomeObserver& observer);
  /// For a commit scope, see FireOrigin::scope.
  Delivery fire(std::string_view name, const MessageParts& parts, DeliveryCallback&& callback, RecordList& scope);
  /// Sends what a scope holds: to each lane as one chain, in the order of firing. What a destination holds that was
  /// replaced goes to the one that has its place now. Of what cannot be sent any more the outcome is `closed`; then
  /// callbacks run in here. In a child of fork() nothing is sent or reported. `messages` is empty afterwards.
  void commit(RecordList& messages) noexcept;
  /// The outcome of what a scope holds is `rolled_back`; callbacks run in here. `why`: the status' text.
  void roll_back(RecordList& messages, std::string_view why) noexcept;
  /// A fire that its caller refuses: `status` is its outcome.
  Delivery refuse(Destination& destination, const MessageParts& parts, DeliveryCallback&& callback,
                  const FireOrigin& origin, Status status) {
    return refuse(&destination, destination.name, parts, std::move(callback), origin, std::move(status));
  }
  /// The same where it is not known which destination there would be.
  Delivery refuse(const MessageParts& parts, DeliveryCallback&& callback, const FireOrigin& origin, Status status) {
    return refuse(nullptr, {}, parts, std::move(callback), origin, std::move(status));
  }

  /// A destination more, on the lane of its connection or on a new one. Its name must be new. Throws as the
  /// constructor, std::invalid_argument for a name that is taken, and std::logic_error after close().
  Destination& add(std::shared_ptr<const BrokerConfig> config, const BrokerRegistry& registry);
  /// Fires at it are refused from now on (`not_found`); what it holds is delivered, or reported `closed` at `deadline`.
  /// A lane without destinations ends. False: there is none of that name. Throws std::bad_alloc, and std::logic_error
  /// after close().
  bool remove(std::string_view name, TimePoint deadline);

  /// Gives whatever stands for a destination in what is swapped the one that there will be; nullptr: there is none.
  using FindNew = std::function<Destination*(const BrokerConfig& config)>;
  /// What else changes with the destinations.
  struct Rebound {
    const void* attached = nullptr;   // to the new table
    std::function<void()> published;  // called when fires find the new table; throws nothing
  };
  using Rebind = std::function<Rebound(const FindNew& find)>;
  /// Becomes a dispatcher for another configuration. Destinations that are equal stay as they are. What others hold is
  /// delivered as they say, or reported `closed` at `deadline`, and those that take their names wait for that. Returns
  /// when no fire can find what was removed. Throws as the constructor and as `rebind`, std::logic_error in a callback
  /// and after close(); then nothing has changed.
  ReloadReport reload(const Configs& configs, MoreDestinations more, const BrokerRegistry& registry, TimePoint deadline,
                      const Rebind& rebind);

  bool flush(std::chrono::nanoseconds timeout);
  /// See TriggerDispatcher.
  bool wait_until_connected(std::chrono::nanoseconds timeout);
  bool wait_until_connected(std::string_view name, std::chrono::nanoseconds timeout);
  CloseReport close(std::chrono::nanoseconds timeout);
  [[nodiscard]] Stats stats() const;

  [[nodiscard]] Callbacks& callbacks() noexcept { return *callbacks_; }

 private:
  struct LaneEntry {
    std::string key;  // broker type and connection
    std::shared_ptr<Lane> lane;
  };
  struct Change;

  [[nodiscard]] Capacity::Answer reserve(Destination& destination, std::size_t bytes, bool in_scope = false) const;
  Capacity::Answer block(Destination& destination, std::size_t bytes, bool in_scope) const;
  Delivery refuse_unknown(std::string_view name, const MessageParts& parts, DeliveryCallback&& callback,
                          const FireOrigin& origin);
  Delivery refuse(Destination& destination, Capacity::Answer answer, const MessageParts& parts,
                  DeliveryCallback&& callback, const FireOrigin& origin);
  [[gnu::noinline]] Delivery refuse_for_durability(Destination& destination, const MessageParts& parts,
                                                   DeliveryCallback&& callback, const FireOrigin& origin);
  Delivery refuse(Destination* destination, std::string_view name, const MessageParts& parts,
                  DeliveryCallback&& callback, const FireOrigin& origin, Status status);
  Destination* take_from_scope(Destination& destination, std::uint64_t messages, std::uint64_t bytes) noexcept;
  [[nodiscard]] Destination* successor_of(const Destination& destination) const noexcept;
  void end_in_scope(RecordList& messages, StatusCode code, std::string_view why) noexcept;
  std::shared_ptr<Lane> make_lane(Lane::Destinations destinations, const BrokerRegistry& registry) const;
  void carry_out(Change& change, const BrokerRegistry& registry, TimePoint deadline,
                 const std::function<void()>& published);
  void prepare(Change& change, TimePoint deadline);
  void make_lanes(Change& change, const BrokerRegistry& registry);
  void give_up(Change& change) noexcept;
  /// Returns the table that was replaced.
  std::unique_ptr<const DestinationTable> publish(Change& change, const std::function<void()>& published) noexcept;
  void let_leave(Change& change, TimePoint deadline) noexcept;
  void take_what_is_gone(Change& change);
  [[nodiscard]] std::vector<std::shared_ptr<Lane>> lanes() const;
  void ask_for_ages() const;
  CloseReport end(std::chrono::nanoseconds timeout);

  const std::shared_ptr<Callbacks> callbacks_;
  const std::uint32_t process_;  // fork_generation() of the process that made this
  std::atomic<const DestinationTable*> table_{nullptr};
  std::atomic<std::uint64_t> unknown_broker_{0};
  const std::unique_ptr<Destination> nowhere_;  // of fires that reach no destination

  std::mutex change_mutex_;   // held by add() and remove(), also while they wait for a lane or for the registry
  mutable std::mutex mutex_;  // of what follows; not taken by fire(). Lists change while both mutexes are held
  std::vector<LaneEntry> lanes_;
  std::vector<std::shared_ptr<Lane>> ended_lanes_;
  Lane::Destinations destinations_;  // those that were not removed
  std::unique_ptr<const DestinationTable> owned_table_;
  std::map<std::string, std::string, std::less<>> incomplete_;  // names that cannot be fired at, and why
  Lane::Destinations removed_;                                  // as long as their lanes have to do with them
  std::map<std::string, BrokerStats, std::less<>> past_;        // what those have counted that are freed
  bool closed_ = false;
  bool is_shut_down_ = false;
};

}  // namespace action_triggers::detail
