// SPDX-License-Identifier: MIT
#include <string_view>

#include "base/text.hpp"
#include "cli/metrics_server.hpp"

namespace action_triggers::cli {

std::optional<MetricsAddress> metrics_address_of(const std::string& text) {
  std::string_view port = text;
  std::string host = "127.0.0.1";
  if (const std::size_t colon = text.rfind(':'); colon != std::string::npos) {
    host = text.substr(0, colon);
    port.remove_prefix(colon + 1);
    const bool is_bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (is_bracketed) host = host.substr(1, host.size() - 2);
    if (!is_bracketed && host.find(':') != std::string::npos) return std::nullopt;  // IPv6 wants brackets
  }
  const auto number = detail::parse_number<std::uint16_t>(port);
  if (!number) return std::nullopt;
  return MetricsAddress{std::move(host), *number};
}

}  // namespace action_triggers::cli
