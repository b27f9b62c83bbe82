// SPDX-License-Identifier: MIT
// conn_details.url: https://www.rabbitmq.com/docs/uri-spec and https://www.rabbitmq.com/docs/uri-query-parameters,
// except that an empty path is the virtual host "/", as other clients have it.
//
// What is wrong is the end of a sentence that shows nothing of the URL but the name of a parameter: it may hold a
// password.
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <set>
#include <system_error>
#include <utility>

#include "base/text.hpp"
#include "brokers/rabbitmq/rabbitmq_parse.hpp"
#include "config/hosts.hpp"
#include "config/section_reader.hpp"

namespace action_triggers::detail {
namespace {

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    unsigned value = 0;
    const std::string_view digits = text.substr(std::min(i + 1, text.size()), 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2 || value == 0) return std::nullopt;
    result += static_cast<char>(value);
    i += 2;
  }
  return result;
}

std::optional<std::int64_t> integer_in(const std::string& text, std::int64_t min, std::int64_t max) {
  const auto number = parse_number<std::int64_t>(text);
  return number && *number >= min && *number <= max ? number : std::nullopt;
}

// The query. Each parameter is read by a function that returns what is wrong.

std::string read_heartbeat(const std::string& value, ParsedRabbitMqConfig& config) {
  const auto seconds = integer_in(value, 0, 3'600);
  if (!seconds) return "has a 'heartbeat' that is no number of seconds from 0 to 3600";
  config.heartbeat = std::chrono::seconds(*seconds);
  return {};
}

std::string read_connection_timeout(const std::string& value, ParsedRabbitMqConfig& config) {
  const auto milliseconds = integer_in(value, 1, 3'600'000);
  if (!milliseconds) return "has a 'connection_timeout' that is no number of milliseconds from 1 to 3600000";
  config.connect_timeout = std::chrono::milliseconds(*milliseconds);
  return {};
}

std::string read_auth_mechanism(const std::string& value, ParsedRabbitMqConfig& config) {
  const auto mechanism = auth_mechanism_of(value);
  if (!mechanism) return "has an 'auth_mechanism' that is neither plain nor external";
  config.auth_mechanism = *mechanism;
  return {};
}

template <std::string RabbitMqTls::*File>
std::string read_file_name(const std::string& value, ParsedRabbitMqConfig& config) {
  (*config.tls).*File = value;
  return {};
}

std::string read_verify(const std::string& value, ParsedRabbitMqConfig& /*config*/) {
  if (value == "verify_peer") return {};
  return "has a 'verify' that is not verify_peer: certificates and host names are always verified";
}

std::string read_server_name(const std::string& value, ParsedRabbitMqConfig& config) {
  if (value == config.hosts.front().host) return {};
  return "has a 'server_name_indication' that is not its host: the certificate must be for the host";
}

struct Parameter {
  std::string_view name;
  bool needs_tls;
  std::string (*read)(const std::string& value, ParsedRabbitMqConfig& config);
  std::array<const char*, 2> fields;  // of conn_details, that mean the same
};

constexpr std::array<Parameter, 8> parameters{{
    {"auth_mechanism", false, read_auth_mechanism, {"auth_mechanism", nullptr}},
    {"cacertfile", true, read_file_name<&RabbitMqTls::ca_file>, {"ssl", "ssl_options"}},
    {"certfile", true, read_file_name<&RabbitMqTls::cert_file>, {"ssl", "ssl_options"}},
    {"connection_timeout", false, read_connection_timeout, {"connect_timeout", "timeout"}},
    {"heartbeat", false, read_heartbeat, {"heartbeat", nullptr}},
    {"keyfile", true, read_file_name<&RabbitMqTls::key_file>, {"ssl", "ssl_options"}},
    {"server_name_indication", true, read_server_name, {nullptr, nullptr}},
    {"verify", true, read_verify, {nullptr, nullptr}},
}};

std::string unknown_parameter(const ConfigSection& conn, std::string_view name) {
  std::string text = conn.is_substituted("url") ? "has a parameter that is not known here"
                                                : "has the parameter '" + std::string(name) + "', not known here";
  std::string known;
  for (const Parameter& parameter : parameters) {
    known += (known.empty() ? "" : parameter.name == "verify" ? " and " : ", ") + std::string(parameter.name);
  }
  return text + "; known are " + known;
}

std::string read_parameter(const ConfigSection& conn, std::string_view text, std::set<std::string_view>& seen,
                           ParsedRabbitMqConfig& config) {
  const std::size_t equals = std::min(text.find('='), text.size());
  const std::string_view name = text.substr(0, equals);
  const auto* const found = std::find_if(parameters.begin(), parameters.end(),
                                         [&](const Parameter& parameter) { return parameter.name == name; });
  if (found == parameters.end()) return unknown_parameter(conn, name);
  const std::string quoted = "'" + std::string(name) + "'";
  if (!seen.insert(found->name).second) return "has " + quoted + " twice";
  if (found->needs_tls && !config.tls) return "has " + quoted + ", which goes with amqps:// only";
  const auto value = percent_decoded(equals == text.size() ? std::string_view() : text.substr(equals + 1));
  if (!value) return "has a '%' in " + quoted + " that begins no %-encoding; it is written %25";
  if (value->empty()) return "has " + quoted + " without a value";
  return found->read(*value, config);
}

/// Every field that a parameter means too, and that is given beside the URL.
void report_given_twice(ConfigSection& conn, const std::set<std::string_view>& seen) {
  std::set<std::string_view> given;
  for (const Parameter& parameter : parameters) {
    if (!seen.contains(parameter.name)) continue;
    for (const char* field : parameter.fields) {
      if (field == nullptr || !conn.has(field) || !given.insert(field).second) continue;
      conn.problem(field, "The field '" + std::string(field) + "' is part of 'url'; give one of them.");
    }
  }
}

std::string read_query(ConfigSection& conn, std::string_view query, ParsedRabbitMqConfig& config) {
  std::set<std::string_view> seen;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    if (std::string mistake = read_parameter(conn, query.substr(0, end), seen, config); !mistake.empty()) {
      return mistake;
    }
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  report_given_twice(conn, seen);
  if (seen.contains("certfile") != seen.contains("keyfile")) {
    return "has one of 'certfile' and 'keyfile'; a client certificate needs both";
  }
  if (config.tls && (seen.contains("cacertfile") || seen.contains("certfile"))) {
    check_tls_files(conn, {.ca_file = "url", .cert_file = "url", .key_file = "url"}, *config.tls);
  }
  return {};
}

// What stands before it

std::string read_user(std::string_view user_info, ParsedRabbitMqConfig& config) {
  const std::size_t colon = user_info.find(':');
  const auto user = percent_decoded(user_info.substr(0, colon));
  const auto password =
      percent_decoded(colon == std::string_view::npos ? std::string_view() : user_info.substr(colon + 1));
  if (!user || !password) return "has a user or password with a '%' that begins no %-encoding; it is written %25";
  config.username = *user;
  if (colon != std::string_view::npos) config.password = Secret(*password);
  return {};
}

/// `rest`: what follows the scheme, without the query.
std::string read_authority_and_path(std::string_view rest, ParsedRabbitMqConfig& config) {
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::size_t at = rest.find('@');
  // Whatever stands before the last '@' is meant as user and password, so it must not be taken for a host.
  if (at != std::string_view::npos && (slash < rest.rfind('@') || at != rest.rfind('@'))) {
    return "has an '@' or '/' in its user, password or virtual host; they are written %40 and %2F";
  }
  if (slash < rest.size()) {
    const auto path = percent_decoded(rest.substr(slash + 1));
    if (!path) return "has a virtual host with a '%' that begins no %-encoding; it is written %25";
    if (!path->empty()) config.virtual_host = *path;
    rest = rest.substr(0, slash);
  }
  if (at != std::string_view::npos) {
    if (std::string mistake = read_user(rest.substr(0, at), config); !mistake.empty()) return mistake;
    rest = rest.substr(at + 1);
  }
  const auto host = parse_host_port(rest, config.tls ? amqps_port : amqp_port);
  if (!host) return "has no host or no port from 1 to 65535 where they belong";
  config.hosts = {*host};
  return {};
}

std::string read_parts(ConfigSection& conn, ParsedRabbitMqConfig& config) {
  std::string_view rest = config.url;
  if (rest.starts_with("amqps://")) {
    if (!config.tls) config.tls = RabbitMqTls();
    rest.remove_prefix(8);
  } else if (rest.starts_with("amqp://")) {
    rest.remove_prefix(7);
  } else {
    return "must begin with amqp:// or amqps://";
  }
  const std::size_t question = std::min(rest.find('?'), rest.size());
  if (rest.find('#') != std::string_view::npos || rest.find('@', question) != std::string_view::npos) {
    return "has a '?' or '#' where it cannot be; in a name or password they are written %3F and %23";
  }
  const bool has_user = rest.substr(0, question).find('@') != std::string_view::npos;
  if (std::string mistake = read_authority_and_path(rest.substr(0, question), config); !mistake.empty()) return mistake;
  if (question < rest.size()) {
    if (std::string mistake = read_query(conn, rest.substr(question + 1), config); !mistake.empty()) return mistake;
  }
  if (has_user && config.auth_mechanism == RabbitMqAuthMechanism::external) {
    return "has a user, but with EXTERNAL the user is the one that the certificate names";
  }
  return {};
}

}  // namespace

void read_url(ConfigSection& conn, ParsedRabbitMqConfig& config) {
  SectionReader::of(conn).check_secret("url");
  for (const char* key : {"host", "hosts", "port", "username", "login", "password", "virtual_host", "virtualhost"}) {
    if (conn.has(key)) conn.problem(key, "The field '" + std::string(key) + "' is part of 'url'; give one of them.");
  }
  if (const std::string mistake = read_parts(conn, config); !mistake.empty()) {
    conn.problem("url", "The field 'url' " + mistake + ".",
                 "It is amqp://user:password@host:port/vhost (or amqps://), %-encoded.");
  }
}

}  // namespace action_triggers::detail
