// SPDX-License-Identifier: MIT
/// Drives the relay's logic (relay_core.hpp): a thread that asks the database, sends through a dispatcher, and hears
/// what became of it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "action_triggers/clock.hpp"
#include "action_triggers/stats.hpp"
#include "base/thread.hpp"
#include "dispatch/latency_histogram.hpp"
#include "outbox/dispatcher_outlet.hpp"
#include "outbox/offer.hpp"
#include "outbox/outbox_config.hpp"
#include "outbox/outbox_store.hpp"
#include "outbox/relay_core.hpp"

namespace action_triggers::detail {

/// Threads: every member from any.
class Relay {
 public:
  /// Begins at once, with a session that is open: `info` is what OutboxStore::reopen() has said. Throws
  /// std::system_error without a thread or a descriptor.
  Relay(DispatcherAccess access, const OutboxConfig& config, std::unique_ptr<OutboxStore> store,
        const OutboxInfo& info);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  /// Something was committed.
  void committed() noexcept;
  /// The dispatcher goes by another configuration.
  void configuration_changed() noexcept { box_->wake_up.wake(); }

  /// See Outbox.
  bool wait_until_empty(TimePoint deadline);
  /// Sends nothing more. What is under way is waited for until `deadline`; what is left stays in the table.
  void close(TimePoint deadline);

  [[nodiscard]] OutboxStats stats() const;

 private:
  struct Shard {
    Shard(RelaySettings settings, RelayOutlet& outlet, std::uint64_t table)
        : number(settings.shard), core(std::move(settings), outlet), generation(table) {}

    const std::int32_t number;
    RelayCore core;
    std::uint64_t generation;   // of the triggers that the core knows
    std::uint64_t session = 0;  // the latest one that it was told of
    bool is_owned = false;      // as the log says
    bool is_refused = false;    // as the log says: another process has it
    bool is_finished = false;
    TimePoint empty_at{};                                                // the latest look that found nothing to send
    std::map<std::int64_t, decltype(OutboxRow::created_at)> created_at;  // of rows in its hands, and some before them
  };

  void run();
  void begin_round();
  void hear_outcomes();
  TimePoint step(Shard& shard);
  void sleep_until(TimePoint until);
  void abandon();

  template <class Call>
  auto in_turn(Shard& shard, const Call& call);
  void carry_out(Shard& shard, const ReopenStore& what);
  void carry_out(Shard& shard, const AcquireLease& what);
  void carry_out(Shard& shard, const RenewLease& what);
  void carry_out(Shard& shard, const ReleaseLease& what);
  void carry_out(Shard& shard, const ReadRows& what);
  void carry_out(Shard& shard, const RemoveRows& what);
  void carry_out(Shard& shard, const SetDone& what);
  void carry_out(Shard& shard, BuryRows what);
  void carry_out(Shard& /*shard*/, const WaitUntil& /*what*/) {}
  void carry_out(Shard& /*shard*/, const RelayFinished& /*what*/) {}

  void store_failed(Shard& shard, const std::string& why);
  void store_works();
  void log_ownership(Shard& shard);
  void publish(bool is_idle);
  [[nodiscard]] std::map<std::string, std::string, std::less<>> held_now(TimePoint now);
  void log_held(const std::map<std::string, std::string, std::less<>>& held);
  static void note_ages(Shard& shard, const ReadResult& result);
  void note_delays(const Shard& shard, const std::vector<std::int64_t>& removed);
  [[nodiscard]] std::chrono::milliseconds oldest_age();
  void log(LogLevel level, const std::string& text) const;

  const DispatcherAccess access_;
  const std::string outbox_id_;
  const std::shared_ptr<OfferBox> box_ = std::make_shared<OfferBox>();

  // The thread's only.
  const std::unique_ptr<OutboxStore> store_;
  DispatcherOutlet outlet_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::uint64_t session_ = 1;  // one more each time that the store is opened again
  OutboxStats now_;            // what publish() makes known
  TimePoint published_at_{};
  bool is_stopped_ = false;  // the cores know that they are to stop
  bool is_abandoned_ = false;

  LatencyHistogram delays_;  // from a row's writing to its removal; any thread reads it
  std::atomic<bool> has_committed_{false};
  std::atomic<bool> is_closing_{false};

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  OutboxStats known_;
  TimePoint empty_at_{};     // no shard that it owns had anything to send, at a look that began then
  std::size_t waiting_ = 0;  // for that
  TimePoint close_by_ = TimePoint::max();
  bool has_ended_ = false;

  std::mutex join_mutex_;
  Thread thread_;
};

}  // namespace action_triggers::detail
