// SPDX-License-Identifier: MIT
/// Fires of a transaction: nothing is sent before its commit, and nothing at all after a rollback.
///
///     at::CommitScope scope(dispatcher);
///     scope.fire("order_events", message);
///     database.commit();  // if this throws, the scope's destructor rolls back
///     scope.commit();
///
/// What is committed waits in memory until its broker has confirmed it: a crash between the database's commit and the
/// confirmation loses it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "action_triggers/delivery.hpp"
#include "action_triggers/emission.hpp"
#include "action_triggers/export.hpp"
#include "action_triggers/fire_overloads.hpp"
#include "action_triggers/message.hpp"
#include "action_triggers/trigger_dispatcher.hpp"

namespace action_triggers {

/// Holds what is fired and emitted until commit() sends it or rollback() drops it. Then it is empty, and can be used
/// for the next transaction.
///
/// Ownership: shares what the dispatcher is made of. The dispatcher may be moved, closed and destroyed meanwhile; what
/// is committed after that is reported `closed`. Callbacks and DispatcherOptions must then outlive the scope, too.
/// Threads: one thread per object, and any number of objects. In a child of fork() it is dead, as its dispatcher is:
/// fires are reported `closed`, and of what it held at the fork nothing is sent or reported there.
class ACTION_TRIGGERS_EXPORT CommitScope : public FireOverloads<CommitScope> {
 public:
  /// Throws std::bad_alloc.
  explicit CommitScope(TriggerDispatcher& dispatcher);
  /// rollback().
  ~CommitScope();
  CommitScope(const CommitScope&) = delete;
  CommitScope& operator=(const CommitScope&) = delete;

  /// As TriggerDispatcher::fire(), but the message waits for commit(). Its id is decided and its capacity reserved at
  /// once, so that a fire that has no outcome when this returns can be committed. What is refused (queue_full,
  /// too_large, not_found, closed) is reported at once, in here, and takes no part in the transaction. With
  /// Overflow::block this waits at most max_block for capacity, with the transaction open; what the scope itself holds
  /// is not released meanwhile.
  ///
  /// Delivery::wait() on this thread throws std::logic_error until the scope has ended, since it could never return.
  Delivery fire(std::string_view destination, const Message& message);
  Delivery fire(std::string_view destination, const Message& message, DeliveryCallback callback);
  Delivery fire(std::string_view destination, std::string_view body);
  Delivery fire(std::string_view destination, std::string_view body, DeliveryCallback callback);

  /// As TriggerDispatcher::emit(): conditions and templates are evaluated here, with the triggers of this moment. The
  /// messages wait for commit(). If this throws, nothing of the event is left in the scope.
  Emission emit(std::string_view event, const Message& message);
  Emission emit(std::string_view event, const Message& message, const DeliveryCallback& callback);
  Emission emit(std::string_view event, std::string_view payload);
  Emission emit(std::string_view event, std::string_view payload, const DeliveryCallback& callback);

  /// And for other payloads than these: fire_overloads.hpp.
  using FireOverloads::emit;
  using FireOverloads::fire;

  /// A place to roll back to, as SQL has it. Of one scope and one transaction.
  class Savepoint {
    friend class CommitScope;
    explicit Savepoint(std::uint64_t number) noexcept : number_(number) {}
    std::uint64_t number_;
  };

  /// Throws std::bad_alloc.
  [[nodiscard]] Savepoint savepoint();
  /// Drops what was fired since, as rollback() does, and the savepoints made since. The savepoint itself stays. Throws
  /// std::invalid_argument if it is not there any more: released, rolled back over, of another transaction or scope.
  void rollback_to(Savepoint savepoint);
  /// Forgets the savepoint and those made since; what was fired stays. Throws as rollback_to().
  void release(Savepoint savepoint);

  /// Sends what the scope holds, in the order of firing: at each destination together, with nothing of others in
  /// between, and before all that is fired after this returns. Does not wait, cannot fail and needs no memory.
  /// Deadlines and latencies count from here.
  ///
  /// What cannot be sent any more is reported `closed`, in here: the dispatcher was closed, or a reload has removed the
  /// destination. If a reload has changed it, the message goes as the new configuration says.
  void commit() noexcept;

  /// Drops what the scope holds. It is reported `rolled_back`, in here: callbacks run on this thread (or on the
  /// executor) and may fire, also in this scope; on_failure does not hear of it.
  void rollback() noexcept;

  /// How many messages it holds.
  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] bool empty() const noexcept;

 private:
  class Held;
  const std::unique_ptr<Held> held_;
};

}  // namespace action_triggers
