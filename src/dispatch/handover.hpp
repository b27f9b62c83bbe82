// SPDX-License-Identifier: MIT
/// From the destinations that leave to those that take their place: these wait until all of those are gone, so that
/// order holds across a change of the configuration.
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
  /// `leaving` destinations will call one_is_gone(). Throws std::bad_alloc.
  Handover(std::size_t leaving, const std::vector<std::shared_ptr<Destination>>& waiting);
  ~Handover();
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;

  /// One of those that leave has gone. On a lane's thread.
  void one_is_gone() noexcept;

 private:
  class LetGo;

  std::atomic<std::size_t> leaving_;
  std::vector<std::unique_ptr<LetGo>> waiting_;
};

}  // namespace action_triggers::detail
