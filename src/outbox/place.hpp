// SPDX-License-Identifier: MIT
/// Where a relay runs, for people: what `outbox status` shows of a shard's owner.
#pragma once

#include <unistd.h>

#include <array>
#include <string>

namespace action_triggers::detail {

/// "host:pid"
inline std::string place_of_this_process() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
  return std::string(host.data()) + ":" + std::to_string(::getpid());
}

}  // namespace action_triggers::detail
