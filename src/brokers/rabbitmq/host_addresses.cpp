// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/host_addresses.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <future>
#include <memory>
#include <system_error>
#include <utility>

#include "base/thread.hpp"

namespace action_triggers::detail {
namespace {

struct Found {
  std::vector<std::string> addresses;
  std::string error;
};

Found ask_the_system(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  Found found;
  if (const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &list); error != 0) {
    found.error = error == EAI_SYSTEM ? std::generic_category().message(errno) : ::gai_strerror(error);
    return found;
  }
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(each->ai_addr, each->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0) {
      found.addresses.emplace_back(text.data());
    }
  }
  ::freeaddrinfo(list);
  if (found.addresses.empty()) found.error = "no address";
  return found;
}

std::future<Found> ask_the_system_elsewhere(const std::string& host) {
  auto promise = std::make_shared<std::promise<Found>>();
  std::future<Found> future = promise->get_future();
  const auto ask = [promise, host] { promise->set_value(ask_the_system(host)); };
  try {
    Thread("at-lookup", ask).detach();
  } catch (const std::system_error&) {  // no thread is to be had: then it takes what it takes
    ask();
  }
  return future;
}

}  // namespace

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

Status look_up(const std::string& host, TimePoint deadline, std::vector<std::string>& addresses) {
  if (is_address(host)) {
    addresses = {host};
    return {};
  }
  std::future<Found> answer = ask_the_system_elsewhere(host);
  if (answer.wait_until(deadline) == std::future_status::timeout) {
    return {StatusCode::unavailable,
            "the name was not resolved in time; check conn_details.host and the system's name servers"};
  }
  Found found = answer.get();
  if (found.addresses.empty()) {
    return {StatusCode::unavailable, "the name was not resolved: " + found.error + "; check conn_details.host"};
  }
  addresses = std::move(found.addresses);
  return {};
}

}  // namespace action_triggers::detail
