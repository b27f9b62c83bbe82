// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/publish_buffer.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace action_triggers::detail {
namespace {

constexpr amqp_channel_t channel = 7;
constexpr std::size_t frame_payload = 131'064;

/// Two connected sockets, the first of which takes little before somebody reads.
struct Sockets {
  Sockets() {
    std::array<int, 2> fds{};
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()) != 0) throw std::runtime_error("no sockets");
    ours = fds[0];
    peers = fds[1];
    const int little = 4'096;
    ::setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
  }
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;
  ~Sockets() {
    ::close(ours);
    if (peers >= 0) ::close(peers);
  }
  int ours = -1;
  int peers = -1;
};

bool add(PublishBuffer& buffer, const std::string& queue, const std::string& body, const std::string& id = "id") {
  Publish publish;
  publish.method.exchange = amqp_empty_bytes;
  publish.method.routing_key = to_amqp(queue);
  publish.method.mandatory = 1;
  publish.properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
  publish.properties.delivery_mode = 2;
  set_message_id(publish.properties, id);
  publish.body = body;
  return buffer.add(channel, publish, frame_payload);
}

/// What is written, until the writer shuts its end down.
std::string written(PublishBuffer& buffer) {
  const Sockets sockets;
  std::string all;
  std::thread reader([&] {
    std::array<char, 1'000> piece{};
    for (ssize_t n = 0; (n = ::read(sockets.peers, piece.data(), piece.size())) > 0;) {
      all.append(piece.data(), static_cast<std::size_t>(n));
    }
  });
  Watchdog watchdog(std::chrono::seconds(10));
  EXPECT_FALSE(buffer.write_to(sockets.ours, watchdog));
  ::shutdown(sockets.ours, SHUT_WR);
  reader.join();
  return all;
}

/// The frames of `bytes`, as rabbitmq-c reads them.
class Frames {
 public:
  explicit Frames(std::string bytes) : bytes_(std::move(bytes)) {}
  /// The next frame; frame_type 0: there is none.
  amqp_frame_t next() {
    amqp_frame_t frame{};
    while (frame.frame_type == 0 && at_ < bytes_.size()) {
      const int used = amqp_handle_input(state_.get(), to_amqp(std::string_view(bytes_).substr(at_)), &frame);
      EXPECT_GT(used, 0) << amqp_error_string2(used);
      if (used <= 0) break;
      at_ += static_cast<std::size_t>(used);
    }
    return frame;
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
  AmqpHandle state_{amqp_new_connection()};
};

TEST(PublishBufferTest, WritesTheFramesOfEachMessageInOrder) {
  PublishBuffer buffer(1'000'000);
  const std::vector<std::string> bodies{"first", "", std::string(50'000, 'x'), std::string("\0\xCE", 2)};
  for (const std::string& body : bodies) ASSERT_TRUE(add(buffer, "orders", body, "id of " + body.substr(0, 5)));
  Frames frames(written(buffer));
  EXPECT_TRUE(buffer.empty());
  for (const std::string& body : bodies) {
    amqp_frame_t frame = frames.next();
    ASSERT_EQ(frame.frame_type, AMQP_FRAME_METHOD);
    EXPECT_EQ(frame.channel, channel);
    ASSERT_EQ(frame.payload.method.id, AMQP_BASIC_PUBLISH_METHOD);
    const auto& method = *static_cast<const amqp_basic_publish_t*>(frame.payload.method.decoded);
    EXPECT_EQ(from_amqp(method.routing_key), "orders");
    EXPECT_EQ(from_amqp(method.exchange), "");
    EXPECT_EQ(method.mandatory, 1);
    frame = frames.next();
    ASSERT_EQ(frame.frame_type, AMQP_FRAME_HEADER);
    EXPECT_EQ(frame.channel, channel);
    EXPECT_EQ(frame.payload.properties.body_size, body.size());
    const auto& properties = *static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded);
    EXPECT_EQ(properties._flags, AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG);
    EXPECT_EQ(from_amqp(properties.message_id), "id of " + body.substr(0, 5));
    EXPECT_EQ(properties.delivery_mode, 2);
    if (body.empty()) continue;
    frame = frames.next();
    ASSERT_EQ(frame.frame_type, AMQP_FRAME_BODY);
    EXPECT_EQ(frame.channel, channel);
    EXPECT_EQ(from_amqp(frame.payload.body_fragment), body);
  }
  EXPECT_EQ(frames.next().frame_type, 0);
}

TEST(PublishBufferTest, APeerThatTakesNothingIsGivenUp) {
  PublishBuffer buffer(1'000'000);
  ASSERT_TRUE(add(buffer, "orders", std::string(100'000, 'x')));
  const Sockets sockets;
  Watchdog watchdog(std::chrono::milliseconds(50));
  for (int again = 0; again < 2; ++again) {  // also while the watchdog's thread is there already
    EXPECT_EQ(buffer.write_to(sockets.ours, watchdog), std::errc::broken_pipe);
    EXPECT_TRUE(buffer.empty());
    ASSERT_TRUE(add(buffer, "orders", std::string(100'000, 'x')));
  }
}

TEST(PublishBufferTest, AMessageThatDoesNotFitChangesNothing) {
  PublishBuffer alone(1'000);
  ASSERT_TRUE(add(alone, "orders", "x"));
  PublishBuffer buffer(1'000);
  ASSERT_TRUE(add(buffer, "orders", "x"));
  EXPECT_FALSE(add(buffer, "orders", std::string(1'000, 'y')));
  EXPECT_FALSE(add(buffer, "orders", "y", std::string(2'000, 'i'))) << "longer than an id may be";
  // Whatever piece it is that does not fit any more.
  for (std::size_t size = 1; size < 1'000; ++size) {
    PublishBuffer small(size);
    EXPECT_EQ(add(small, "orders", "body"), size >= 61);  // three frames of 23, 26 and 12 bytes
  }
  EXPECT_EQ(written(buffer), written(alone));
}

TEST(PublishBufferTest, ABodyOfSeveralFramesIsNotTaken) {
  PublishBuffer buffer(1'000'000);
  EXPECT_FALSE(add(buffer, "orders", std::string(frame_payload + 1, 'x')));
  EXPECT_TRUE(add(buffer, "orders", std::string(frame_payload, 'x')));
}

TEST(PublishBufferTest, APeerThatIsGoneIsAnErrorAndNoSignal) {
  Sockets sockets;
  ::close(std::exchange(sockets.peers, -1));
  PublishBuffer buffer(1'000);
  ASSERT_TRUE(add(buffer, "orders", "x"));
  Watchdog watchdog(std::chrono::seconds(10));
  EXPECT_EQ(buffer.write_to(sockets.ours, watchdog), std::errc::broken_pipe);
  EXPECT_TRUE(buffer.empty()) << "what was in it belonged to that connection";
}

}  // namespace
}  // namespace action_triggers::detail
