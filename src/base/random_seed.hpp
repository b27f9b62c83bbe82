// SPDX-License-Identifier: MIT
/// A seed for a generator of random numbers.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace action_triggers::detail {

/// From the system. Not std::random_device, which takes 20 µs on some virtual machines. Throws std::system_error.
inline std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (getentropy(&seed, sizeof seed) != 0) throw std::system_error(errno, std::generic_category(), "getentropy");
  return seed;
}

}  // namespace action_triggers::detail
