// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/amqp_login.hpp"

#include <errno.h>  // program_invocation_short_name
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <utility>

namespace action_triggers::detail {
namespace {

constexpr int frame_max = 131'072;  // the server's own default
constexpr int channel_max = 2'047;  // one for every exchange, one for declarations

Status library_status(const std::string& what, int error) {
  return {StatusCode::unavailable, what + ": " + amqp_error_string2(error)};
}

/// Where a TLS context keeps its one SSL.
int ssl_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

void keep_ssl(const SSL* ssl, int where, int /*result*/) {
  if ((where & SSL_CB_HANDSHAKE_START) == 0) return;
  SSL_CTX_set_ex_data(SSL_get_SSL_CTX(ssl), ssl_index(), const_cast<SSL*>(ssl));
}

Status log_in(const RabbitMqConfig& config, const std::string& where, amqp_connection_state_t connection) {
  // The server sends connection.blocked only to those who announce that they understand it. To what is announced here
  // rabbitmq-c adds authentication_failure_close, without which wrong credentials would look like a lost connection.
  std::array<amqp_table_entry_t, 1> capabilities{boolean_entry("connection.blocked", true)};
  amqp_table_entry_t capabilities_entry{};
  capabilities_entry.key = amqp_cstring_bytes("capabilities");
  capabilities_entry.value.kind = AMQP_FIELD_KIND_TABLE;
  capabilities_entry.value.value.table = {static_cast<int>(capabilities.size()), capabilities.data()};
  const std::string name = config.connection_name.empty() ? program_invocation_short_name : config.connection_name;
  std::array<amqp_table_entry_t, 3> properties{text_entry("product", "action_triggers"),
                                               text_entry("connection_name", name), capabilities_entry};
  const amqp_table_t table{static_cast<int>(properties.size()), properties.data()};
  const amqp_rpc_reply_t reply = amqp_login_with_properties(
      connection, config.virtual_host.c_str(), channel_max, frame_max, static_cast<int>(config.heartbeat.count()),
      &table, AMQP_SASL_METHOD_PLAIN, config.username.c_str(), config.password.reveal().c_str());
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return {};
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
    const auto& close = *static_cast<const amqp_connection_close_t*>(reply.reply.decoded);
    const std::string_view text = from_amqp(close.reply_text);
    const AmqpError& error = amqp_error(AmqpErrorAt::login, close.reply_code, text);
    const std::string whom = close.reply_code == AMQP_ACCESS_REFUSED ? " refused user '" + config.username + "'" : "";
    return {error.status, where + whom + ": " + text_of(error, close.reply_code, text)};
  }
  return library_status("log in to " + where, reply.library_error);
}

Status open_socket(const RabbitMqConfig& config, const HostPort& host, amqp_connection_state_t connection) {
  const std::string where = to_string(host);
  amqp_socket_t* socket = nullptr;
  if (config.tls) {
    socket = amqp_ssl_socket_new(connection);
    if (socket == nullptr) return {StatusCode::internal, "cannot make a TLS socket: out of memory"};
    amqp_ssl_socket_set_verify_peer(socket, 1);
    amqp_ssl_socket_set_verify_hostname(socket, 1);
    if (amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST) != AMQP_STATUS_OK) {
      return {StatusCode::internal, "this rabbitmq-c cannot require TLS 1.2"};
    }
    auto* const context = static_cast<SSL_CTX*>(amqp_ssl_socket_get_context(socket));
    SSL_CTX_set_info_callback(context, keep_ssl);
    const TlsConfig& tls = *config.tls;
    if (tls.ca_file.empty()) {
      SSL_CTX_set_default_verify_paths(context);
    } else if (amqp_ssl_socket_set_cacert(socket, tls.ca_file.c_str()) != AMQP_STATUS_OK) {
      return {StatusCode::invalid_argument, "cannot read the certificates in conn_details.ssl.ca_file: " + tls.ca_file};
    }
    if (!tls.cert_file.empty() &&
        amqp_ssl_socket_set_key(socket, tls.cert_file.c_str(), tls.key_file.c_str()) != AMQP_STATUS_OK) {
      return {StatusCode::invalid_argument,
              "cannot use conn_details.ssl.cert_file with key_file: " + tls.cert_file + ", " + tls.key_file};
    }
  } else {
    socket = amqp_tcp_socket_new(connection);
    if (socket == nullptr) return {StatusCode::internal, "cannot make a socket: out of memory"};
  }
  const timeval timeout = to_timeval(config.connect_timeout);
  const int opened = amqp_socket_open_noblock(socket, host.host.c_str(), host.port, &timeout);
  if (opened == AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED || opened == AMQP_STATUS_SSL_PEER_VERIFY_FAILED) {
    return {StatusCode::unavailable, where + ": the server's certificate was refused (" + amqp_error_string2(opened) +
                                         "); check conn_details.host and ssl.ca_file"};
  }
  if (opened != AMQP_STATUS_OK) return library_status("connect to " + where, opened);
  return {};
}

}  // namespace

Status open_amqp_connection(const RabbitMqConfig& config, const HostPort& host, AmqpHandle& connection) {
  AmqpHandle fresh(amqp_new_connection());
  if (!fresh) return {StatusCode::internal, "cannot make an AMQP connection: out of memory"};
  const timeval timeout = to_timeval(config.connect_timeout);
  amqp_set_handshake_timeout(fresh.get(), &timeout);
  amqp_set_rpc_timeout(fresh.get(), &timeout);
  Status status = open_socket(config, host, fresh.get());
  if (status.ok()) status = log_in(config, to_string(host), fresh.get());
  if (!status.ok()) return status;
  connection = std::move(fresh);
  return {};
}

ssl_st* ssl_of(amqp_connection_state_t connection) {
  auto* const context = static_cast<SSL_CTX*>(amqp_ssl_socket_get_context(amqp_get_socket(connection)));
  return static_cast<SSL*>(SSL_CTX_get_ex_data(context, ssl_index()));
}

}  // namespace action_triggers::detail
