// SPDX-License-Identifier: MIT
/// What the outboxes of all databases have in common: an application writes its messages into its own transaction, and
/// a relay sends what was committed. See postgresql.hpp and sqlite.hpp for the classes to use, docs/outbox.md for what
/// is promised.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/clock.hpp"
#include "action_triggers/export.hpp"
#include "action_triggers/fire_overloads.hpp"
#include "action_triggers/message.hpp"

namespace action_triggers {

class TriggerDispatcher;

namespace detail {
struct NewRow;
struct OutboxConfig;
struct OutboxDriver;
}  // namespace detail

/// The parameters of Outbox::insert_statement(), in its order: target, body, key, message_id, content_type, headers,
/// properties. Absent: NULL. Body and key are bytes, the others UTF-8.
struct OutboxValues {
  std::array<std::optional<std::string>, 7> values;
  std::string message_id;  ///< The same as in `values`: what consumers will see.
};

/// The outbox of one dispatcher, and its relay, if the configuration's section `outbox` says so. Destroy it before its
/// dispatcher.
///
/// Threads: every member from any thread.
class ACTION_TRIGGERS_EXPORT Outbox {
 public:
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;
  virtual ~Outbox();  ///< close(5 s)

  /// For database layers that the library does not know: an INSERT for one row, with the database's own placeholders.
  /// Execute it in the application's transaction, after the change that it tells of, with what row() or event_row()
  /// gives; call committed() after COMMIT.
  [[nodiscard]] std::string insert_statement() const;
  /// A message to a destination. Throws std::invalid_argument for a destination that the configuration does not have,
  /// and for what no broker would take (a header without a name, a text that is not UTF-8).
  [[nodiscard]] OutboxValues row(std::string_view destination, const Message& message) const;
  /// An event: the relay finds its targets. Its body is JSON.
  [[nodiscard]] OutboxValues event_row(std::string_view event, const Message& message) const;

  /// Tells the relay that something was committed, so that it need not find out by itself. Never blocks, never throws.
  void committed() noexcept;

  /// Waits until this process owns a shard and has found nothing more to send. False: `timeout` came first, or the
  /// relay does not run here.
  template <class Rep, class Period>
  bool wait_until_empty(std::chrono::duration<Rep, Period> timeout) {
    return empty_within(saturated(timeout));
  }

  /// Stops the relay: waits up to `timeout` for what is under way, then gives its shards back. Rows that are left stay
  /// in the table. What was written afterwards waits for a relay of another process, or of the next start.
  template <class Rep, class Period>
  void close(std::chrono::duration<Rep, Period> timeout) {
    close_within(saturated(timeout));
  }

 protected:
  /// Throws std::invalid_argument if the configuration has no section `outbox` of this driver's type, StoreError (a
  /// std::runtime_error) if the database cannot be reached or its tables are missing or of another version.
  Outbox(TriggerDispatcher& dispatcher, const detail::OutboxDriver& driver);

 private:
  friend class OutboxTransaction;
  bool empty_within(std::chrono::nanoseconds timeout);
  void close_within(std::chrono::nanoseconds timeout);
  [[nodiscard]] const detail::OutboxConfig& config() const noexcept;

  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// What the transactions of all databases have in common: messages are kept until commit() writes them, right before
/// COMMIT, so that the order of their rows is the order in which changes were made.
///
/// Threads: one thread per object.
class ACTION_TRIGGERS_EXPORT OutboxTransaction : public PayloadOverloads<OutboxTransaction, std::string, std::string> {
 public:
  OutboxTransaction(const OutboxTransaction&) = delete;
  OutboxTransaction& operator=(const OutboxTransaction&) = delete;

  /// Keeps a copy of the message; returns its id, which consumers will see. Throws as Outbox::row().
  std::string fire(std::string_view destination, const Message& message);
  std::string fire(std::string_view destination, std::string_view body);
  /// The same for an event.
  std::string emit(std::string_view event, const Message& message);
  std::string emit(std::string_view event, std::string_view payload);
  /// And for other payloads than these: fire_overloads.hpp.
  using PayloadOverloads::emit;
  using PayloadOverloads::fire;

  /// How many are kept.
  [[nodiscard]] std::size_t size() const noexcept;

 protected:
  explicit OutboxTransaction(Outbox& outbox);
  ~OutboxTransaction();

  [[nodiscard]] Outbox& outbox() const noexcept { return outbox_; }
  [[nodiscard]] const detail::OutboxConfig& config() const noexcept { return outbox_.config(); }
  [[nodiscard]] const std::vector<detail::NewRow>& rows() const noexcept { return rows_; }
  void clear() noexcept;
  /// Forgets all but the oldest `count`.
  void keep(std::size_t count) noexcept;

 private:
  detail::NewRow& add(detail::NewRow&& row);

  Outbox& outbox_;
  std::vector<detail::NewRow> rows_;
};

}  // namespace action_triggers
