// SPDX-License-Identifier: MIT
// What a user is told who connects to another machine without TLS.
#include <string>

#include "action_triggers/config_section.hpp"
#include "config/hosts.hpp"

namespace action_triggers {

bool BrokerSection::report_plaintext(std::string_view key, std::string_view host, std::string_view shown) {
  if (host.empty() || detail::is_loopback(host)) return false;  // empty: a problem of its own
  const std::string text =
      (conn_details.is_substituted(key) ? "***" : std::string(shown.empty() ? host : shown)) +
      ": Messages and credentials go to this host in plain text; use TLS, or keep to the loopback interface.";
  if (require_tls) {
    conn_details.problem(key, text);
  } else {
    conn_details.warning(key, text);
  }
  return true;
}

}  // namespace action_triggers
