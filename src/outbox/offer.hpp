// SPDX-License-Identifier: MIT
/// From the lanes back to the relay: one Offer for each row that is on its way to one target, and the box that they
/// arrive in when they have their outcome.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/wake_fd.hpp"
#include "dispatch/outcome_observer.hpp"
#include "outbox/relay_outlet.hpp"

namespace action_triggers::detail {

class TriggerCounters;
class Offer;

/// Threads: lanes put offers in, the relay takes them. Needs no memory. Shared with the offers, which may outlive the
/// relay.
class OfferBox {
 public:
  OfferBox() = default;
  OfferBox(const OfferBox&) = delete;
  OfferBox& operator=(const OfferBox&) = delete;

  /// Calls `take(Offer&)` for all that have arrived, in the order of their outcomes, and frees them.
  template <class Take>
  void take_all(const Take& take);

  /// What arrives from now on is freed at once, and what has arrived is. Needed: offers keep their box.
  void close() noexcept;

  /// For the relay to sleep on.
  const WakeFd wake_up;

 private:
  friend class Offer;
  void put(Offer& offer) noexcept;

  std::mutex mutex_;
  Offer* first_ = nullptr;
  Offer* last_ = nullptr;
  bool is_closed_ = false;
};

/// Ends itself, when it has been taken out of the box and no lane knows it any more.
class Offer final : public OutcomeObserver {
 public:
  struct Row {
    std::int32_t shard = 0;
    std::int64_t id = 0;
    std::uint32_t bit = 0;
    std::uint32_t destination = 0;  // as RelayOutlet numbers it
  };

  /// `trigger`: of an event; nullptr: of a row for one destination. `most_rejections`: see OutcomeObserver.
  static Offer& make(std::shared_ptr<OfferBox> box, const Row& row, TriggerCounters* trigger,
                     std::uint32_t most_rejections) {
    return *new Offer(std::move(box), row, trigger, most_rejections);
  }

  /// No lane has taken it, and nobody will hear of it.
  void give_up() noexcept { delete this; }
  /// No lane has it after this call: it has its outcome, or is given up.
  void has_no_lane() noexcept { drop(); }

  void resolved(const Record& record, StatusCode code, Persistence persistence) noexcept override;
  void resolved_late(const Record& /*record*/, StatusCode /*code*/, Persistence /*persistence*/) noexcept override {}
  void forgotten(const Record& /*record*/) noexcept override { drop(); }
  [[nodiscard]] std::uint32_t most_rejections() const noexcept override { return most_rejections_; }
  [[nodiscard]] std::string_view trigger() const noexcept override;

  const Row row;
  RowOutcome outcome;  // once it is in the box

 private:
  friend class OfferBox;
  Offer(std::shared_ptr<OfferBox> box, const Row& of_row, TriggerCounters* trigger, std::uint32_t most_rejections)
      : row(of_row), box_(std::move(box)), trigger_(trigger), most_rejections_(most_rejections) {}
  ~Offer() = default;
  void drop() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  const std::shared_ptr<OfferBox> box_;
  TriggerCounters* const trigger_;  // lasts longer than the lanes
  const std::uint32_t most_rejections_;
  std::atomic<std::uint32_t> references_{2};  // the lane's and the box's
  Offer* next_ = nullptr;                     // in the box
};

template <class Take>
void OfferBox::take_all(const Take& take) {
  Offer* offer = nullptr;
  {
    const std::lock_guard lock(mutex_);
    offer = first_;
    first_ = last_ = nullptr;
  }
  while (offer != nullptr) {
    Offer* const next = offer->next_;
    take(*offer);
    offer->drop();
    offer = next;
  }
}

}  // namespace action_triggers::detail
