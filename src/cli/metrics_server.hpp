// SPDX-License-Identifier: MIT
/// What --metrics ADDRESS asks for: an HTTP server with GET /metrics and GET /healthz.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "action_triggers/stats.hpp"

namespace action_triggers::cli {

/// "9464", "127.0.0.1:9464", "[::1]:9464", ":9464" (all addresses). Without a host it is the loopback's.
struct MetricsAddress {
  std::string host;  // empty: all
  std::uint16_t port = 0;
};
/// Nothing: it is none.
std::optional<MetricsAddress> metrics_address_of(const std::string& text);

/// Serves on a thread of its own, as long as it lives.
class MetricsServer {
 public:
  /// What is served; called on the server's thread.
  using Numbers = std::function<Stats()>;

  /// Empty `address`: it does nothing. Otherwise says on standard error where it can be asked. Throws
  /// std::runtime_error if this build cannot serve, or the address cannot be used.
  MetricsServer(Numbers numbers, const std::string& address);
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

 private:
  class Daemon;
  std::unique_ptr<Daemon> daemon_;
};

}  // namespace action_triggers::cli
