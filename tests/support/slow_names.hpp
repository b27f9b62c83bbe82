// SPDX-License-Identifier: MIT
/// A name server that does not answer.
#pragma once

namespace action_triggers::tests {

/// While one exists, every getaddrinfo() of this program that begins waits until the last one is gone, whichever
/// library calls it, and then fails.
class SlowNames {
 public:
  SlowNames();
  ~SlowNames();
  SlowNames(const SlowNames&) = delete;
  SlowNames& operator=(const SlowNames&) = delete;

  /// Returns when somebody waits for a name.
  static void wait_for_a_lookup();
};

}  // namespace action_triggers::tests
