// SPDX-License-Identifier: MIT
/// Where rows go, by a dispatcher's configuration and through its lanes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/readers.hpp"
#include "dispatch/dispatcher.hpp"
#include "outbox/offer.hpp"
#include "outbox/relay_outlet.hpp"
#include "outbox/row_codec.hpp"
#include "triggers/dispatcher_access.hpp"
#include "triggers/event_targets.hpp"

namespace action_triggers::detail {

/// Threads: the relay's.
class DispatcherOutlet final : public RelayOutlet {
 public:
  /// `outbox_id`: OutboxInfo's. `most_rejections`: OutboxConfig::max_attempts.
  DispatcherOutlet(DispatcherAccess access, std::shared_ptr<OfferBox> box, const std::string& outbox_id,
                   std::uint32_t most_rejections);

  /// Around each call of a RelayCore: in it one configuration holds, and what it has stays.
  class Turn {
   public:
    explicit Turn(DispatcherOutlet& outlet) : generation_(outlet.begin_turn()) {}
    /// Another one than in a core's turn before: its configuration_changed() is to be called first.
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

   private:
    const ReadSection reading_{};
    const std::uint64_t generation_;
  };

  // RelayOutlet; inside a Turn
  RowTargets targets_of(const OutboxRow& row) override;
  RelayDestination destination(std::uint32_t number) override;
  bool send(const OutboxRow& row, std::uint32_t bit, std::uint32_t number) override;

  /// A lane has said what became of one. Outside of a Turn too.
  void heard_of(const Offer& offer, TimePoint now);

  /// Why this destination has not taken or confirmed anything for a while; empty: all is well. Inside a Turn.
  [[nodiscard]] std::string why_held(std::uint32_t number, TimePoint now) const;
  [[nodiscard]] const std::string& name_of(std::uint32_t number) const { return entries_[number].name; }
  /// Messages that lanes have taken so far.
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }

 private:
  /// A destination that rows go or would go to, by name or as a target of triggers with params of its own.
  struct Entry {
    std::string name;
    std::string identity;  // the name, or, of a derived one, its settings too
    std::size_t in_flight = 0;
    TimePoint last_progress{};  // since when what is in flight has not been confirmed
    bool is_unknown = false;
  };

  /// A row that the core has in its hands: its place alone does not tell it from the one that was there before.
  struct RowInTurn {
    RowInTurn() = default;
    explicit RowInTurn(const OutboxRow& row) : place(&row), id(row.id) {}
    friend bool operator==(const RowInTurn&, const RowInTurn&) = default;
    const OutboxRow* place = nullptr;
    std::int64_t id = 0;
  };

  std::uint64_t begin_turn();
  std::uint32_t number_of(const std::string& identity, const std::string& name);
  RowTargets targets_of_event(const OutboxRow& row);
  // What a row says, read once for all that follows on it in this turn. Throw RowError.
  const MessageParts& parts_of(const OutboxRow& row);
  void find_targets(const OutboxRow& row);
  bool send_event(const OutboxRow& row, std::uint32_t bit, std::uint32_t number);
  void count_event(std::uint32_t bit);
  bool offer(Destination& destination, const MessageParts& parts, Offer& one);
  void refuse(Destination* destination, const MessageParts& parts, Offer& one, Status status);

  const DispatcherAccess access_;
  const std::shared_ptr<OfferBox> box_;
  const std::uint32_t most_rejections_;

  const DestinationTable* destinations_ = nullptr;    // of this turn
  const TriggerTable* table_ = nullptr;               // that goes with them
  const EventFunctions::Table* functions_ = nullptr;  // of this turn; nullptr: there are none

  std::uint64_t sent_ = 0;
  std::vector<Entry> entries_;
  std::map<std::string, std::uint32_t, std::less<>> numbers_;  // by identity

  RowReader reader_;
  MessageParts parts_;
  RowInTurn read_;  // what parts_ are of, in this turn
  EventTargets targets_;
  RowInTurn found_;  // what targets_ are of, in this turn
};

}  // namespace action_triggers::detail
