// SPDX-License-Identifier: MIT
#include "live/old_tls_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

#include "live/certificates.hpp"
#include "live/servers.hpp"

namespace action_triggers::tests {
namespace {

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  const bool found = ::bind(fd, generic, size) == 0 && ::getsockname(fd, generic, &size) == 0;
  ::close(fd);
  if (!found) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

}  // namespace

OldTlsServer::OldTlsServer() : port_(free_port()) {
  const std::string old = " -tls1_1 -cipher ALL:@SECLEVEL=0 ";
  const std::string address = "127.0.0.1:" + std::to_string(port_);
  // It says ACCEPT once it listens; `tail` ends with it.
  pid_ = run("said=$(mktemp); openssl s_server -www -accept " + address + old + "-cert " +
             Certificates::path("server.pem") + " -key " + Certificates::path("server.key") +
             " </dev/null >\"$said\" 2>&1 & pid=$!; "
             "timeout 60 bash -c 'grep -q -m1 ACCEPT <(exec tail --pid=$1 -s 0.1 -n +1 -f \"$2\")' - $pid \"$said\" "
             ">/dev/null 2>&1; rm \"$said\"; printf %s $pid");
  const std::string said = run("openssl s_client -connect " + address + old + "</dev/null 2>&1 || true");
  if (said.find("Protocol  : TLSv1.1") == std::string::npos) {
    run("kill " + pid_ + " || true");
    throw std::runtime_error("nobody speaks TLS 1.1: " + said);
  }
}

OldTlsServer::~OldTlsServer() { run("kill " + pid_); }

}  // namespace action_triggers::tests
