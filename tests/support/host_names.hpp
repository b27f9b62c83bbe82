// SPDX-License-Identifier: MIT
/// Names and addresses as the tests want them: slow names, one with two addresses, a port that nobody reaches, and
/// peers that are not on this machine.
#pragma once

namespace action_triggers::tests {

/// While one exists, every getaddrinfo() of this program that begins waits until the last one is gone, whichever
/// library calls it, and then fails. Addresses are slow as well, since a library may ask for their names.
class SlowNames {
 public:
  SlowNames();
  ~SlowNames();
  SlowNames(const SlowNames&) = delete;
  SlowNames& operator=(const SlowNames&) = delete;

  /// Returns when somebody waits for a name.
  static void wait_for_a_lookup();
};

/// Its look-up waits as with SlowNames, for as long as the program runs.
inline constexpr const char* host_without_an_answer = "silent.example";

/// While one exists, every connection of this program is to 192.0.2.1, says getpeername().
class FarPeers {
 public:
  FarPeers();
  ~FarPeers();
  FarPeers(const FarPeers&) = delete;
  FarPeers& operator=(const FarPeers&) = delete;
};

/// A host with two addresses, like localhost: nobody listens on 127.0.0.2, and the other one is 127.0.0.1.
inline constexpr const char* host_with_two_addresses = "two.example";

/// While it exists, every connect() of this program to this TCP port is refused, whichever library calls it. One at a
/// time.
class ClosedPort {
 public:
  explicit ClosedPort(int port);
  ~ClosedPort();
  ClosedPort(const ClosedPort&) = delete;
  ClosedPort& operator=(const ClosedPort&) = delete;
};

}  // namespace action_triggers::tests
