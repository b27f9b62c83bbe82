// SPDX-License-Identifier: MIT
#include "support/host_names.hpp"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>

namespace action_triggers::tests {
namespace {

std::mutex mutex;
std::condition_variable changed;
int guards = 0;   // under mutex
int lookups = 0;  // that wait
std::atomic<int> closed_port{0};
std::atomic<int> far_peers = 0;

}  // namespace

SlowNames::SlowNames() {
  const std::lock_guard lock(mutex);
  ++guards;
}

SlowNames::~SlowNames() {
  std::unique_lock lock(mutex);
  --guards;
  changed.notify_all();
  changed.wait(lock, [] { return guards > 0 || lookups == 0; });
}

void SlowNames::wait_for_a_lookup() {
  std::unique_lock lock(mutex);
  changed.wait(lock, [] { return lookups > 0; });
}

ClosedPort::ClosedPort(int port) { closed_port = port; }
ClosedPort::~ClosedPort() { closed_port = 0; }
FarPeers::FarPeers() { ++far_peers; }
FarPeers::~FarPeers() { --far_peers; }

}  // namespace action_triggers::tests

extern "C" int getpeername(int fd, sockaddr* address, socklen_t* size) noexcept {
  static const auto real = reinterpret_cast<decltype(&getpeername)>(::dlsym(RTLD_NEXT, "getpeername"));
  if (action_triggers::tests::far_peers == 0) return real(fd, address, size);
  sockaddr_in far{};
  far.sin_family = AF_INET;
  ::inet_pton(AF_INET, "192.0.2.1", &far.sin_addr);
  std::memcpy(address, &far, std::min<std::size_t>(*size, sizeof far));
  *size = sizeof far;
  return 0;
}

/// Stands before the C library's.
extern "C" int connect(int socket, const sockaddr* address, socklen_t size) {
  static const auto real = reinterpret_cast<decltype(&connect)>(::dlsym(RTLD_NEXT, "connect"));
  if (address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof v4);
    if (ntohs(v4.sin_port) == action_triggers::tests::closed_port) {
      errno = ECONNREFUSED;
      return -1;
    }
  }
  return real(socket, address, size);
}

/// Stands before the C library's.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** result) {
  using namespace action_triggers::tests;
  {
    std::unique_lock lock(mutex);
    if (guards > 0) {
      ++lookups;
      changed.notify_all();
      changed.wait(lock, [] { return guards == 0; });
      --lookups;
      changed.notify_all();
      return EAI_AGAIN;
    }
  }
  if (node != nullptr && std::strcmp(node, host_without_an_answer) == 0) {
    for (;;) ::pause();
  }
  static const auto real = reinterpret_cast<decltype(&getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  if (node == nullptr || std::strcmp(node, host_with_two_addresses) != 0) return real(node, service, hints, result);
  addrinfo* second = nullptr;
  if (const int error = real("127.0.0.1", service, hints, &second); error != 0) return error;
  if (const int error = real("127.0.0.2", service, hints, result); error != 0) return error;
  addrinfo* last = *result;
  while (last->ai_next != nullptr) last = last->ai_next;
  last->ai_next = second;  // freeaddrinfo() frees one after the other
  return 0;
}
