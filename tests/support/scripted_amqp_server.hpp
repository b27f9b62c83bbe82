// SPDX-License-Identifier: MIT
/// A server that speaks as much AMQP 0-9-1 as a publisher needs, and then whatever a test makes it say.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace action_triggers::tests {

// What goes over the wire (AMQP 0-9-1, 4.2): numbers are big-endian.
std::string octet(std::uint8_t value);
std::string short_number(std::uint16_t value);
std::string long_number(std::uint32_t value);
std::string longlong_number(std::uint64_t value);
std::string short_string(const std::string& text);
std::string long_string(const std::string& text);

struct MethodId {
  std::uint16_t of_class;
  std::uint16_t method;
};
inline constexpr MethodId connection_start{10, 10};
inline constexpr MethodId connection_tune{10, 30};
inline constexpr MethodId connection_open_ok{10, 41};
inline constexpr MethodId connection_close{10, 50};
inline constexpr MethodId connection_close_ok{10, 51};
inline constexpr MethodId connection_blocked{10, 60};
inline constexpr MethodId connection_unblocked{10, 61};
inline constexpr MethodId channel_open_ok{20, 11};
inline constexpr MethodId channel_close{20, 40};
inline constexpr MethodId channel_close_ok{20, 41};
inline constexpr MethodId exchange_declare_ok{40, 11};
inline constexpr MethodId queue_declare_ok{50, 11};
inline constexpr MethodId basic_return{60, 50};
inline constexpr MethodId basic_ack{60, 80};
inline constexpr MethodId confirm_select_ok{85, 11};
inline constexpr MethodId tx_select_ok{90, 11};

inline constexpr std::uint8_t method_frame = 1;
inline constexpr std::uint8_t header_frame = 2;
inline constexpr std::uint8_t body_frame = 3;
inline constexpr std::uint8_t heartbeat_frame = 8;

std::string frame(std::uint8_t type, std::uint16_t channel, const std::string& payload);
std::string method(std::uint16_t channel, MethodId id, const std::string& arguments = {});
std::string ack(std::uint16_t channel, std::uint64_t tag, bool multiple = false);
std::string return_method(std::uint16_t channel, const std::string& exchange = {});
/// The header of a returned message with this id.
std::string return_header(std::uint16_t channel, const std::string& message_id, std::uint64_t body_size);
std::string start_method(const std::string& server_properties = {});

/// One connection, for the script that serves it. Its members throw Gone when the client has gone or the test is over;
/// the script need not catch it.
class AmqpPeer {
 public:
  struct Gone {};
  struct Frame {
    std::uint8_t type = 0;
    std::uint16_t channel = 0;
    std::string payload;
  };
  struct Publish {
    std::uint16_t channel = 0;
    std::string message_id;
  };

  explicit AmqpPeer(int fd) : fd_(fd) {}

  void write(const std::string& bytes);
  /// From now on `damage` may change what is written.
  void damage(std::function<void(std::string&)> damage) { damage_ = std::move(damage); }
  /// From now on `watch` sees every method that next_publish() reads.
  void watch(std::function<void(const Frame&)> watch) { watch_ = std::move(watch); }
  Frame read_frame();
  /// The client's first eight bytes.
  void read_protocol_header();
  /// From the protocol header to connection.open-ok. `heartbeat` in seconds; 0: none.
  void log_in(std::uint32_t frame_max = 131'072, std::uint16_t heartbeat = 0, std::uint16_t channel_max = 2'047);
  /// From now on channel.close has no answer.
  void ignore_closes() { ignores_closes_ = true; }
  /// Answers whatever the client asks for until it has published a message.
  Publish next_publish();
  /// The same until it begins to publish one: its header is read, its body is not. Returns the channel.
  std::uint16_t next_header();
  /// Until the client goes.
  void read_on();
  /// The same without reading a byte.
  void stop_reading();
  /// Ends the connection with a reset.
  void reset();

 private:
  struct Header {
    std::uint16_t channel = 0;
    std::string payload;
  };
  Header read_header();
  std::string read(std::size_t bytes);
  const int fd_;
  std::function<void(std::string&)> damage_;
  std::function<void(const Frame&)> watch_;
  bool ignores_closes_ = false;
};

/// Serves connections on the loopback interface, one after the other, each with the script.
class ScriptedAmqpServer {
 public:
  using Script = std::function<void(AmqpPeer&)>;
  explicit ScriptedAmqpServer(Script script);
  ~ScriptedAmqpServer();
  ScriptedAmqpServer(const ScriptedAmqpServer&) = delete;
  ScriptedAmqpServer& operator=(const ScriptedAmqpServer&) = delete;

  [[nodiscard]] int port() const { return port_; }

 private:
  void run();

  const Script script_;
  int listener_ = -1;
  int port_ = 0;
  std::mutex mutex_;
  int current_ = -1;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace action_triggers::tests
