// SPDX-License-Identifier: MIT
// The HTTP server is libmicrohttpd's (docs/decisions/0035).
#include "cli/metrics_server.hpp"

#include <microhttpd.h>
#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "action_triggers/health.hpp"
#include "action_triggers/prometheus.hpp"

namespace action_triggers::cli {
namespace {

constexpr unsigned most_connections = 16;
constexpr unsigned connection_timeout_secs = 10;

[[noreturn]] void refuse(const std::string& address, const std::string& why) {
  throw std::runtime_error("--metrics " + address + ": " + why);
}

struct Answer {
  unsigned status = MHD_HTTP_OK;
  std::string body;
  std::string_view content_type = "text/plain; charset=utf-8";
};

Answer answer_to(const TriggerDispatcher& dispatcher, std::string_view method, std::string_view path) {
  if (method != "GET" && method != "HEAD") return {MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n"};
  if (path == "/metrics") return {MHD_HTTP_OK, prometheus_text(dispatcher.stats()), prometheus_content_type};
  if (path != "/healthz") return {MHD_HTTP_NOT_FOUND, "there are /metrics and /healthz\n"};
  const Health health = dispatcher.health();
  std::ostringstream text;
  text << health;
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
MHD_Result handle(void* dispatcher, MHD_Connection* connection, const char* path, const char* method,
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
    return send(connection, answer_to(*static_cast<const TriggerDispatcher*>(dispatcher), method, path));
  } catch (const std::exception& error) {
    return send(connection, {MHD_HTTP_INTERNAL_SERVER_ERROR, std::string(error.what()) + "\n"});
  }
}

}  // namespace

class MetricsServer::Daemon {
 public:
  Daemon(const TriggerDispatcher& dispatcher, const std::string& text, const MetricsAddress& address) {
    addrinfo hints{};
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string port = std::to_string(address.port);
    const int failed =
        ::getaddrinfo(address.host.empty() ? nullptr : address.host.c_str(), port.c_str(), &hints, &found);
    if (failed != 0) refuse(text, gai_strerror(failed));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
    const unsigned flags = MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD |
                           (found->ai_family == AF_INET6 ? static_cast<unsigned>(MHD_USE_IPv6) : 0U);
    errno = 0;
    daemon_ = MHD_start_daemon(flags, address.port, nullptr, nullptr, &handle,
                               const_cast<TriggerDispatcher*>(&dispatcher),  // handle() makes it const again
                               MHD_OPTION_SOCK_ADDR, found->ai_addr, MHD_OPTION_CONNECTION_LIMIT, most_connections,
                               MHD_OPTION_CONNECTION_TIMEOUT, connection_timeout_secs, MHD_OPTION_END);
    if (daemon_ == nullptr) refuse(text, errno == 0 ? "cannot listen there" : std::generic_category().message(errno));
  }
  ~Daemon() { MHD_stop_daemon(daemon_); }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  [[nodiscard]] std::uint16_t port() const {
    const MHD_DaemonInfo* const info = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_BIND_PORT);
    return info == nullptr ? 0 : info->port;
  }

 private:
  MHD_Daemon* daemon_ = nullptr;
};

MetricsServer::MetricsServer(const TriggerDispatcher& dispatcher, const std::string& address) {
  if (address.empty()) return;
  const auto parsed = metrics_address_of(address);
  if (!parsed) refuse(address, "not PORT or HOST:PORT");
  daemon_ = std::make_unique<Daemon>(dispatcher, address, *parsed);
  const bool is_ipv6 = parsed->host.find(':') != std::string::npos;
  const std::string host = parsed->host.empty() ? "*" : is_ipv6 ? "[" + parsed->host + "]" : parsed->host;
  std::cerr << "action-triggers: http://" + host + ":" + std::to_string(daemon_->port()) + "/metrics and /healthz\n"
            << std::flush;
}

MetricsServer::~MetricsServer() = default;

}  // namespace action_triggers::cli
