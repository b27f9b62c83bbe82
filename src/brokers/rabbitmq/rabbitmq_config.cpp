// SPDX-License-Identifier: MIT
#include <array>
#include <charconv>
#include <system_error>
#include <utility>

#include "brokers/rabbitmq/amqp_limits.hpp"
#include "brokers/rabbitmq/rabbitmq_parse.hpp"
#include "brokers/rabbitmq/rabbitmq_type.hpp"
#include "config/cloudevents_fields.hpp"
#include "config/connection_key.hpp"
#include "config/field_table.hpp"
#include "config/hosts.hpp"
#include "config/section_reader.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::size_t default_max_in_flight = 1'000;

void read_port(ConfigSection& from, std::string_view key, ParsedRabbitMqConfig& config) {
  // A numeric string is as good as a number: the reference hands either to its client.
  if (const auto text = from.scalar(key)) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (text->empty() || error == std::errc::invalid_argument || end != text->data() + text->size()) {
      SectionReader::of(from).wrong_type(key, "an integer");
    } else if (error != std::errc() || number < 1 || number > 65'535) {
      from.problem(key, "The field '" + std::string(key) + "' must be between 1 and 65535, not " +
                            (from.is_substituted(key) ? "***" : *text) + ".");
    } else {
      config.port = static_cast<std::uint16_t>(number);
    }
  }
}

template <std::string RabbitMqConfig::*Member>
void read_short_field(ConfigSection& from, std::string_view key, ParsedRabbitMqConfig& config) {
  if (auto text = read_short(from, key)) config.*Member = std::move(*text);
}

void read_host(ConfigSection& from, std::string_view key, ParsedRabbitMqConfig& config) {
  auto host = from.string(key);
  if (!host) return;
  if (const std::string_view mistake = host_mistake(*host); !mistake.empty()) {
    from.problem(key, "The field '" + std::string(key) + "' " + std::string(mistake) + ".");
  } else {
    config.host = std::move(*host);
  }
}

/// A fanout exchange has no use for a routing key, so it may be empty.
void read_routing_key(ConfigSection& from, std::string_view key, ParsedRabbitMqConfig& config) {
  if (!is_empty_string(from, key)) read_short_field<&RabbitMqConfig::routing_key>(from, key, config);
}

void read_exchange(ConfigSection& from, std::string_view key, ParsedRabbitMqConfig& config) {
  if (is_empty_string(from, key)) {
    from.problem(key, "The field 'exchange' must not be empty: the default exchange is used with 'queue'.");
  } else {
    read_short_field<&RabbitMqConfig::exchange>(from, key, config);
  }
}

void read_auth_mechanism(ConfigSection& from, std::string_view key, ParsedRabbitMqConfig& config) {
  const auto text = from.string(key);
  if (!text) return;
  if (const auto mechanism = auth_mechanism_of(*text)) {
    config.auth_mechanism = *mechanism;
  } else {
    from.problem(key, "The field '" + std::string(key) + "' must be one of 'PLAIN', 'EXTERNAL'.");
  }
}

void read_connect_timeout(ConfigSection& from, std::string_view key, ParsedRabbitMqConfig& config) {
  if (auto seconds = from.number(key, 0.001, 3'600)) {
    config.connect_timeout = std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000));
  }
}

void read_hosts(ConfigSection& from, std::string_view key, ParsedRabbitMqConfig& config) {
  if (auto hosts = from.strings(key)) config.host_list = std::move(*hosts);
}

FieldTable<ParsedRabbitMqConfig> connection_fields() {
  using C = ParsedRabbitMqConfig;
  return {
      custom_field<C>(in_conn_details, "host", "str", "", "localhost", "The server.", read_host),
      custom_field<C>(in_conn_details, "hosts", "list of str", "such as `localhost:5672`", "",
                      "Several servers, `host` or `host:port`, tried in turn; instead of `host`.", read_hosts),
      custom_field<C>(in_conn_details, "port", "int", "1 to 65535", "5672, with TLS 5671",
                      "A numeric string is accepted too.", read_port),
      custom_field<C>(in_conn_details, "username", "str", "", "guest", "", read_short_field<&RabbitMqConfig::username>)
          .alias("login"),
      secret_field<C>(in_conn_details, "password", &RabbitMqConfig::password, "guest",
                      "Best as `${file:…}` or `${ENV}`."),
      custom_field<C>(in_conn_details, "virtual_host", "str", "", "/", "",
                      read_short_field<&RabbitMqConfig::virtual_host>)
          .alias("virtualhost"),
      custom_field<C>(in_conn_details, "auth_mechanism", "str", "`PLAIN` or `EXTERNAL`, in any case", "PLAIN",
                      "EXTERNAL: the user is the one that the client's certificate names.", read_auth_mechanism),
      text_field<C>(in_conn_details, "url", &ParsedRabbitMqConfig::url, "",
                    "`amqp://user:password@host:port/vhost`, or `amqps://`; instead of the keys above."),
      custom_field<C>(in_conn_details, "ssl_options", "dict", "", "", "The keys below. Switches TLS on.", read_tls),
      custom_field<C>(
          in_conn_details, "ssl", "bool or dict", "", "false",
          "TLS 1.2 or newer, always verified; true uses the system's certificates, a dict is `ssl_options`.", read_tls),
      integer_field<C>(in_conn_details, "heartbeat", &RabbitMqConfig::heartbeat, 0, 3'600, "30",
                       "Seconds; 0 switches heartbeats off."),
      custom_field<C>(in_conn_details, "connect_timeout", "float", "0.001 to 3600", "10",
                      "Seconds for one host: name, TCP, TLS and login in all.", read_connect_timeout)
          .alias("timeout"),
      text_field<C>(in_conn_details, "connection_name", &RabbitMqConfig::connection_name, "the program's name",
                    "What the server's tools show."),
  };
}

FieldTable<ParsedRabbitMqConfig> destination_fields() {
  using C = ParsedRabbitMqConfig;
  return {
      custom_field<C>(in_params, "queue", "str", "such as `orders`", "",
                      "Through the default exchange; required without `exchange`.",
                      read_short_field<&RabbitMqConfig::queue>),
      custom_field<C>(in_params, "exchange", "str", "", "",
                      "Instead of `queue`; must exist, unless `declare` makes it.", read_exchange),
      custom_field<C>(in_params, "routing_key", "str", "may be empty", "", "Required with `exchange`.",
                      read_routing_key),
      flag_field<C>(in_params, "key_as_routing_key", &RabbitMqConfig::key_as_routing_key, "false",
                    "Message.key, where not empty, overrides `routing_key`; with `exchange` only."),
      custom_field<C>(in_params, "declare", "bool or dict", "", "false",
                      "Declares the queue, or the exchange and queues bound to it: [below](#what-is-declared).",
                      read_declare),
      flag_field<C>(in_params, "mandatory", &RabbitMqConfig::mandatory, "true",
                    "Messages that reach no queue come back as `unroutable`; false lets them vanish."),
      flag_field<C>(in_params, "persistent", &RabbitMqConfig::persistent, "true",
                    "Messages survive a restart of the broker in a durable queue."),
      custom_field<C>(in_params, "content_type", "str", "", "", "For messages that bring none.",
                      read_short_field<&RabbitMqConfig::content_type>),
      integer_field<C>(in_params, "expiration_ms", &RabbitMqConfig::expiration, 0, 31'536'000'000, "",
                       "How long the broker keeps a message that brings no expiration of its own."),
      integer_field<C>(in_params, "priority", &RabbitMqConfig::priority, 0, 255, "",
                       "For messages that bring none; needs a queue with x-max-priority."),
  };
}

const FieldTable<ParsedRabbitMqConfig>& fields() {
  static const FieldTable<ParsedRabbitMqConfig> table = [] {
    FieldTable<ParsedRabbitMqConfig> all = connection_fields();
    for (auto& field : destination_fields()) all.push_back(std::move(field));
    return all;
  }();
  return table;
}

void collect_hosts(ConfigSection& conn, ParsedRabbitMqConfig& config) {
  if (!config.url.empty()) return read_url(conn, config);
  const std::uint16_t port = config.port.value_or(config.tls ? amqps_port : amqp_port);
  if (config.host_list.empty()) {
    config.hosts = {{config.host, port}};
    return;
  }
  if (conn.has("host")) conn.problem("host", "Give 'host' or 'hosts', not both.");
  for (const std::string& text : config.host_list) {
    if (const auto host = parse_host_port(text, port)) {
      config.hosts.push_back(*host);
    } else {
      conn.problem("hosts", conn.quoted("hosts", text) + " is not host or host:port.");
    }
  }
}

/// What other programs give beside the name of a queue or an exchange.
void refuse_properties(ConfigSection& params) {
  constexpr std::array<std::pair<const char*, const char*>, 10> properties{{{"durable", "durable"},
                                                                            {"auto_delete", "auto_delete"},
                                                                            {"exclusive", "exclusive"},
                                                                            {"arguments", "arguments"},
                                                                            {"queue_arguments", "arguments"},
                                                                            {"type", "type"},
                                                                            {"exchange_type", "type"},
                                                                            {"queue_type", "type"},
                                                                            {"queues", "queues"},
                                                                            {"bindings", "queues"}}};
  for (const auto& [key, name] : properties) {
    if (!has_misplaced(params, key)) continue;
    params.problem(key, "The field '" + std::string(key) + "' stands in 'declare', as '" + name + "'.");
  }
}

void check_destination(ConfigSection& params, const ParsedRabbitMqConfig& config) {
  refuse_properties(params);
  const bool has_queue = params.has("queue");
  const bool has_exchange = params.has("exchange");
  if (!has_queue && !has_exchange) {
    params.missing("queue", "Or give 'exchange' and 'routing_key'.");
  }
  if (has_queue && has_exchange) {
    params.problem("exchange",
                   "Give 'queue' or 'exchange', not both: a queue is reached through the default exchange.");
  } else if (has_exchange && !params.has("routing_key") && !config.key_as_routing_key &&
             !SectionReader::of(params).is_unresolved("key_as_routing_key")) {
    params.missing("routing_key");
  } else if (has_queue) {
    for (const char* key : {"routing_key", "key_as_routing_key"}) {
      if (params.has(key)) params.problem(key, "The field '" + std::string(key) + "' goes with 'exchange' only.");
    }
  }
  if (!config.mandatory) {
    params.warning("mandatory", "Messages that reach no queue are lost, and reported ok.");
  }
}

/// Configurations with equal keys share a connection.
std::string connection_key(const RabbitMqConfig& config) {
  ConnectionKey key;
  for (const HostPort& host : config.hosts) key.add(host.host + ":" + std::to_string(host.port));
  key.add(config.auth_mechanism == RabbitMqAuthMechanism::external ? "EXTERNAL" : "PLAIN");
  key.add(config.username).add(config.password.reveal()).add(config.virtual_host).add(config.connection_name);
  key.add(std::to_string(config.heartbeat.count())).add(std::to_string(config.connect_timeout.count()));
  if (config.tls) key.add("tls").add(config.tls->ca_file).add(config.tls->cert_file).add(config.tls->key_file);
  return key.text();
}

}  // namespace

bool has_misplaced(ConfigSection& section, std::string_view key) {
  return SectionReader::of(section).find(key) != nullptr && section.has(key);
}

bool is_flag(ConfigSection& section, std::string_view key) {
  const Node* const value = SectionReader::of(section).find(key);
  return section.is_boolean(key) || (value != nullptr && value->is(Node::Kind::string) && value->substituted);
}

bool is_empty_string(ConfigSection& section, std::string_view key) {
  const Node* value = SectionReader::of(section).look_up(key);
  return value != nullptr && value->is(Node::Kind::string) && value->string.empty();
}

std::optional<std::string> read_short(ConfigSection& from, std::string_view key) {
  auto text = from.string(key);
  if (!text || text->size() <= amqp_short_string_limit) return text;
  from.problem(key,
               "The field '" + std::string(key) + "' has " + std::to_string(text->size()) + " bytes; AMQP allows 255.");
  return std::nullopt;
}

std::vector<const FieldInfo*> rabbitmq_fields() {
  static const std::vector<FieldInfo> of_tls = tls_fields();
  static const std::vector<FieldInfo> of_declare = declare_fields();
  std::vector<const FieldInfo*> all = infos(fields());
  for (const FieldInfo& field : of_tls) all.push_back(&field);
  for (const FieldInfo& field : of_declare) all.push_back(&field);
  for (const FieldInfo* field : cloudevents_fields()) all.push_back(field);
  return all;
}

std::unique_ptr<BrokerConfig> parse_rabbitmq(BrokerSection& section) {
  ParsedRabbitMqConfig parsed;
  parsed.max_in_flight = default_max_in_flight;
  for (const char* unsafe : {"no_verify_ssl", "verify_ssl"}) {
    if (!section.conn_details.has(unsafe)) continue;
    section.conn_details.problem(unsafe, "Certificates and host names are always verified.");
  }
  read_fields(fields(), section, parsed);
  collect_hosts(section.conn_details, parsed);
  check_login(section.conn_details, parsed);
  check_destination(section.params, parsed);
  read_cloudevents(section.params, "ce-", parsed.content_type, parsed);  // as Knative and CloudEvents' SDKs have it
  const SectionReader& conn = SectionReader::of(section.conn_details);
  if (!parsed.tls && !conn.is_unresolved("ssl") && !conn.is_unresolved("ssl_options")) {
    const char* key = !parsed.url.empty() ? "url" : parsed.host_list.empty() ? "host" : "hosts";
    for (const HostPort& host : parsed.hosts) {
      if (section.report_plaintext(key, host.host)) break;  // once is enough
    }
  }
  parsed.connection_key = connection_key(parsed);
  return std::make_unique<RabbitMqConfig>(static_cast<const RabbitMqConfig&>(parsed));
}

}  // namespace action_triggers::detail
