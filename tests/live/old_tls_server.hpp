// SPDX-License-Identifier: MIT
/// A server that speaks TLS 1.1 and nothing newer (openssl s_server, with its security level lowered to allow that).
#pragma once

#include <string>

namespace action_triggers::tests {

class OldTlsServer {
 public:
  OldTlsServer();  ///< Returns when a client that allows it has spoken TLS 1.1 to it. Throws if none can.
  ~OldTlsServer();
  OldTlsServer(const OldTlsServer&) = delete;
  OldTlsServer& operator=(const OldTlsServer&) = delete;

  [[nodiscard]] int port() const { return port_; }

 private:
  int port_ = 0;
  std::string pid_;
};

}  // namespace action_triggers::tests
