// SPDX-License-Identifier: MIT
#include "support/request_limit.hpp"

#include <dlfcn.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>

namespace action_triggers::tests {
namespace {

std::atomic<std::size_t> limit{0};  // 0: none
std::atomic<bool> lose_next{false};

/// The size of the request that begins here, if it is one with messages.
std::size_t size_of_produce(const msghdr& message) {
  if (message.msg_iovlen == 0 || message.msg_iov[0].iov_len < 8) return 0;
  const auto* const bytes = static_cast<const unsigned char*>(message.msg_iov[0].iov_base);
  constexpr int newest_version = 12;
  if (bytes[4] != 0 || bytes[5] != 0 || bytes[6] != 0 || bytes[7] > newest_version) return 0;
  std::size_t size = 0;
  for (int i = 0; i < 4; ++i) size = size << 8 | bytes[i];
  return size;
}

}  // namespace

RequestLimit::RequestLimit(std::size_t bytes) { limit = bytes; }
RequestLimit::~RequestLimit() { limit = 0; }

void lose_next_request() { lose_next = true; }

}  // namespace action_triggers::tests

/// Stands before the C library's.
extern "C" ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  using namespace action_triggers::tests;
  static const auto real = reinterpret_cast<decltype(&sendmsg)>(::dlsym(RTLD_NEXT, "sendmsg"));
  if (limit != 0 && size_of_produce(*message) > limit) {
    ::shutdown(socket, SHUT_RDWR);
    errno = ECONNRESET;
    return -1;
  }
  if (lose_next && size_of_produce(*message) > 0 && lose_next.exchange(false)) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < message->msg_iovlen; ++i) size += message->msg_iov[i].iov_len;
    return static_cast<ssize_t>(size);
  }
  return real(socket, message, flags);
}
