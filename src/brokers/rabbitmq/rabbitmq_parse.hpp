// SPDX-License-Identifier: MIT
/// The parts of reading a RabbitMQ configuration. Each records what is wrong where it stands in the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/config_section.hpp"
#include "action_triggers/rabbitmq.hpp"

namespace action_triggers::detail {

constexpr std::uint16_t amqp_port = 5672;
constexpr std::uint16_t amqps_port = 5671;

/// The keys of the file that become something else in RabbitMqConfig: its hosts.
struct ParsedRabbitMqConfig : RabbitMqConfig {
  std::string host = "localhost";
  std::vector<std::string> host_list;
  std::optional<std::uint16_t> port;
  std::string url;
};

/// Whether the file has a key that belongs elsewhere. It becomes known, and is no answer to "what is known here?".
bool has_misplaced(ConfigSection& section, std::string_view key);

/// Whether the value is true or false, or a substitution that may be: for a field that may be an object as well.
bool is_flag(ConfigSection& section, std::string_view key);

/// Whether the value is a string without characters.
bool is_empty_string(ConfigSection& section, std::string_view key);

/// A string of at most 255 bytes, which is what AMQP allows for names; an empty one is a problem.
std::optional<std::string> read_short(ConfigSection& from, std::string_view key);

/// "PLAIN" or "EXTERNAL", in any case; nothing if it is neither.
std::optional<RabbitMqAuthMechanism> auth_mechanism_of(std::string_view text);

/// The keys in `declare`, for the reference page: those of a queue, of an exchange, and of the queues bound to it.
std::vector<FieldInfo> declare_fields();

/// `params.declare`, after `exchange` and `routing_key`.
void read_declare(ConfigSection& from, std::string_view key, ParsedRabbitMqConfig& config);

/// `conn_details.ssl` and `ssl_options`.
void read_tls(ConfigSection& from, std::string_view key, ParsedRabbitMqConfig& config);

/// The keys in `ssl_options` and in `ssl`, for the reference page.
std::vector<FieldInfo> tls_fields();

/// The keys, in one section, that name the files of a RabbitMqTls.
struct TlsFileKeys {
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
};
/// Whether the files can be read and hold what they should.
void check_tls_files(ConfigSection& section, const TlsFileKeys& keys, const RabbitMqTls& tls);

/// Takes `config.url`, which is `conn_details.url`, to pieces.
void read_url(ConfigSection& conn, ParsedRabbitMqConfig& config);

/// EXTERNAL needs a client's certificate, and has no use for a name and a password.
void check_login(ConfigSection& conn, const ParsedRabbitMqConfig& config);

}  // namespace action_triggers::detail
