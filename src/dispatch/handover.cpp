// SPDX-License-Identifier: MIT
#include "dispatch/handover.hpp"

#include <utility>

#include "dispatch/destination.hpp"
#include "dispatch/lane.hpp"
#include "dispatch/lane_command.hpp"
#include "dispatch/lane_core.hpp"

namespace action_triggers::detail {

/// Tells the lane of a destination that waits. Owns itself once it is in that lane's queue.
class Handover::LetGo final : public LaneCommand {
 public:
  explicit LetGo(std::shared_ptr<Destination> destination) : destination_(std::move(destination)) {}
  [[nodiscard]] Lane& lane() const noexcept { return *destination_->lane; }
  void run(LaneCore& core) noexcept override {
    core.let_go(*destination_);
    delete this;
  }
  void lane_ended() noexcept override { delete this; }

 private:
  const std::shared_ptr<Destination> destination_;
};

Handover::Handover(std::size_t leaving, const std::vector<std::shared_ptr<Destination>>& waiting) : leaving_(leaving) {
  for (const auto& destination : waiting) {
    destination->waits_for_others = true;  // no lane has it yet
    waiting_.push_back(std::make_unique<LetGo>(destination));
  }
}

Handover::~Handover() = default;

void Handover::one_is_done() noexcept {
  if (leaving_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  for (auto& command : waiting_) {
    if (command->lane().push(*command)) static_cast<void>(command.release());  // the lane's now
  }
  waiting_.clear();
}

void hand_over(Destination& destination) noexcept {
  if (const auto handover = destination.take_handover()) handover->one_is_done();
}

}  // namespace action_triggers::detail
