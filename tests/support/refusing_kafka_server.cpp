// SPDX-License-Identifier: MIT
#include "support/refusing_kafka_server.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <stdexcept>
#include <utility>
#include <vector>

namespace action_triggers::tests {
namespace {

std::string number16(int value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 255)}; }
std::string number32(std::size_t value) {
  return number16(static_cast<int>(value >> 16)) + number16(static_cast<int>(value & 65535));
}

/// One request; false at the end of the connection.
bool answer(int peer, bool cuts_logins) {
  std::array<char, 1024> bytes{};
  const ssize_t size = ::recv(peer, bytes.data(), bytes.size(), 0);  // requests are small: each comes in one piece
  if (size < 12) return false;
  const std::string request(bytes.data(), static_cast<std::size_t>(size));
  const int api = request[5];
  const int version = request[7];
  std::string body;
  constexpr int sasl_handshake = 17;
  constexpr int api_versions = 18;
  constexpr int sasl_authenticate = 36;
  constexpr int unsupported_version = 35;
  constexpr int sasl_authentication_failed = 58;
  if (api == api_versions && version > 0) {
    body = number16(unsupported_version) + number32(0);
  } else if (api == api_versions) {
    const std::vector<std::pair<int, int>> apis{
        {0, 7}, {3, 4}, {sasl_handshake, 1}, {api_versions, 0}, {sasl_authenticate, 0}};
    body = number16(0) + number32(apis.size());
    for (const auto& [known, newest] : apis) body += number16(known) + number16(0) + number16(newest);
  } else if (cuts_logins) {
    return false;
  } else if (api == sasl_handshake) {
    body = number16(0) + number32(1) + number16(5) + "PLAIN";
  } else if (api == sasl_authenticate) {
    const std::string why = "Invalid username or password";
    body = number16(sasl_authentication_failed) + number16(static_cast<int>(why.size())) + why + number32(0);
  } else {
    return false;
  }
  const std::string reply = request.substr(8, 4) + body;  // the correlation id first
  const std::string frame = number32(reply.size()) + reply;
  return ::send(peer, frame.data(), frame.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(frame.size());
}

}  // namespace

RefusingKafkaServer::RefusingKafkaServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 8) != 0 ||
      ::getsockname(listener_, generic, &size) != 0) {
    throw std::runtime_error("no listener");
  }
  bootstrap_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

RefusingKafkaServer::~RefusingKafkaServer() {
  ::shutdown(listener_, SHUT_RDWR);  // accept() returns
  if (thread_.joinable()) thread_.join();
  ::close(listener_);
}

void RefusingKafkaServer::begin_to_answer() {
  thread_ = std::thread([this] { serve(); });
}

void RefusingKafkaServer::serve() const {
  for (int peer = -1; (peer = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0; ::close(peer)) {
    while (answer(peer, cuts_logins_)) {
    }
  }
}

}  // namespace action_triggers::tests
