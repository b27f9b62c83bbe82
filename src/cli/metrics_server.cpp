// SPDX-License-Identifier: MIT
// The HTTP server is libmicrohttpd's (docs/decisions/0035).
#include "cli/metrics_server.hpp"

#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "action_triggers/health.hpp"
#include "action_triggers/prometheus.hpp"

namespace action_triggers::cli {
namespace {

constexpr std::size_t most_kept_connections = 32;
constexpr unsigned most_connections = 64;  // the others of these are being ended
constexpr unsigned connection_timeout_secs = 10;

[[noreturn]] void refuse(const std::string& address, const std::string& why) {
  throw std::runtime_error("--metrics " + address + ": " + why);
}

/// The connections that there are. Of too many the oldest ends: what is asked now is answered, whatever clients that
/// never finish their request keep open. Only the server's thread uses it.
class Connections {
 public:
  Connections() { oldest_first_.reserve(most_connections); }  // so that note() cannot throw
  static void note(void* of, MHD_Connection* connection, void** /*context*/, MHD_ConnectionNotificationCode what) {
    auto& connections = *static_cast<Connections*>(of);
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
      std::erase(connections.oldest_first_, connection);
      return;
    }
    connections.oldest_first_.push_back(connection);
    const std::size_t count = connections.oldest_first_.size();
    if (count > most_kept_connections) end(connections.oldest_first_[count - most_kept_connections - 1]);
  }

 private:
  /// The server finds that there is nothing more to read, and closes it.
  static void end(MHD_Connection* connection) {
    const MHD_ConnectionInfo* const info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info != nullptr) ::shutdown(info->connect_fd, SHUT_RDWR);
  }

  std::vector<MHD_Connection*> oldest_first_;
};

/// The socket; -1: errno says why not, which libmicrohttpd 1.0 would not. `all`: IPv4 as well, if this is IPv6.
int listen_at(const addrinfo& address, bool all) {
  const int listening = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listening < 0) return -1;
  const int on = 1;
  const int only_ipv6 = all ? 0 : 1;
  ::setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.ai_family == AF_INET6) ::setsockopt(listening, IPPROTO_IPV6, IPV6_V6ONLY, &only_ipv6, sizeof only_ipv6);
  if (::bind(listening, address.ai_addr, address.ai_addrlen) == 0 && ::listen(listening, SOMAXCONN) == 0)
    return listening;
  const int why = errno;
  ::close(listening);
  errno = why;
  return -1;
}

std::uint16_t port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  const bool is_ipv6 = address.ss_family == AF_INET6;
  return ntohs(is_ipv6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                       : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

struct Answer {
  unsigned status = MHD_HTTP_OK;
  std::string body;
  std::string_view content_type = "text/plain; charset=utf-8";
};

Answer answer_to(const MetricsServer::Numbers& numbers, std::string_view method, std::string_view path) {
  if (method != "GET" && method != "HEAD") return {MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n"};
  if (path == "/metrics") return {MHD_HTTP_OK, prometheus_text(numbers()), prometheus_content_type};
  if (path != "/healthz") return {MHD_HTTP_NOT_FOUND, "there are /metrics and /healthz\n"};
  const Health health = health_of(numbers());
  std::ostringstream text;
  text << health << '\n';
  const unsigned status = health.state == HealthState::down ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK;
  return {status, text.str()};
}

MHD_Result send(MHD_Connection* connection, const Answer& answer) {
  // It copies the body, and so does not change it.
  MHD_Response* const response =
      MHD_create_response_from_buffer(answer.body.size(), const_cast<char*>(answer.body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, std::string(answer.content_type).c_str());
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  if (answer.status == MHD_HTTP_METHOD_NOT_ALLOWED)
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  const MHD_Result result = MHD_queue_response(connection, answer.status, response);
  MHD_destroy_response(response);
  return result;
}

/// Called by the server's thread, for a request with a body several times.
MHD_Result handle(void* numbers, MHD_Connection* connection, const char* path, const char* method,
                  const char* /*version*/, const char* /*data*/, std::size_t* data_size, void** state) {
  static int seen = 0;  // only its address is used
  if (*state == nullptr) {
    *state = &seen;
    return MHD_YES;  // the headers have come
  }
  if (*data_size != 0) {
    *data_size = 0;  // nobody reads a body
    return MHD_YES;
  }
  try {
    return send(connection, answer_to(*static_cast<const MetricsServer::Numbers*>(numbers), method, path));
  } catch (const std::exception& error) {
    return send(connection, {MHD_HTTP_INTERNAL_SERVER_ERROR, std::string(error.what()) + "\n"});
  }
}

}  // namespace

class MetricsServer::Daemon {
 public:
  Daemon(Numbers numbers, const std::string& text, const MetricsAddress& address) : numbers_(std::move(numbers)) {
    addrinfo hints{};
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    const bool all = address.host.empty();
    for (const int family : all ? std::vector{AF_INET6, AF_INET} : std::vector{AF_UNSPEC}) {
      hints.ai_family = family;
      addrinfo* found = nullptr;
      const int failed =
          ::getaddrinfo(all ? nullptr : address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
      if (failed != 0) refuse(text, gai_strerror(failed));
      const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
      for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        const int listening = listen_at(*one, all);
        if (listening >= 0) {
          start(listening, text);
          return;
        }
        // Only a family or an address that this machine does not have leaves the next one to try.
        if (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL) refuse_now(text);
      }
    }
    refuse_now(text);
  }
  ~Daemon() { MHD_stop_daemon(daemon_); }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

 private:
  void start(int listening, const std::string& text) {
    port_ = port_of(listening);
    // It closes the socket when it ends.
    daemon_ = MHD_start_daemon(MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD, 0, nullptr, nullptr, &handle, &numbers_,
                               MHD_OPTION_LISTEN_SOCKET, listening, MHD_OPTION_CONNECTION_LIMIT, most_connections,
                               MHD_OPTION_CONNECTION_TIMEOUT, connection_timeout_secs, MHD_OPTION_NOTIFY_CONNECTION,
                               &Connections::note, &connections_, MHD_OPTION_END);
    if (daemon_ == nullptr) refuse(text, "the HTTP server does not start");
  }
  [[noreturn]] static void refuse_now(const std::string& text) { refuse(text, std::generic_category().message(errno)); }

  Numbers numbers_;
  Connections connections_;
  MHD_Daemon* daemon_ = nullptr;
  std::uint16_t port_ = 0;
};

MetricsServer::MetricsServer(Numbers numbers, const std::string& address) {
  if (address.empty()) return;
  const auto parsed = metrics_address_of(address);
  if (!parsed) refuse(address, "not PORT or HOST:PORT");
  daemon_ = std::make_unique<Daemon>(std::move(numbers), address, *parsed);
  const bool is_ipv6 = parsed->host.find(':') != std::string::npos;
  const std::string host = parsed->host.empty() ? "*" : is_ipv6 ? "[" + parsed->host + "]" : parsed->host;
  std::cerr << "action-triggers: http://" + host + ":" + std::to_string(daemon_->port()) + "/metrics and /healthz\n"
            << std::flush;
}

MetricsServer::~MetricsServer() = default;

}  // namespace action_triggers::cli
