// SPDX-License-Identifier: MIT
#include "support/scripted_amqp_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <utility>

namespace action_triggers::tests {
namespace {

template <class Number>
std::string big_endian(Number value) {
  std::string bytes(sizeof value, '\0');
  for (std::size_t i = sizeof value; i-- > 0; value = static_cast<Number>(value / 256)) {
    bytes[i] = static_cast<char>(value % 256);
  }
  return bytes;
}

std::uint64_t number_in(const std::string& bytes, std::size_t at, std::size_t size) {
  if (at + size > bytes.size()) throw AmqpPeer::Gone{};
  std::uint64_t value = 0;
  for (std::size_t i = at; i < at + size; ++i) value = value * 256 + static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace

std::string octet(std::uint8_t value) { return {static_cast<char>(value)}; }
std::string short_number(std::uint16_t value) { return big_endian(value); }
std::string long_number(std::uint32_t value) { return big_endian(value); }
std::string longlong_number(std::uint64_t value) { return big_endian(value); }
std::string short_string(const std::string& text) { return octet(static_cast<std::uint8_t>(text.size())) + text; }
std::string long_string(const std::string& text) { return long_number(static_cast<std::uint32_t>(text.size())) + text; }

std::string frame(std::uint8_t type, std::uint16_t channel, const std::string& payload) {
  return octet(type) + short_number(channel) + long_string(payload) + octet(0xCE);
}
std::string method(std::uint16_t channel, MethodId id, const std::string& arguments) {
  return frame(method_frame, channel, short_number(id.of_class) + short_number(id.method) + arguments);
}
std::string ack(std::uint16_t channel, std::uint64_t tag, bool multiple) {
  return method(channel, basic_ack, longlong_number(tag) + octet(multiple ? 1 : 0));
}
std::string return_method(std::uint16_t channel, const std::string& exchange) {
  return method(channel, basic_return,
                short_number(312) + short_string("NO_ROUTE") + short_string(exchange) + short_string("q"));
}
std::string return_header(std::uint16_t channel, const std::string& message_id, std::uint64_t body_size) {
  constexpr std::uint16_t message_id_flag = 1 << 7;
  return frame(header_frame, channel,
               short_number(60) + short_number(0) + longlong_number(body_size) + short_number(message_id_flag) +
                   short_string(message_id));
}
std::string start_method(const std::string& server_properties) {
  return method(0, connection_start,
                octet(0) + octet(9) + long_string(server_properties) + long_string("PLAIN") + long_string("en_US"));
}

void AmqpPeer::write(const std::string& whole) {
  std::string bytes = whole;
  if (damage_) damage_(bytes);
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::send(fd_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (n <= 0) throw Gone{};
    done += static_cast<std::size_t>(n);
  }
}

std::string AmqpPeer::read(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t n = ::recv(fd_, text.data() + done, bytes - done, 0);
    if (n <= 0) throw Gone{};
    done += static_cast<std::size_t>(n);
  }
  return text;
}

AmqpPeer::Frame AmqpPeer::read_frame() {
  const std::string head = read(7);
  Frame frame;
  frame.type = static_cast<std::uint8_t>(number_in(head, 0, 1));
  frame.channel = static_cast<std::uint16_t>(number_in(head, 1, 2));
  const std::uint64_t size = number_in(head, 3, 4);
  if (size > (1U << 24U)) throw Gone{};  // no frame: somebody speaks TLS
  frame.payload = read(size);
  read(1);
  return frame;
}

void AmqpPeer::read_protocol_header() { read(8); }

void AmqpPeer::log_in(std::uint32_t frame_max, std::uint16_t heartbeat, std::uint16_t channel_max) {
  read_protocol_header();
  write(start_method());
  read_frame();  // start-ok
  write(method(0, connection_tune, short_number(channel_max) + long_number(frame_max) + short_number(heartbeat)));
  read_frame();  // tune-ok
  read_frame();  // open
  write(method(0, connection_open_ok, short_string("")));
}

AmqpPeer::Publish AmqpPeer::next_publish() {
  const Header header = read_header();
  for (std::uint64_t left = number_in(header.payload, 4, 8); left > 0;) left -= read_frame().payload.size();
  // The id is found by how it begins: the tests choose it so.
  const std::size_t id = header.payload.find("id-");
  if (id == std::string::npos) return {header.channel, {}};
  return {header.channel, header.payload.substr(id, number_in(header.payload, id - 1, 1))};
}

std::uint16_t AmqpPeer::next_header() { return read_header().channel; }

AmqpPeer::Header AmqpPeer::read_header() {
  while (true) {
    const Frame asked = read_frame();
    if (asked.type != method_frame) continue;
    if (watch_) watch_(asked);
    switch (number_in(asked.payload, 0, 4)) {
      case 10 << 16 | 50:
        write(method(0, connection_close_ok));
        throw Gone{};
      case 20 << 16 | 10:
        write(method(asked.channel, channel_open_ok, long_string("")));
        break;
      case 20 << 16 | 40:
        if (!ignores_closes_) write(method(asked.channel, channel_close_ok));
        break;
      case 40 << 16 | 10:
        write(method(asked.channel, exchange_declare_ok));
        break;
      case 50 << 16 | 10:
        write(method(asked.channel, queue_declare_ok, short_string("q") + long_number(0) + long_number(0)));
        break;
      case 85 << 16 | 10:
        write(method(asked.channel, confirm_select_ok));
        break;
      case 90 << 16 | 10:
        write(method(asked.channel, tx_select_ok));
        break;
      case 60 << 16 | 40:
        return {asked.channel, read_frame().payload};
      default:
        break;
    }
  }
}

void AmqpPeer::read_on() {
  while (true) next_publish();
}

void AmqpPeer::stop_reading() {
  pollfd fd{.fd = fd_, .events = POLLRDHUP, .revents = 0};
  while ((fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0) ::poll(&fd, 1, -1);
  throw Gone{};
}

void AmqpPeer::reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  throw Gone{};
}

ScriptedAmqpServer::ScriptedAmqpServer(Script script) : script_(std::move(script)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no port to listen on");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

ScriptedAmqpServer::~ScriptedAmqpServer() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    if (current_ >= 0) ::shutdown(current_, SHUT_RDWR);
  }
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
}

void ScriptedAmqpServer::run() {
  while (true) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    {
      const std::lock_guard lock(mutex_);
      current_ = fd;
      if (stop_) ::shutdown(fd, SHUT_RDWR);
    }
    AmqpPeer peer(fd);
    try {
      script_(peer);
    } catch (const AmqpPeer::Gone&) {
    }
    const std::lock_guard lock(mutex_);
    current_ = -1;
    ::close(fd);
  }
}

}  // namespace action_triggers::tests
