// SPDX-License-Identifier: MIT
#include "config/plaintext.hpp"

#include <string>

#include "config/hosts.hpp"

namespace action_triggers::detail {

bool report_plaintext(BrokerSection& section, std::string_view key, std::string_view host, std::string_view shown) {
  if (is_loopback(host)) return false;
  const std::string text = (section.conn_details.is_substituted(key) ? "***" : std::string(shown)) +
                           ": Messages and credentials go to this host in plain text; use TLS, or keep to the "
                           "loopback interface.";
  if (section.require_tls) {
    section.conn_details.problem(key, text);
  } else {
    section.conn_details.warning(key, text);
  }
  return true;
}

}  // namespace action_triggers::detail
