// SPDX-License-Identifier: MIT
/// What can be configured for every destination, whatever its broker type. Backends derive their configuration from it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "action_triggers/export.hpp"
#include "action_triggers/status.hpp"

namespace action_triggers {

/// What fire() does when a destination is full: max_queued_messages or max_queued_bytes is reached.
enum class Overflow : std::uint8_t {
  reject,       ///< fire() reports queue_full at once.
  block,        ///< fire() waits up to max_block for capacity, then reports queue_full.
  drop_oldest,  ///< The oldest message that was not yet handed to the client library is reported queue_full instead.
};

/// What happens to the messages of an outbox behind one that is given up.
enum class OnDead : std::uint8_t {
  skip,      ///< It goes to the dead letters, and the next one is sent.
  stop_key,  ///< It stays in the table, and so do all later ones of its key; a message without a key: as skip.
  stop,      ///< It stays in the table, and so do all later ones of its destination.
};

/// The least that a fire has to promise (docs/outbox.md, "Three promises"). One that promises less is refused,
/// `invalid_argument`, so that nobody sends by mistake what a transaction has to decide.
enum class Durability : std::uint8_t {
  none,    ///< Any fire will do.
  commit,  ///< In a transaction: of a CommitScope, PgScope or SqliteScope, or of an outbox.
  outbox,  ///< In an outbox's transaction: PgTransaction, SqliteTransaction, or a row of the table.
};

/// How failed attempts are repeated: on retryable statuses (see Status::retryable) and on those of `on`, until the
/// deadline, after a pause drawn at random between a tenth of a limit and the limit, which doubles with every failure
/// ("full jitter").
struct RetryPolicy {
  std::optional<std::uint32_t> max_attempts;  ///< Absent: unlimited. 1: never retried.
  std::chrono::milliseconds initial_backoff{100};
  std::chrono::milliseconds max_backoff{5'000};

  /// Also retried: what somebody may mend while the message waits. Of unroutable, not_found, unauthenticated and
  /// permission_denied; others do nothing here.
  std::vector<StatusCode> on{};

  [[nodiscard]] bool retries(const Status& status) const noexcept {
    return status.retryable() ||
           (!on.empty() && std::find(on.begin(), on.end(), status.code()) != on.end() && can_be_added(status.code()));
  }
  /// Whether max_attempts allows no further one after so many.
  [[nodiscard]] bool is_used_up(std::uint32_t attempts) const noexcept {
    return max_attempts && attempts >= *max_attempts;
  }
  /// Whether `on` may have it.
  [[nodiscard]] static bool can_be_added(StatusCode code) noexcept {
    return code == StatusCode::unroutable || code == StatusCode::not_found || code == StatusCode::unauthenticated ||
           code == StatusCode::permission_denied;
  }
};

/// One entry of the brokers map: a destination that messages are fired at.
struct ACTION_TRIGGERS_EXPORT BrokerConfig {
  BrokerConfig() = default;
  BrokerConfig(const BrokerConfig&) = default;
  BrokerConfig(BrokerConfig&&) = default;
  BrokerConfig& operator=(const BrokerConfig&) = default;
  BrokerConfig& operator=(BrokerConfig&&) = default;
  virtual ~BrokerConfig();

  std::string name;         ///< The key in the brokers map.
  std::string broker_type;  ///< Lower case: "kafka", "rabbitmq", "memory", or the application's own.

  /// From when the lane takes a message (microseconds after its fire) to its outcome: params.timeout_secs if given, at
  /// most settings.max_broker_timeout; without it settings.max_broker_timeout if set, else 30 s.
  std::chrono::milliseconds timeout{30'000};

  std::size_t max_queued_messages = 100'000;  ///< Counted from fire until the client library releases the message.
  std::size_t max_queued_bytes = std::size_t{64} << 20U;  ///< Of body, key, headers, content type and id.
  std::size_t max_in_flight = 0;  ///< Handed to the client library and unconfirmed at once. 0: no limit of its own.
  Overflow overflow = Overflow::reject;
  std::chrono::milliseconds max_block{0};  ///< Only with Overflow::block.
  RetryPolicy retry;
  OnDead on_dead = OnDead::skip;  ///< Of messages from an outbox.
  Durability durability = Durability::none;

  /// All settings as text, by which a reload knows what has not changed. The loader makes it. May contain credentials:
  /// compare it, never print it. Empty (in a configuration made by hand): only the same object counts as equal.
  std::string source;

  /// Of a derived destination: what the target of a trigger adds, as text, by which a reload knows its successor. The
  /// loader makes it. May contain credentials: compare it, never print it.
  std::string derived_by;

  /// Destinations with an equal broker_type and an equal, non-empty connection_key share one lane and one connection.
  /// The loader makes it from the resolved conn_details unless the type's parser has set it. May contain credentials:
  /// compare it, never print it. Empty (in a configuration made by hand): a connection of its own.
  std::string connection_key;
};

}  // namespace action_triggers
