// SPDX-License-Identifier: MIT
// How a RabbitMQ connection proves who it is and whom it talks to: TLS files, and the login's mechanism.
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "brokers/rabbitmq/rabbitmq_parse.hpp"
#include "brokers/rabbitmq/tls_files.hpp"
#include "config/document.hpp"
#include "config/readable_file.hpp"
#include "config/section_reader.hpp"

namespace action_triggers::detail {
namespace {

/// A file's key, and the other spelling of it.
struct FileKey {
  const char* name;
  const char* alias;
};
constexpr FileKey ca_file{"ca_file", "cafile"};
constexpr FileKey cert_file{"cert_file", "certfile"};
constexpr FileKey key_file{"key_file", "keyfile"};

FieldInfo file_field(const std::string& object, const FileKey& key, std::string description) {
  return {.section = "conn_details",
          .key = object + "." + key.name,
          .aliases = {object + "." + key.alias},
          .type = "str",
          .default_value = {},
          .description = std::move(description),
          .required = false,
          .values = {}};
}

/// The key under which the file gives it, one of two; the first one if it gives neither.
std::string read_file_name(ConfigSection& options, const FileKey& file, std::string& to) {
  std::string key = file.name;
  for (const char* spelling : {file.name, file.alias}) {
    if (auto path = options.string(spelling)) {
      to = std::move(*path);
      key = spelling;
    }
  }
  return key;
}

void refuse_unverified(ConfigSection& options) {
  for (const char* unsafe : {"verify", "verify_peer", "verify_hostname", "no_verify_ssl", "cert_reqs"}) {
    if (!options.has(unsafe)) continue;
    options.problem(unsafe, "Certificates and host names are always verified; name a private CA in 'ca_file' instead.");
  }
}

}  // namespace

std::vector<FieldInfo> tls_fields() {
  std::vector<FieldInfo> fields;
  for (const char* object : {"ssl_options", "ssl"}) {
    fields.push_back(file_field(object, ca_file, "PEM file of the authorities to trust."));
    fields.push_back(file_field(object, cert_file, "PEM file, for mutual TLS."));
    fields.push_back(file_field(object, key_file, "PEM file, for mutual TLS."));
  }
  return fields;
}

void read_tls(ConfigSection& from, std::string_view key, ParsedRabbitMqConfig& config) {
  if (key == "ssl" && is_flag(from, key)) {
    const std::optional<bool> wanted = from.boolean(key);
    if (wanted.value_or(false)) {
      if (!config.tls) config.tls = RabbitMqTls();
    } else if (wanted && config.tls) {
      from.problem(key, "The field 'ssl' is false, but 'ssl_options' is given.");
    }
    return;
  }
  if (const Node* value = SectionReader::of(from).find(key); key == "ssl" && !value->is(Node::Kind::object)) {
    SectionReader::of(from).wrong_type(key, "true, false or an object");
    return;
  }
  RabbitMqTls tls = config.tls.value_or(RabbitMqTls());
  ConfigSection options = from.object(key);
  TlsFileKeys keys;
  keys.ca_file = read_file_name(options, ca_file, tls.ca_file);
  keys.cert_file = read_file_name(options, cert_file, tls.cert_file);
  keys.key_file = read_file_name(options, key_file, tls.key_file);
  refuse_unverified(options);
  if (tls.cert_file.empty() != tls.key_file.empty()) {
    options.problem(tls.cert_file.empty() ? "key_file" : "cert_file",
                    "A client certificate needs both 'cert_file' and 'key_file'.");
  }
  check_tls_files(options, keys, tls);
  config.tls = std::move(tls);
}

void check_tls_files(ConfigSection& section, const TlsFileKeys& keys, const RabbitMqTls& tls) {
  bool all_readable = true;
  const auto look_at = [&](const std::string& key, const std::string& path) {
    if (!path.empty() && report_unreadable(section, key, path, /*may_be_folder=*/false)) all_readable = false;
  };
  look_at(keys.ca_file, tls.ca_file);
  look_at(keys.cert_file, tls.cert_file);
  look_at(keys.key_file, tls.key_file);
  if (!all_readable) return;
#ifdef ACTION_TRIGGERS_WITH_RABBITMQ
  // Each is asked once for all destinations of a file: a list of authorities takes a while.
  const auto ask = [&](const std::string& key, const std::string& path, const std::string& question, auto why) {
    const auto [answer, is_new] = SectionReader::of(section).answers().try_emplace("rabbitmq " + question);
    if (is_new) answer->second = why();
    if (!answer->second.empty()) section.problem(key, the_file(section, key, path) + " " + answer->second + ".");
  };
  if (!tls.ca_file.empty()) {
    ask(keys.ca_file, tls.ca_file, "ca " + tls.ca_file, [&] { return why_no_authorities(tls.ca_file); });
  }
  if (tls.cert_file.empty() || tls.key_file.empty()) return;
  ask(keys.cert_file, tls.cert_file, "cert " + tls.cert_file, [&] { return why_no_certificate(tls.cert_file); });
  ask(keys.key_file, tls.key_file, "key " + tls.key_file + "\n" + tls.cert_file,
      [&] { return why_no_key(tls.key_file, tls.cert_file); });
#endif
}

std::optional<RabbitMqAuthMechanism> auth_mechanism_of(std::string_view text) {
  const std::string name = ascii_lower(text);
  if (name == "plain") return RabbitMqAuthMechanism::plain;
  if (name == "external") return RabbitMqAuthMechanism::external;
  return std::nullopt;
}

void check_login(ConfigSection& conn, const ParsedRabbitMqConfig& config) {
  if (config.auth_mechanism != RabbitMqAuthMechanism::external) return;
  for (const char* key : {"username", "login", "password"}) {
    if (!conn.has(key)) continue;
    conn.problem(key, "The field '" + std::string(key) +
                          "' goes with PLAIN only: with EXTERNAL the user is the one that the certificate names.");
  }
  if (!config.tls || config.tls->cert_file.empty()) {
    conn.problem(conn.has("auth_mechanism") ? "auth_mechanism" : "url",
                 "The mechanism EXTERNAL needs TLS with a client's certificate: 'cert_file' and 'key_file' in "
                 "'ssl_options'.");
  }
}

}  // namespace action_triggers::detail
