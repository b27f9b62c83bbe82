// SPDX-License-Identifier: MIT
/// The dispatcher's own ear for outcomes, below the application's callbacks: for what keeps a message until its fate is
/// known for certain (an outbox's relay), and for what counts outcomes (a trigger).
#pragma once

#include <cstdint>
#include <string_view>

#include "action_triggers/status.hpp"

namespace action_triggers::detail {

struct Record;

class OutcomeObserver {
 public:
  /// The message's one outcome is decided. On the lane's thread, before callbacks; also for a refused fire, then inside
  /// fire(). Must be short, and fire nothing.
  virtual void resolved(const Record& record, StatusCode code, Persistence persistence) noexcept = 0;

  /// The broker spoke after the deadline had decided the outcome. On the lane's thread. `code` is ok: it arrived after
  /// all.
  virtual void resolved_late(const Record& record, StatusCode code, Persistence persistence) noexcept = 0;

  /// Of a durable message (durable.hpp), and the last call: nobody has the record any more. Any thread.
  virtual void forgotten(const Record& /*record*/) noexcept {}

  /// Of a durable message: so many times it may be `rejected` or `internal` before that is its outcome; 0: any number.
  [[nodiscard]] virtual std::uint32_t most_rejections() const noexcept { return 0; }

  /// The trigger that the message came from, for its report; empty: none. Any thread.
  [[nodiscard]] virtual std::string_view trigger() const noexcept { return {}; }

 protected:
  ~OutcomeObserver() = default;
};

}  // namespace action_triggers::detail
