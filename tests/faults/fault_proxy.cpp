// SPDX-License-Identifier: MIT
#include "faults/fault_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

namespace action_triggers::tests {
namespace {

constexpr std::size_t most_waiting = 1 << 20;  // then the proxy stops reading, as a router would
constexpr std::chrono::milliseconds tick{2};

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

FaultProxy::FaultProxy(std::string target_host, int target_port, int port)
    : host_(std::move(target_host)),
      target_port_(target_port),
      port_(port),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  listen_again();
  thread_ = std::thread([this] { run(); });
}

FaultProxy::~FaultProxy() {
  stop_ = true;
  set([](Faults&) {});
  thread_.join();
  for (Link& link : links_) close_link(link, true);
  if (listener_ >= 0) ::close(listener_);
  ::close(wake_);
}

void FaultProxy::set(const std::function<void(Faults&)>& change) {
  const std::lock_guard lock(mutex_);
  change(faults_);
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
}

void FaultProxy::reset_all() {
  set([](Faults& faults) { ++faults.resets; });
}
void FaultProxy::half_close_all() {
  set([](Faults& faults) { ++faults.half_closes; });
}
void FaultProxy::black_hole() {
  set([](Faults& faults) { faults.black_hole = true; });
}
void FaultProxy::accept_and_stay_silent() {
  set([](Faults& faults) { faults.silent = true; });
}
void FaultProxy::refuse() {
  set([](Faults& faults) { faults.refuse = true; });
}
void FaultProxy::drop_answers() {
  set([](Faults& faults) { faults.drop_answers = true; });
}
void FaultProxy::delay(std::chrono::milliseconds by) {
  set([by](Faults& faults) { faults.delay = by; });
}
void FaultProxy::limit_bandwidth(std::size_t bytes_per_second) {
  set([=](Faults& faults) { faults.bandwidth = bytes_per_second; });
}
void FaultProxy::cut_after(std::size_t bytes) {
  set([bytes](Faults& faults) {
    faults.cut_after = bytes;
    ++faults.cuts;
  });
}
void FaultProxy::cut_answers_after(std::size_t bytes) {
  set([bytes](Faults& faults) {
    faults.cut_answers_after = bytes;
    ++faults.cuts;
  });
}
void FaultProxy::heal() {
  set([](Faults& faults) {
    faults = Faults{.resets = faults.resets, .half_closes = faults.half_closes, .cuts = faults.cuts};
  });
}

void FaultProxy::listen_again() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address = loopback(port_);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 || ::bind(listener_, generic, size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, generic, &size) != 0) {
    throw std::runtime_error(std::string("the proxy cannot listen: ") + std::strerror(errno));
  }
  port_ = ntohs(address.sin_port);
}

void FaultProxy::run() {
  int resets = 0;
  int half_closes = 0;
  int cuts = 0;
  while (!stop_) {
    Faults faults;
    {
      const std::lock_guard lock(mutex_);
      faults = faults_;
    }
    if (std::exchange(resets, faults.resets) != faults.resets) {
      for (Link& link : links_) close_link(link, true);
      links_.clear();
    }
    if (std::exchange(half_closes, faults.half_closes) != faults.half_closes) {
      for (Link& link : links_) {
        ::shutdown(link.client, SHUT_WR);
        link.half_closed = true;
      }
    }
    if (std::exchange(cuts, faults.cuts) != faults.cuts) {
      for (Link& link : links_) link.up.bytes = link.down.bytes = 0;
    }
    if (faults.refuse && listener_ >= 0) ::close(std::exchange(listener_, -1));
    if (!faults.refuse && listener_ < 0) listen_again();

    std::vector<pollfd> fds{{.fd = wake_, .events = POLLIN, .revents = 0},
                            {.fd = listener_, .events = POLLIN, .revents = 0}};
    bool due_later = false;
    for (const Link& link : links_) {
      const bool reads = !faults.black_hole;
      const auto wants = [&](const Direction& in, const Direction& out) {
        short events = 0;
        if (reads && !in.ended && in.waiting_bytes < most_waiting) events |= POLLIN;
        if (reads && !out.waiting.empty()) {
          if (out.waiting.front().due <= Clock::now() && out.next_allowed <= Clock::now()) {
            events |= POLLOUT;
          } else {
            due_later = true;
          }
        }
        return events;
      };
      fds.push_back({.fd = link.client, .events = wants(link.up, link.down), .revents = 0});
      fds.push_back({.fd = link.server, .events = wants(link.down, link.up), .revents = 0});
    }
    ::poll(fds.data(), fds.size(), due_later ? static_cast<int>(tick.count()) : -1);
    std::uint64_t count = 0;
    [[maybe_unused]] const auto cleared = ::read(wake_, &count, sizeof count);
    for (auto link = links_.begin(); link != links_.end();)
      link = serve(*link, faults) ? std::next(link) : links_.erase(link);
    if (listener_ >= 0 && (fds[1].revents & POLLIN) != 0) accept_one(faults);
  }
}

void FaultProxy::accept_one(const Faults& faults) {
  Link link;
  link.client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (link.client < 0) return;
  no_delay(link.client);
  if (!faults.silent) {
    link.server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(target_port_);
    inet_pton(AF_INET, host_.c_str(), &address.sin_addr);
    if (::connect(link.server, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      close_link(link, true);
      return;
    }
    no_delay(link.server);
    ++connections_made_;
  }
  links_.push_back(std::move(link));
}

bool FaultProxy::serve(Link& link, const Faults& faults) {
  if (faults.black_hole) return true;
  const bool discards_answers = faults.drop_answers || link.half_closed;
  const std::size_t taken = link.up.bytes;
  const bool goes_on =
      read_from(link.client, link.up, {faults.delay, faults.cut_after, link.server < 0 || link.half_closed}) &&
      read_from(link.server, link.down, {faults.delay, faults.cut_answers_after, discards_answers}) &&
      write_to(link.server, link.up, faults) && write_to(link.client, link.down, faults);
  bytes_taken_ += link.up.bytes - taken;
  const auto is_cut = [](const Direction& direction, std::size_t limit) {
    return limit != 0 && direction.bytes >= limit && direction.waiting.empty();
  };
  const bool cut = is_cut(link.up, faults.cut_after) || is_cut(link.down, faults.cut_answers_after);
  const bool over = link.up.shut && link.down.shut;
  if (goes_on && !cut && !over) return true;
  close_link(link, !over);
  if (cut) ++connections_cut_;
  return false;
}

/// Takes what there is, up to the limit; false: the connection broke.
bool FaultProxy::read_from(int source, Direction& direction, const Reading& how) {
  std::array<char, 65'536> buffer{};
  while (source >= 0 && !direction.ended && direction.waiting_bytes < most_waiting) {
    std::size_t most = buffer.size();
    if (how.limit != 0) most = std::min(most, how.limit - std::min(how.limit, direction.bytes));
    if (most == 0) break;
    const ssize_t size = ::recv(source, buffer.data(), most, MSG_DONTWAIT);
    if (size < 0) return errno == EAGAIN;
    if (size == 0) {
      direction.ended = true;
      break;
    }
    direction.bytes += static_cast<std::size_t>(size);
    if (how.discard) continue;
    direction.waiting.push_back({std::string(buffer.data(), static_cast<std::size_t>(size)), Clock::now() + how.delay});
    direction.waiting_bytes += static_cast<std::size_t>(size);
  }
  return true;
}

bool FaultProxy::write_to(int sink, Direction& direction, const Faults& faults) {
  while (sink >= 0 && !direction.waiting.empty() && direction.waiting.front().due <= Clock::now() &&
         direction.next_allowed <= Clock::now()) {
    Chunk& chunk = direction.waiting.front();
    std::size_t size = chunk.bytes.size();
    if (faults.bandwidth != 0) size = std::min<std::size_t>(size, std::max<std::size_t>(1, faults.bandwidth / 100));
    const ssize_t sent = ::send(sink, chunk.bytes.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    const auto bytes = static_cast<std::size_t>(sent);
    direction.waiting_bytes -= bytes;
    if (faults.bandwidth != 0) {
      direction.next_allowed = Clock::now() + std::chrono::microseconds(1'000'000 * bytes / faults.bandwidth);
    }
    chunk.bytes.erase(0, bytes);
    if (chunk.bytes.empty()) direction.waiting.pop_front();
  }
  if (direction.ended && direction.waiting.empty() && !std::exchange(direction.shut, true)) ::shutdown(sink, SHUT_WR);
  return true;
}

void FaultProxy::close_link(Link& link, bool reset) {
  for (const int fd : {link.client, link.server}) {
    if (fd < 0) continue;
    if (reset) {
      const linger at_once{.l_onoff = 1, .l_linger = 0};
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    ::close(fd);
  }
  link.client = link.server = -1;
}

}  // namespace action_triggers::tests
