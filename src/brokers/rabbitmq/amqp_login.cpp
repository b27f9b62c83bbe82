// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/amqp_login.hpp"

#include <errno.h>  // program_invocation_short_name
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "action_triggers/clock.hpp"
#include "brokers/rabbitmq/amqp_limits.hpp"
#include "brokers/rabbitmq/host_addresses.hpp"
#include "brokers/rabbitmq/tls_files.hpp"
#include "config/hosts.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::string_view guest_advice =
    "RabbitMQ lets 'guest' in from its own machine only (loopback_users): log in as a user of your own";
constexpr int channel_max = 2'047;  // one for every exchange, one for declarations

std::chrono::milliseconds left_until(TimePoint deadline) {
  return std::max(std::chrono::round<std::chrono::milliseconds>(deadline - Clock::now()), std::chrono::milliseconds(1));
}

/// Why a socket cannot be connected to an address, as errno has it; 0: it can. rabbitmq-c says the same of every
/// reason.
int connect_error(const HostPort& address, TimePoint deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found) != 0) return 0;
  int error = 0;
  const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || ::connect(fd, found->ai_addr, found->ai_addrlen) != 0) error = errno;
  if (error == EINPROGRESS) {
    error = ETIMEDOUT;
    pollfd poll{.fd = fd, .events = POLLOUT, .revents = 0};
    socklen_t size = sizeof error;
    if (::poll(&poll, 1, static_cast<int>(left_until(deadline).count())) == 1) {
      ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
  }
  if (fd >= 0) ::close(fd);
  ::freeaddrinfo(found);
  return error;
}

std::string advice_on(int error) {
  switch (error) {
    case ECONNREFUSED:
      return "; nothing listens there: check that RabbitMQ runs, and conn_details.port";
    case EMFILE:
    case ENFILE:
      return "; the process or the system has too many open files (ulimit -n)";
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ETIMEDOUT:
      return "; check conn_details.host, the network and its firewalls";
    default:
      return {};
  }
}

/// Why amqp_socket_open_noblock() failed.
std::string open_failure(int result, const HostPort& address, bool tls, TimePoint deadline) {
  switch (result) {
    case AMQP_STATUS_SOCKET_ERROR:
      if (const int error = connect_error(address, deadline); error != 0) {
        return std::generic_category().message(error) + advice_on(error);
      }
      return amqp_error_string2(result);
    case AMQP_STATUS_TIMEOUT:
      return amqp_error_string2(result) + (tls ? "; check that the port is one for TLS" : advice_on(ETIMEDOUT));
    case AMQP_STATUS_SSL_CONNECTION_FAILED:
    case AMQP_STATUS_SSL_ERROR: {
      const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
      return amqp_error_string2(result) + (reason == nullptr ? "" : " (" + std::string(reason) + ")") +
             "; check that the port is one for TLS 1.2 or newer";
    }
    default:
      return amqp_error_string2(result);
  }
}

/// Where a TLS context keeps the name of the host while it is being connected to.
constexpr int for_application = 0;

/// Where it keeps its one SSL.
int ssl_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

/// Before the first byte is sent. Keeps the SSL, and asks the server for the name that it was given: rabbitmq-c, which
/// gets an address, asks for that.
void on_handshake(const SSL* const_ssl, int where, int /*result*/) {
  if ((where & SSL_CB_HANDSHAKE_START) == 0) return;
  SSL_CTX* const context = SSL_get_SSL_CTX(const_ssl);
  auto* const ssl = const_cast<SSL*>(const_ssl);
  SSL_CTX_set_ex_data(context, ssl_index(), ssl);
  if (void* const name = SSL_CTX_get_ex_data(context, for_application)) {
    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name);
  }
}

/// Whether the other end of the connection is this machine.
bool is_from_loopback(int fd) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return true;
  std::array<char, NI_MAXHOST> text{};
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&peer), size, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) != 0) {
    return true;
  }
  return is_loopback(text.data());
}

/// The server has answered the login with connection.close.
Status refused_login(const RabbitMqConfig& config, const std::string& where, amqp_connection_state_t connection,
                     const amqp_connection_close_t& close) {
  const bool external = config.auth_mechanism == RabbitMqAuthMechanism::external;
  const std::string_view text = from_amqp(close.reply_text);
  AmqpError error = amqp_error(AmqpErrorAt::login, close.reply_code, text);
  if (error.status == StatusCode::unauthenticated && !external && config.username == "guest" &&
      !is_from_loopback(amqp_get_sockfd(connection))) {
    error.advice = guest_advice;
  }
  const bool certificate = external && close.reply_code == AMQP_ACCESS_REFUSED;
  return {error.status, where + (certificate ? " refused the client's certificate: " : ": ") +
                            text_of(error, close.reply_code, text)};
}

/// It has not answered it in AMQP's words.
Status failed_login(const RabbitMqConfig& config, const std::string& where, int library_error) {
  if (library_error == AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD) {
    return {StatusCode::unauthenticated,
            where + " does not offer the mechanism " +
                (config.auth_mechanism == RabbitMqAuthMechanism::external
                     ? "EXTERNAL: enable rabbitmq_auth_mechanism_ssl there, and name EXTERNAL in auth_mechanisms"
                     : "PLAIN: name it in auth_mechanisms there, or set conn_details.auth_mechanism")};
  }
  const bool is_other_protocol = library_error == AMQP_STATUS_CONNECTION_CLOSED ||
                                 library_error == AMQP_STATUS_SOCKET_ERROR ||
                                 library_error == AMQP_STATUS_BAD_AMQP_DATA;
  std::string text = "log in to " + where + ": " + library_error_text(library_error);
  if (is_other_protocol) {
    text += config.tls ? "; check that this is RabbitMQ's port for AMQP with TLS"
                       : "; check that this is RabbitMQ's port for AMQP, and without TLS";
  }
  return {StatusCode::unavailable, std::move(text)};
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
  const bool external = config.auth_mechanism == RabbitMqAuthMechanism::external;
  const auto login = [&](amqp_sasl_method_enum mechanism, const char* user, const char* password) {
    return amqp_login_with_properties(connection, config.virtual_host.c_str(), channel_max,
                                      static_cast<int>(amqp_frame_max), static_cast<int>(config.heartbeat.count()),
                                      &table, mechanism, user, password);
  };
  // With EXTERNAL the certificate says who it is, and RabbitMQ does not look at what is sent; rabbitmq-c cannot send
  // nothing ("could not allocate memory").
  const amqp_rpc_reply_t reply =
      external ? login(AMQP_SASL_METHOD_EXTERNAL, "certificate", nullptr)
               : login(AMQP_SASL_METHOD_PLAIN, config.username.c_str(), config.password.reveal().c_str());
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return {};
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
    return refused_login(config, where, connection, *static_cast<const amqp_connection_close_t*>(reply.reply.decoded));
  }
  return failed_login(config, where, reply.library_error);
}

/// Keeps OpenSSL's reason, which rabbitmq-c does not hand out.
int verify_certificate(X509_STORE_CTX* certificate, void* reason) {
  const int result = X509_verify_cert(certificate);
  if (result != 1) *static_cast<int*>(reason) = X509_STORE_CTX_get_error(certificate);
  return result;
}

/// The certificate has to be for this name or address, which is not what rabbitmq-c connects to.
bool verify_host(const std::string& host, SSL_CTX* context) {
  X509_VERIFY_PARAM* const wanted = SSL_CTX_get0_param(context);
  if (is_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1;
  X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), 0) == 1;
}

Status use_files(const TlsConfig& tls, amqp_socket_t* socket, SSL_CTX* context) {
  if (tls.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else if (amqp_ssl_socket_set_cacert(socket, tls.ca_file.c_str()) != AMQP_STATUS_OK) {
    return {StatusCode::invalid_argument, "cannot read the certificates in conn_details.ssl.ca_file: " + tls.ca_file};
  }
  if (tls.cert_file.empty()) return {};
  bool asks_for_passphrase = false;
  SSL_CTX_set_default_passwd_cb(context, refuse_passphrase);
  SSL_CTX_set_default_passwd_cb_userdata(context, &asks_for_passphrase);
  const int result = amqp_ssl_socket_set_key(socket, tls.cert_file.c_str(), tls.key_file.c_str());
  SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
  if (result == AMQP_STATUS_OK) return {};
  if (asks_for_passphrase) {
    return {StatusCode::invalid_argument, "conn_details.ssl.key_file is encrypted: " + tls.key_file +
                                              "; give a key without a passphrase (openssl pkey), readable by this "
                                              "program only"};
  }
  return {StatusCode::invalid_argument,
          "cannot use conn_details.ssl.cert_file with key_file: " + tls.cert_file + ", " + tls.key_file};
}

Status open_tls(const RabbitMqConfig& config, const HostPort& host, const HostPort& address,
                amqp_connection_state_t connection, TimePoint deadline) {
  const std::string where = to_string(host);
  amqp_socket_t* const socket = amqp_ssl_socket_new(connection);
  if (socket == nullptr) return {StatusCode::internal, "cannot make a TLS socket: out of memory"};
  auto* const context = static_cast<SSL_CTX*>(amqp_ssl_socket_get_context(socket));
  amqp_ssl_socket_set_verify_peer(socket, 1);
  amqp_ssl_socket_set_verify_hostname(socket, 0);  // OpenSSL does it: rabbitmq-c knows the address only
  if (!verify_host(host.host, context))
    return {StatusCode::internal, "cannot verify the host " + host.host +
                                      "; conn_details.host must be a name or address that a certificate can be for"};
  if (amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST) != AMQP_STATUS_OK) {
    return {StatusCode::internal, "this rabbitmq-c cannot require TLS 1.2; use one that is built with OpenSSL"};
  }
  if (Status status = use_files(*config.tls, socket, context); !status.ok()) return status;
  int reason = X509_V_OK;
  SSL_CTX_set_info_callback(context, on_handshake);
  if (!is_address(host.host)) SSL_CTX_set_ex_data(context, for_application, const_cast<char*>(host.host.c_str()));
  SSL_CTX_set_cert_verify_callback(context, verify_certificate, &reason);
  const timeval timeout = to_timeval(left_until(deadline));
  const int opened = amqp_socket_open_noblock(socket, address.host.c_str(), address.port, &timeout);
  SSL_CTX_set_cert_verify_callback(context, nullptr, nullptr);
  SSL_CTX_set_ex_data(context, for_application, nullptr);
  if (opened == AMQP_STATUS_OK) return {};
  if (reason != X509_V_OK) {
    const std::string why = reason == X509_V_ERR_HOSTNAME_MISMATCH ? "it is not for the name " + host.host
                                                                   : X509_verify_cert_error_string(reason);
    const std::string& ca_file = config.tls->ca_file;
    return {StatusCode::unavailable, where + ": the server's certificate was refused: " + why +
                                         "; check conn_details.host and ssl.ca_file (" +
                                         (ca_file.empty() ? "the system's authorities" : ca_file) + ")"};
  }
  return {StatusCode::unavailable, "connect to " + where + ": " + open_failure(opened, address, true, deadline)};
}

Status open_tcp(const HostPort& host, const HostPort& address, amqp_connection_state_t connection, TimePoint deadline) {
  amqp_socket_t* const socket = amqp_tcp_socket_new(connection);
  if (socket == nullptr) return {StatusCode::internal, "cannot make a socket: out of memory"};
  const timeval timeout = to_timeval(left_until(deadline));
  const int opened = amqp_socket_open_noblock(socket, address.host.c_str(), address.port, &timeout);
  if (opened == AMQP_STATUS_OK) return {};
  return {StatusCode::unavailable,
          "connect to " + to_string(host) + ": " + open_failure(opened, address, false, deadline)};
}

/// What an attempt at each address came to, where they do not all say the same.
struct Failures {
  std::vector<std::pair<std::string, Status>> of_addresses;

  [[nodiscard]] Status status() const {
    const Status& last = of_addresses.back().second;
    const bool all_same = std::all_of(of_addresses.begin(), of_addresses.end(),
                                      [&](const auto& each) { return each.second.message() == last.message(); });
    if (all_same) return last;
    std::string text;
    for (const auto& [address, status] : of_addresses) {
      text += (text.empty() ? "at " : "; at ") + address + ": " + status.message();
    }
    return {last.code(), std::move(text)};
  }
};

/// The first address that answers. One that is silent leaves time for the others: rabbitmq-c would not.
Status open_socket(const RabbitMqConfig& config, const HostPort& host, TimePoint deadline, AmqpHandle& connection) {
  std::vector<std::string> addresses;
  if (const Status status = look_up(host.host, deadline, addresses); !status.ok()) {
    return {status.code(), "connect to " + to_string(host) + ": " + status.message()};
  }
  Failures failures;
  for (auto left = static_cast<int>(addresses.size()); const std::string& text : addresses) {
    AmqpHandle fresh(amqp_new_connection());
    if (!fresh) return {StatusCode::internal, "cannot make an AMQP connection: out of memory"};
    const TimePoint until = Clock::now() + left_until(deadline) / left--;
    const HostPort address{text, host.port};
    Status status =
        config.tls ? open_tls(config, host, address, fresh.get(), until) : open_tcp(host, address, fresh.get(), until);
    if (status.ok()) connection = std::move(fresh);
    if (!status.retryable()) return status;
    failures.of_addresses.emplace_back(text, std::move(status));
  }
  return failures.status();
}

}  // namespace

Status open_amqp_connection(const RabbitMqConfig& config, const HostPort& host, AmqpHandle& connection) {
  AmqpHandle fresh;
  const TimePoint deadline = Clock::now() + config.connect_timeout;
  if (Status status = open_socket(config, host, deadline, fresh); !status.ok()) return status;
  const timeval timeout = to_timeval(left_until(deadline));
  amqp_set_handshake_timeout(fresh.get(), &timeout);
  amqp_set_rpc_timeout(fresh.get(), &timeout);
  if (Status status = log_in(config, to_string(host), fresh.get()); !status.ok()) return status;
  connection = std::move(fresh);
  return {};
}

std::string library_error_text(int error) {
  const int reason = errno;
  if (error == AMQP_STATUS_SOCKET_ERROR && reason != 0 && reason != EAGAIN && reason != EINPROGRESS) {
    return std::generic_category().message(reason);
  }
  return amqp_error_string2(error);
}

ssl_st* ssl_of(amqp_connection_state_t connection) {
  auto* const context = static_cast<SSL_CTX*>(amqp_ssl_socket_get_context(amqp_get_socket(connection)));
  return static_cast<SSL*>(SSL_CTX_get_ex_data(context, ssl_index()));
}

}  // namespace action_triggers::detail
