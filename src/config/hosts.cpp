// SPDX-License-Identifier: MIT
#include "config/hosts.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>
#include <string>

#include "base/text.hpp"

namespace action_triggers::detail {

std::optional<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port) {
  std::string_view host = text;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    host = text.substr(1, end - 1);
    std::string_view rest = text.substr(end + 1);
    has_port = rest.starts_with(':');
    if (has_port) {
      port = rest.substr(1);
    } else if (!rest.empty()) {
      return std::nullopt;
    }
  } else if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos) {
    if (text.find(':') != colon) return std::nullopt;  // an IPv6 address needs brackets
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    has_port = true;
  }
  if (host.empty() || host.find_first_of(" \t\r\n,/@[]") != std::string_view::npos) return std::nullopt;
  HostPort result{std::string(host), default_port};
  if (has_port) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), result.port);
    if (error != std::errc() || end != port.data() + port.size() || result.port == 0) return std::nullopt;
  }
  return result;
}

bool is_loopback(std::string_view host) {
  const std::string text = ascii_lower(host);
  if (text == "localhost") return true;
  // An address is parsed: "127.evil.example" is a name like any other.
  if (in_addr v4{}; inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24U) == IN_LOOPBACKNET;
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return false;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == IN_LOOPBACKNET);
}

std::string_view host_mistake(std::string_view host) {
  if (host.find("://") != std::string_view::npos) return "holds a URL; give the name alone";
  if (host.find('@') != std::string_view::npos) return "holds an '@'; give the name alone";
  if (host.find(',') != std::string_view::npos) return "holds a comma; several servers stand in a list";
  if (host.find_first_of(" \t\r\n") != std::string_view::npos) return "holds a blank";
  if (host.find('/') != std::string_view::npos) return "holds a '/'; give the name alone";
  if (host.find_first_of("[]") != std::string_view::npos) return "holds brackets, which go with a port only";
  in6_addr v6{};
  const std::string text(host.substr(0, host.find('%')));
  if (host.find(':') != std::string_view::npos && inet_pton(AF_INET6, text.c_str(), &v6) != 1) {
    return "holds a ':'; the port has a field of its own";
  }
  return {};
}

}  // namespace action_triggers::detail
