// SPDX-License-Identifier: MIT
/// From the destinations that leave to those that take their place: these wait until every message of all of those has
/// its outcome, so that order holds across a change of the configuration.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

namespace action_triggers::detail {

class Destination;

/// Shared by the destinations that leave.
class Handover {
 public:
  /// one_is_done() will be called for each of `leaving` destinations. Throws std::bad_alloc.
  Handover(std::size_t leaving, const std::vector<std::shared_ptr<Destination>>& waiting);
  ~Handover();
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;

  /// One of those that leave has no message without an outcome. Any thread.
  void one_is_done() noexcept;

 private:
  class LetGo;

  std::atomic<std::size_t> leaving_;
  std::vector<std::unique_ptr<LetGo>> waiting_;
};

/// The destination has no message without an outcome, and gets none any more: tells those that wait for it, if there
/// are any. Again, it does nothing.
void hand_over(Destination& destination) noexcept;

}  // namespace action_triggers::detail
