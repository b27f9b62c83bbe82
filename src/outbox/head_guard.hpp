// SPDX-License-Identifier: MIT
/// A message that kills its relay's process would kill the next owner as well, for ever. So an owner whose predecessor
/// has died sends its first row alone, after its id has been noted in the table, and then more and more at once, until
/// it has survived a whole batch and has come past the row that its predecessor noted. The row that three owners have
/// died of is poisoned, and not sent again.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "action_triggers/clock.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {

class HeadGuard {
 public:
  static constexpr std::int32_t most_deaths = 3;
  /// Who lives that long after sending has survived it.
  static constexpr std::chrono::milliseconds survival{250};

  /// `alive`: how many of the deaths may have been the end of leases of ours.
  void begin(const ShardNotes& inherited, std::int32_t alive, std::size_t batch);

  [[nodiscard]] bool is_careful() const { return is_careful_; }
  [[nodiscard]] bool is_poisoned(std::int64_t row) const { return poisoned_ == row; }
  /// The last owner may have died of it: it is to be the first of what is sent at once, or one before it is blamed.
  [[nodiscard]] bool is_suspect(std::int64_t row) const { return is_careful_ && inherited_.head == row; }
  /// How many rows to read and send at once.
  [[nodiscard]] std::size_t limit() const { return is_careful_ ? window_ : batch_; }

  /// False: it has to be noted first, and read again.
  [[nodiscard]] bool may_send(std::int64_t first);
  /// head and deaths, as the table should have them; `lowest`: of the rows that are held.
  [[nodiscard]] ShardNotes notes(std::optional<std::int64_t> lowest) const;
  /// They are not in the table yet.
  [[nodiscard]] bool wants_notes() const { return wants_notes_; }
  void noted(const ShardNotes& notes);

  void sent(TimePoint now);
  /// What was read was under way already, or waits for its destination: there is nothing to survive.
  void sent_nothing();
  /// Whether the last rows have been survived; if not, nothing more is sent for now.
  bool has_survived(TimePoint now, std::size_t in_flight);
  /// When they will have been, whatever becomes of them; max: nothing is waited for.
  [[nodiscard]] TimePoint next_due() const { return has_sent_ ? survived_at_ : TimePoint::max(); }
  /// There is nothing to be careful about.
  void relax();

 private:
  bool is_careful_ = false;
  bool wants_notes_ = false;
  bool has_sent_ = false;  // and has not survived it yet
  std::size_t window_ = 1;
  std::size_t batch_ = 1;
  ShardNotes inherited_;
  std::optional<std::int64_t> poisoned_;
  std::optional<std::int64_t> head_;        // about to be sent
  std::optional<std::int64_t> noted_head_;  // what the table says
  TimePoint survived_at_ = TimePoint::min();
};

}  // namespace action_triggers::detail
