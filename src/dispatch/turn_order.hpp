// SPDX-License-Identifier: MIT
/// Whose turn it is to send.
#pragma once

#include <cstddef>

#include "dispatch/destination.hpp"
#include "dispatch/ready_list.hpp"

namespace action_triggers::detail {

/// Destinations take turns, a batch each. Of whom the broker takes less than it was offered is offered again in the
/// lane's next turn; first those of whom it took nothing, so that a broker that takes little serves all of them alike.
class TurnOrder {
 public:
  /// Something to send has come, or a pause is over. Does nothing if it waits for its turn already, or for its pause.
  void make_ready(Destination& destination) noexcept {
    if (destination.may_send()) ready_.push(destination);
  }
  void remove(Destination& destination) noexcept { ready_.remove(destination); }

  /// A turn of the lane begins.
  void begin() noexcept {
    ready_.append(unserved_);
    ready_.append(served_);
  }
  /// Takes out whose turn it is; nullptr: nobody's.
  Destination* next() noexcept {
    if (ready_.empty()) return nullptr;
    auto& destination = static_cast<Destination&>(ready_.front());
    ready_.remove(destination);
    return &destination;
  }
  /// After the broker took so many of so many messages.
  void put_back(Destination& destination, std::size_t offered, std::size_t taken) noexcept {
    if (!destination.may_send()) return;
    (taken == offered ? ready_ : taken == 0 ? unserved_ : served_).push(destination);
  }

 private:
  ReadyList ready_;
  ReadyList unserved_;  // of whom the broker took nothing in this turn
  ReadyList served_;    // of whom it took a part
};

}  // namespace action_triggers::detail
