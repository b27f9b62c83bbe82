// SPDX-License-Identifier: MIT
/// A small HTTP server for this machine, over libmicrohttpd: in place of your framework's.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

struct MHD_Daemon;

struct HttpRequest {
  std::string method;
  std::string path;
  std::string body;
};

struct HttpAnswer {
  unsigned status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
};

class HttpServer {
 public:
  using Handler = std::function<HttpAnswer(const HttpRequest&)>;

  /// Listens on 127.0.0.1; port 0: one that is free. The handler is called on the server's one thread. Throws
  /// std::runtime_error.
  HttpServer(std::uint16_t port, Handler handler);
  ~HttpServer();  ///< Waits for a handler that is running.
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] std::uint16_t port() const;

 private:
  const Handler handler_;
  MHD_Daemon* daemon_;
};
