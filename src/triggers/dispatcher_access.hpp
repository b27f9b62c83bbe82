// SPDX-License-Identifier: MIT
/// What a TriggerDispatcher shows to the library's own outbox, and to nobody else.
#pragma once

#include <memory>

#include "action_triggers/config.hpp"
#include "action_triggers/stats.hpp"
#include "action_triggers/trigger_dispatcher.hpp"

namespace action_triggers::detail {

class Dispatcher;
class Emitter;

/// What stands beside a dispatcher and follows its configuration. Any thread calls these; they must not use the
/// dispatcher.
class Companion {
 public:
  /// Before a reload. Throws std::invalid_argument for what cannot change as long as this runs.
  virtual void check_reload(const Config& config) const = 0;
  /// After it: events go by other triggers, and names may stand for other destinations.
  virtual void reloaded() noexcept = 0;
  virtual void add_to(Stats& stats) const = 0;

 protected:
  ~Companion() = default;
};

/// Valid as long as the dispatcher, which may be moved meanwhile.
class DispatcherAccess {
 public:
  explicit DispatcherAccess(TriggerDispatcher& dispatcher) noexcept;

  [[nodiscard]] Dispatcher& dispatcher() const noexcept;
  [[nodiscard]] Emitter& emitter() const noexcept;
  /// The one that it goes by now.
  [[nodiscard]] std::shared_ptr<const Config> config() const;

  /// Throws std::logic_error if it has one.
  void attach(Companion& companion) const;
  /// Afterwards it is not called any more.
  void detach() const noexcept;

 private:
  TriggerDispatcher::Impl* impl_;
};

}  // namespace action_triggers::detail
