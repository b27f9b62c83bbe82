// SPDX-License-Identifier: MIT
#include "dispatch/handover.hpp"

#include "dispatch/destination.hpp"
#include "dispatch/lane.hpp"
#include "dispatch/lane_core.hpp"

namespace action_triggers::detail {
namespace {

/// Owns itself once it is in a lane's queue.
class LetGo final : public LaneCommand {
 public:
  explicit LetGo(std::shared_ptr<Destination> destination) : destination_(std::move(destination)) {}
  void run(LaneCore& core) noexcept override {
    core.let_go(*destination_);
    delete this;
  }
  void lane_ended() noexcept override { delete this; }

 private:
  const std::shared_ptr<Destination> destination_;
};

}  // namespace

Handover::Handover(std::size_t leaving, const std::vector<std::shared_ptr<Destination>>& waiting)
    : leaving_(leaving), waiting_(waiting) {
  for (const auto& destination : waiting) {
    destination->waits_for_others = true;  // no lane has it yet
    commands_.push_back(std::make_unique<LetGo>(destination));
  }
}

void Handover::one_is_gone() noexcept {
  if (leaving_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    if (waiting_[i]->lane->push(*commands_[i])) static_cast<void>(commands_[i].release());  // the lane's now
  }
  waiting_.clear();
  commands_.clear();
}

}  // namespace action_triggers::detail
