#include "brokers/rabbitmq/publish_buffer.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

namespace action_triggers::detail {
namespace {

// AMQP 0-9-1, 2.3.5 and 4.2: type, channel, size, payload, end. Numbers are big-endian.
constexpr unsigned char frame_end = AMQP_FRAME_END;

/// Appends to a range of bytes until there is no room.
class Writer {
 public:
  Writer(char* begin, char* end) : at_(begin), end_(end) {}

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] char* at() const { return at_; }
  [[nodiscard]] std::size_t room() const { return static_cast<std::size_t>(end_ - at_); }

  void number(std::uint64_t value, std::size_t bytes) {
    if (!fits(bytes)) return;
    for (std::size_t i = bytes; i-- > 0; value >>= 8U) at_[i] = static_cast<char>(value & 0xFFU);
    at_ += bytes;
  }
  void text(std::string_view text) {
    if (!fits(text.size())) return;
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  /// What one of rabbitmq-c's encoders makes: a number of bytes, or an error.
  template <class Encode>
  void encoded(Encode&& encode) {
    if (failed_) return;
    const int size = encode(amqp_bytes_t{room(), at_});
    if (size <= 0) {
      failed_ = true;
    } else {
      at_ += size;
    }
  }
  template <class WritePayload>
  void frame(int type, amqp_channel_t channel, WritePayload&& write_payload) {
    number(static_cast<std::uint64_t>(type), 1);
    number(channel, 2);
    char* const size_at = at_;
    number(0, 4);
    write_payload();
    if (failed_) return;
    const auto size = static_cast<std::uint64_t>(at_ - size_at) - 4;
    Writer(size_at, size_at + 4).number(size, 4);
    number(frame_end, 1);
  }

 private:
  bool fits(std::size_t bytes) {
    failed_ = failed_ || bytes > room();
    return !failed_;
  }

  char* at_;
  char* const end_;
  bool failed_ = false;
};

}  // namespace

bool PublishBuffer::add(amqp_channel_t channel, amqp_basic_publish_t& method, amqp_basic_properties_t& properties,
                        std::string_view body, std::size_t frame_payload) {
  if (body.size() > frame_payload) return false;
  Writer writer(bytes_.data() + used_, bytes_.data() + bytes_.size());
  writer.frame(AMQP_FRAME_METHOD, channel, [&] {
    writer.number(AMQP_BASIC_PUBLISH_METHOD, 4);
    writer.encoded([&](amqp_bytes_t to) { return amqp_encode_method(AMQP_BASIC_PUBLISH_METHOD, &method, to); });
  });
  writer.frame(AMQP_FRAME_HEADER, channel, [&] {
    writer.number(AMQP_BASIC_CLASS, 2);
    writer.number(0, 2);  // "weight"
    writer.number(body.size(), 8);
    writer.encoded([&](amqp_bytes_t to) { return amqp_encode_properties(AMQP_BASIC_CLASS, &properties, to); });
  });
  if (!body.empty()) writer.frame(AMQP_FRAME_BODY, channel, [&] { writer.text(body); });
  if (writer.failed()) return false;
  used_ = static_cast<std::size_t>(writer.at() - bytes_.data());
  return true;
}

std::error_code PublishBuffer::write_to(int fd, Watchdog& watchdog) {
  const std::size_t size = std::exchange(used_, 0);
  std::size_t written = 0;
  while (written < size) {
    const ssize_t result = ::send(fd, bytes_.data() + written, size - written, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (result >= 0) {
      written += static_cast<std::size_t>(result);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
      watchdog.arm(fd);
      ::poll(&writable, 1, -1);
      watchdog.disarm();
    } else if (errno != EINTR) {
      return {errno, std::generic_category()};
    }
  }
  return {};
}

}  // namespace action_triggers::detail
