// SPDX-License-Identifier: MIT
#include "http_server.hpp"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>

#include <cerrno>
#include <exception>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace {

constexpr std::size_t largest_body = 1024 * 1024;
constexpr unsigned most_connections = 64;
constexpr unsigned idle_seconds = 10;

MHD_Result send(MHD_Connection* connection, const HttpAnswer& answer) {
  // It copies the body, and so does not change it.
  MHD_Response* const response =
      MHD_create_response_from_buffer(answer.body.size(), const_cast<char*>(answer.body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.content_type.c_str());
  const MHD_Result result = MHD_queue_response(connection, answer.status, response);
  MHD_destroy_response(response);
  return result;
}

/// Called once when the headers have come, then for each part of the body, then at its end.
MHD_Result receive(void* handler, MHD_Connection* connection, const char* path, const char* method,
                   const char* /*version*/, const char* data, std::size_t* size, void** state) {
  if (*state == nullptr) {
    *state = new HttpRequest{method, path, {}};
    return MHD_YES;
  }
  HttpRequest& request = *static_cast<HttpRequest*>(*state);
  if (*size != 0) {
    // What is too much is read all the same, so that the client hears of it.
    if (request.body.size() <= largest_body) request.body.append(data, *size);
    *size = 0;
    return MHD_YES;
  }
  if (request.body.size() > largest_body) return send(connection, {413, "the body is larger than a megabyte\n"});
  try {
    return send(connection, (*static_cast<const HttpServer::Handler*>(handler))(request));
  } catch (const std::exception& error) {
    return send(connection, {500, std::string(error.what()) + "\n"});
  }
}

void forget(void* /*nothing*/, MHD_Connection* /*connection*/, void** state, MHD_RequestTerminationCode /*why*/) {
  delete static_cast<HttpRequest*>(std::exchange(*state, nullptr));
}

}  // namespace

HttpServer::HttpServer(std::uint16_t port, Handler handler) : handler_(std::move(handler)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  daemon_ = MHD_start_daemon(MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD, port, nullptr, nullptr, &receive,
                             const_cast<Handler*>(&handler_),  // receive() makes it const again
                             MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT, most_connections,
                             MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds, MHD_OPTION_NOTIFY_COMPLETED, &forget, nullptr,
                             MHD_OPTION_END);
  if (daemon_ == nullptr) {
    throw std::runtime_error("port " + std::to_string(port) + ": " + std::generic_category().message(errno));
  }
}

HttpServer::~HttpServer() { MHD_stop_daemon(daemon_); }

std::uint16_t HttpServer::port() const {
  const MHD_DaemonInfo* const info = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_BIND_PORT);
  return info == nullptr ? 0 : info->port;
}
