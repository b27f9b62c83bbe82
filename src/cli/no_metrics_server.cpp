// SPDX-License-Identifier: MIT
// In a build without libmicrohttpd.
#include <stdexcept>

#include "cli/metrics_server.hpp"

namespace action_triggers::cli {

class MetricsServer::Daemon {};

MetricsServer::MetricsServer(Numbers /*numbers*/, const std::string& address) {
  if (address.empty()) return;
  throw std::runtime_error(
      "--metrics: this action-triggers was built without libmicrohttpd; install libmicrohttpd-dev and build it anew");
}

MetricsServer::~MetricsServer() = default;

}  // namespace action_triggers::cli
