// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>
#include <utility>

#include "action_triggers/rabbitmq.hpp"
#include "brokers/rabbitmq/amqp_limits.hpp"
#include "brokers/rabbitmq/rabbitmq_type.hpp"
#include "config/connection_key.hpp"
#include "config/field_table.hpp"
#include "config/hosts.hpp"
#include "config/plaintext.hpp"
#include "config/section_reader.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::uint16_t plain_port = 5672;
constexpr std::uint16_t tls_port = 5671;
constexpr std::size_t default_max_in_flight = 1'000;

/// The keys of the file that become something else in RabbitMqConfig: its hosts.
struct ParsedConfig : RabbitMqConfig {
  std::string host = "localhost";
  std::vector<std::string> host_list;
  std::optional<std::uint16_t> port;
  std::string url;
};

void read_port(ConfigSection& from, std::string_view key, ParsedConfig& config) {
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

void read_short_text(ConfigSection& from, std::string_view key, std::string& to) {
  if (auto text = from.string(key)) {
    if (text->size() > amqp_short_string_limit) {
      from.problem(
          key, "The field '" + std::string(key) + "' has " + std::to_string(text->size()) + " bytes; AMQP allows 255.");
    } else {
      to = std::move(*text);
    }
  }
}

template <std::string RabbitMqConfig::*Member>
void read_short(ConfigSection& from, std::string_view key, ParsedConfig& config) {
  read_short_text(from, key, config.*Member);
}

bool is_object(ConfigSection& section, std::string_view key) {
  const Node* value = SectionReader::of(section).find(key);
  return value != nullptr && value->is(Node::Kind::object);
}

bool is_empty_string(ConfigSection& section, std::string_view key) {
  const Node* value = SectionReader::of(section).look_up(key);
  return value != nullptr && value->is(Node::Kind::string) && value->string.empty();
}

void read_host(ConfigSection& from, std::string_view key, ParsedConfig& config) {
  auto host = from.string(key);
  if (!host) return;
  if (const std::string_view mistake = host_mistake(*host); !mistake.empty()) {
    from.problem(key, "The field '" + std::string(key) + "' " + std::string(mistake) + ".");
  } else {
    config.host = std::move(*host);
  }
}

/// A fanout exchange has no use for a routing key, so it may be empty.
void read_routing_key(ConfigSection& from, std::string_view key, ParsedConfig& config) {
  if (!is_empty_string(from, key)) read_short_text(from, key, config.routing_key);
}

void read_exchange(ConfigSection& from, std::string_view key, ParsedConfig& config) {
  if (is_empty_string(from, key)) {
    from.problem(key, "The field 'exchange' must not be empty: the default exchange is used with 'queue'.");
  } else {
    read_short_text(from, key, config.exchange);
  }
}

void refuse_unverified(ConfigSection& section, std::string_view key, std::string_view text) {
  if (section.has(key)) section.problem(key, std::string(text));
}

void read_tls(ConfigSection& from, std::string_view key, ParsedConfig& config) {
  if (key == "ssl" && from.is_boolean(key)) {
    if (from.boolean(key).value_or(false)) {
      if (!config.tls) config.tls.emplace();
    } else if (config.tls) {
      from.problem(key, "The field 'ssl' is false, but 'ssl_options' is given.");
    }
    return;
  }
  if (key == "ssl" && !is_object(from, key)) {
    SectionReader::of(from).wrong_type(key, "true, false or an object");
    return;
  }
  TlsConfig tls = config.tls.value_or(TlsConfig());
  ConfigSection options = from.object(key);
  const auto file = [&](const char* name, const char* alias, std::string& to) {
    for (const char* spelling : {name, alias}) {
      if (auto path = options.string(spelling)) to = std::move(*path);
    }
  };
  file("ca_file", "cafile", tls.ca_file);
  file("cert_file", "certfile", tls.cert_file);
  file("key_file", "keyfile", tls.key_file);
  for (const char* unsafe : {"verify", "verify_peer", "verify_hostname", "no_verify_ssl", "cert_reqs"}) {
    refuse_unverified(options, unsafe,
                      "Certificates and host names are always verified; name a private CA in 'ca_file' instead.");
  }
  if (tls.cert_file.empty() != tls.key_file.empty()) {
    options.problem(tls.cert_file.empty() ? "key_file" : "cert_file",
                    "A client certificate needs both 'cert_file' and 'key_file'.");
  }
  config.tls = std::move(tls);
}

/// What the server wants of an argument that it knows: "integer", "string" or "boolean"; empty: it knows it not.
std::string_view argument_type(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 18> types{
      {{"x-dead-letter-exchange", "string"},
       {"x-dead-letter-routing-key", "string"},
       {"x-dead-letter-strategy", "string"},
       {"x-delivery-limit", "integer"},
       {"x-expires", "integer"},
       {"x-max-age", "string"},
       {"x-max-length", "integer"},
       {"x-max-length-bytes", "integer"},
       {"x-max-priority", "integer"},
       {"x-message-ttl", "integer"},
       {"x-overflow", "string"},
       {"x-queue-leader-locator", "string"},
       {"x-queue-master-locator", "string"},
       {"x-queue-mode", "string"},
       {"x-queue-type", "string"},
       {"x-quorum-initial-group-size", "integer"},
       {"x-single-active-consumer", "boolean"},
       {"x-stream-max-segment-size-bytes", "integer"}}};
  const auto* const found =
      std::find_if(types.begin(), types.end(), [&](const auto& type) { return type.first == name; });
  return found == types.end() ? std::string_view() : found->second;
}

void read_argument(ConfigSection& arguments, const std::string& name, std::string_view type,
                   QueueDeclaration& declare) {
  if (type == "integer") {
    if (auto number = arguments.integer(name)) declare.integer_arguments[name] = *number;
  } else if (type == "boolean") {
    if (auto flag = arguments.boolean(name)) declare.boolean_arguments[name] = *flag;
  } else if (is_empty_string(arguments, name)) {  // such as the default exchange
    declare.string_arguments[name] = "";
  } else if (auto text = arguments.string(name)) {
    if (name == "x-queue-type" && !declare.queue_type.empty() && declare.queue_type != *text) {
      arguments.problem(name, "The argument 'x-queue-type' differs from 'type'; give one of them.");
    }
    declare.string_arguments[name] = std::move(*text);
  }
}

void read_declare(ConfigSection& from, std::string_view key, ParsedConfig& config) {
  if (from.is_boolean(key)) {
    if (from.boolean(key).value_or(false)) config.declare.emplace();
    return;
  }
  if (!is_object(from, key)) {
    SectionReader::of(from).wrong_type(key, "true, false or an object");
    return;
  }
  QueueDeclaration declare;
  ConfigSection object = from.object(key);
  declare.durable = object.boolean("durable").value_or(true);
  declare.queue_type = read_choice(object, "type", {"classic", "quorum", "stream"}).value_or("");
  if (!declare.durable && (declare.queue_type == "quorum" || declare.queue_type == "stream")) {
    object.problem("durable", "A " + declare.queue_type + " queue is always durable.");
  }
  ConfigSection arguments = object.object("arguments");
  constexpr std::size_t around_argument = 13;  // the lengths of name and value, and the value's type; or a number
  std::size_t bytes = 1'024;                   // of the queue's name and the rest of the method
  for (const std::string& name : arguments.keys()) {
    bytes += name.size() + around_argument;
    if (name.empty() || name.size() > amqp_short_string_limit) {
      arguments.problem(name, "The name of an argument has 1 to 255 bytes.");
    } else if (const std::string_view type = argument_type(name); !type.empty()) {
      read_argument(arguments, name, type, declare);
    } else if (arguments.is_boolean(name)) {
      if (auto flag = arguments.boolean(name)) declare.boolean_arguments[name] = *flag;
    } else if (arguments.is_integer(name)) {
      if (auto number = arguments.integer(name)) declare.integer_arguments[name] = *number;
    } else if (auto text = arguments.string(name)) {
      bytes += text->size();
      declare.string_arguments[name] = std::move(*text);
    }
  }
  if (bytes > amqp_frame_max) {
    object.problem("arguments", "The field 'arguments' has about " + std::to_string(bytes) +
                                    " bytes; it must fit one frame of " + std::to_string(amqp_frame_max) + ".");
  }
  config.declare = std::move(declare);
}

void read_connect_timeout(ConfigSection& from, std::string_view key, ParsedConfig& config) {
  if (auto seconds = from.number(key, 0.001, 3'600)) {
    config.connect_timeout = std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000));
  }
}

void read_hosts(ConfigSection& from, std::string_view key, ParsedConfig& config) {
  if (auto hosts = from.strings(key)) config.host_list = std::move(*hosts);
}

FieldTable<ParsedConfig> connection_fields() {
  using C = ParsedConfig;
  return {
      custom_field<C>(in_conn_details, "host", "str", "", "localhost", "The server.", read_host),
      custom_field<C>(in_conn_details, "hosts", "list of str", "`host` or `host:port`", "",
                      "Several servers, tried in turn; instead of `host`.", read_hosts),
      custom_field<C>(in_conn_details, "port", "int", "1 to 65535", "5672, with TLS 5671",
                      "A numeric string is accepted too.", read_port),
      custom_field<C>(in_conn_details, "username", "str", "", "guest", "", read_short<&RabbitMqConfig::username>)
          .alias("login"),
      secret_field<C>(in_conn_details, "password", &RabbitMqConfig::password, "guest",
                      "Best as `${file:…}` or `${ENV}`."),
      custom_field<C>(in_conn_details, "virtual_host", "str", "", "/", "", read_short<&RabbitMqConfig::virtual_host>)
          .alias("virtualhost"),
      text_field<C>(in_conn_details, "url", &ParsedConfig::url, "",
                    "`amqp://user:password@host:port/vhost`, or `amqps://`; instead of the keys above."),
      custom_field<C>(in_conn_details, "ssl_options", "dict", "", "",
                      "`ca_file`, `cert_file`, `key_file`: PEM files. Switches TLS on.", read_tls),
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

FieldTable<ParsedConfig> destination_fields() {
  using C = ParsedConfig;
  return {
      custom_field<C>(in_params, "queue", "str", "", "", "Through the default exchange; required without `exchange`.",
                      read_short<&RabbitMqConfig::queue>),
      custom_field<C>(in_params, "exchange", "str", "", "", "Instead of `queue`; must exist.", read_exchange),
      custom_field<C>(in_params, "routing_key", "str", "", "", "Required with `exchange`.", read_routing_key),
      flag_field<C>(in_params, "key_as_routing_key", &RabbitMqConfig::key_as_routing_key, "false",
                    "Message.key, where not empty, overrides `routing_key`; with `exchange` only."),
      custom_field<C>(in_params, "declare", "bool or dict", "", "false",
                      "Declares the queue on every connection: `durable` (true), `type` (classic, quorum, stream), "
                      "`arguments`. Without it a missing queue is `unroutable`.",
                      read_declare),
      flag_field<C>(in_params, "mandatory", &RabbitMqConfig::mandatory, "true",
                    "Messages that reach no queue come back as `unroutable`; false lets them vanish."),
      flag_field<C>(in_params, "persistent", &RabbitMqConfig::persistent, "true",
                    "Messages survive a restart of the broker in a durable queue."),
      custom_field<C>(in_params, "content_type", "str", "", "", "For messages that bring none.",
                      read_short<&RabbitMqConfig::content_type>),
      integer_field<C>(in_params, "expiration_ms", &RabbitMqConfig::expiration, 0, 31'536'000'000, "",
                       "How long the broker keeps a message that brings no expiration of its own."),
      integer_field<C>(in_params, "priority", &RabbitMqConfig::priority, 0, 255, "",
                       "For messages that bring none; needs a queue with x-max-priority."),
  };
}

const FieldTable<ParsedConfig>& fields() {
  static const FieldTable<ParsedConfig> table = [] {
    FieldTable<ParsedConfig> all = connection_fields();
    for (auto& field : destination_fields()) all.push_back(std::move(field));
    return all;
  }();
  return table;
}

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

/// https://www.rabbitmq.com/docs/uri-spec, except that an empty path is the virtual host "/", as other clients have it.
/// Returns what is wrong, as the end of a sentence that shows nothing of the URL: it may hold a password.
std::string_view read_url(ParsedConfig& config) {
  std::string_view rest = config.url;
  if (rest.starts_with("amqps://")) {
    if (!config.tls) config.tls.emplace();
    rest.remove_prefix(8);
  } else if (rest.starts_with("amqp://")) {
    rest.remove_prefix(7);
  } else {
    return "must begin with amqp:// or amqps://";
  }
  if (rest.find_first_of("?#") != std::string_view::npos) {
    return "must not have a '?' or '#'; in a name or password they are written %3F and %23";
  }
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
    const std::string_view user_info = rest.substr(0, at);
    const std::size_t colon = user_info.find(':');
    const auto user = percent_decoded(user_info.substr(0, colon));
    const auto password =
        percent_decoded(colon == std::string_view::npos ? std::string_view() : user_info.substr(colon + 1));
    if (!user || !password) return "has a user or password with a '%' that begins no %-encoding; it is written %25";
    config.username = *user;
    if (colon != std::string_view::npos) config.password = Secret(*password);
    rest = rest.substr(at + 1);
  }
  const auto host = parse_host_port(rest, config.tls ? tls_port : plain_port);
  if (!host) return "has no host or no port from 1 to 65535 where they belong";
  config.hosts = {*host};
  return {};
}

void collect_hosts(ConfigSection& conn, ParsedConfig& config) {
  if (!config.url.empty()) {
    for (const char* key : {"host", "hosts", "port", "username", "login", "password", "virtual_host", "virtualhost"}) {
      if (conn.has(key)) conn.problem(key, "The field '" + std::string(key) + "' is part of 'url'; give one of them.");
    }
    if (const std::string_view mistake = read_url(config); !mistake.empty()) {
      conn.problem("url", "The field 'url' " + std::string(mistake) + ".",
                   "It is amqp://user:password@host:port/vhost (or amqps://), %-encoded.");
    }
    return;
  }
  const std::uint16_t port = config.port.value_or(config.tls ? tls_port : plain_port);
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

void check_destination(ConfigSection& params, const ParsedConfig& config) {
  const bool has_queue = params.has("queue");
  const bool has_exchange = params.has("exchange");
  if (!has_queue && !has_exchange) {
    params.problem("queue", "The field 'queue' must be provided.", "Or give 'exchange' and 'routing_key'.");
  }
  if (has_queue && has_exchange) {
    params.problem("exchange",
                   "Give 'queue' or 'exchange', not both: a queue is reached through the default exchange.");
  } else if (has_exchange && !params.has("routing_key") && !config.key_as_routing_key) {
    params.problem("routing_key", "The field 'routing_key' must be provided.");
  } else if (has_queue) {
    for (const char* key : {"routing_key", "key_as_routing_key"}) {
      if (params.has(key)) params.problem(key, "The field '" + std::string(key) + "' goes with 'exchange' only.");
    }
  }
  if (config.declare && !has_queue) params.problem("declare", "The field 'declare' goes with 'queue' only.");
  if (!config.mandatory) {
    params.warning("mandatory", "Messages that reach no queue are lost, and reported ok.");
  }
}

/// Configurations with equal keys share a connection.
std::string connection_key(const RabbitMqConfig& config) {
  ConnectionKey key;
  for (const HostPort& host : config.hosts) key.add(host.host + ":" + std::to_string(host.port));
  key.add(config.username).add(config.password.reveal()).add(config.virtual_host).add(config.connection_name);
  key.add(std::to_string(config.heartbeat.count())).add(std::to_string(config.connect_timeout.count()));
  if (config.tls) key.add("tls").add(config.tls->ca_file).add(config.tls->cert_file).add(config.tls->key_file);
  return key.text();
}

}  // namespace

std::vector<const FieldInfo*> rabbitmq_fields() { return infos(fields()); }

std::unique_ptr<BrokerConfig> parse_rabbitmq(BrokerSection& section) {
  ParsedConfig parsed;
  parsed.max_in_flight = default_max_in_flight;
  for (const char* unsafe : {"no_verify_ssl", "verify_ssl"}) {
    refuse_unverified(section.conn_details, unsafe, "Certificates and host names are always verified.");
  }
  read_fields(fields(), section, parsed);
  collect_hosts(section.conn_details, parsed);
  check_destination(section.params, parsed);
  if (!parsed.tls) {
    const char* key = !parsed.url.empty() ? "url" : parsed.host_list.empty() ? "host" : "hosts";
    for (const HostPort& host : parsed.hosts) {
      if (report_plaintext(section, key, host.host, host.host)) break;  // once is enough
    }
  }
  parsed.connection_key = connection_key(parsed);
  return std::make_unique<RabbitMqConfig>(static_cast<const RabbitMqConfig&>(parsed));
}

}  // namespace action_triggers::detail
