// SPDX-License-Identifier: MIT
/// What the section `outbox` of a configuration says, checked.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "action_triggers/secret.hpp"

namespace action_triggers::detail {

enum class OutboxType : std::uint8_t { postgresql, sqlite };

/// Whether a process that has committed tells the relays of others, outside the application's transaction.
enum class OutboxNotify : std::uint8_t { off, after_commit };

struct OutboxConfig {
  OutboxType type = OutboxType::postgresql;

  Secret conninfo;                // postgresql: what PQconnectdb() takes
  std::string schema = "public";  // postgresql
  std::string path;               // sqlite
  std::string table = "action_triggers_outbox";
  std::int32_t shards = 1;  // sqlite: always 1

  bool relay = true;  // false: this process only writes
  std::chrono::seconds lease{10};
  std::size_t batch = 1000;  // rows a read
  std::chrono::milliseconds poll_min{20};
  std::chrono::milliseconds poll_max{1000};
  OutboxNotify notify = OutboxNotify::off;
  std::uint32_t max_attempts = 0;  // 0: no limit

  // Beside the outbox table, in the same schema.
  std::string shards_table = "action_triggers_shards";
  std::string dead_letters_table = "action_triggers_dead_letters";

  friend bool operator==(const OutboxConfig&, const OutboxConfig&) = default;
};

}  // namespace action_triggers::detail
