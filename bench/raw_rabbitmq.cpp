// SPDX-License-Identifier: MIT
// rabbitmq-c at its best: one thread, confirms pipelined, the same properties as ours.
#include <poll.h>

#include <ctime>
#include <stdexcept>

#include "brokers/rabbitmq/amqp.hpp"  // for rabbitmq-c's headers, which have moved
#include "measure.hpp"

using namespace action_triggers::bench;

namespace {

class Publisher {
 public:
  explicit Publisher(const Options& options) : queue_(options.destination) {
    amqp_socket_t* socket = amqp_tcp_socket_new(connection_);
    check(amqp_socket_open(socket, options.host().c_str(), options.port()));
    check(amqp_login(connection_, "/", 0, 131'072, 60, AMQP_SASL_METHOD_PLAIN, "guest", "guest"));
    amqp_channel_open(connection_, 1);
    check(amqp_get_rpc_reply(connection_));
    amqp_confirm_select(connection_, 1);
    check(amqp_get_rpc_reply(connection_));
  }
  ~Publisher() {
    amqp_connection_close(connection_, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(connection_);
  }
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  void publish(const std::string& body, const std::string& id) {
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_TIMESTAMP_FLAG;
    properties.message_id = {id.size(), const_cast<char*>(id.data())};
    properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
    properties.timestamp = static_cast<std::uint64_t>(std::time(nullptr));
    check(amqp_basic_publish(connection_, 1, amqp_empty_bytes, {queue_.size(), queue_.data()}, 1, 0, &properties,
                             {body.size(), const_cast<char*>(body.data())}));
    ++published_;
  }

  /// Reads what is there, until all is confirmed: then nothing can come. With `wait`, at least one frame.
  void read(bool wait) {
    const timeval none{};
    for (;;) {
      amqp_frame_t frame;
      const int result = amqp_simple_wait_frame_noblock(connection_, &frame, wait ? nullptr : &none);
      if (result == AMQP_STATUS_TIMEOUT) break;
      check(result);
      wait = false;
      if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD) {
        throw std::runtime_error("something else than an ack");
      }
      const auto& ack = *static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
      if (ack.multiple != 0 || ack.delivery_tag == confirmed_ + 1) {
        confirmed_ = ack.delivery_tag;  // the broker confirms these in order
      } else {
        throw std::runtime_error("confirmations out of order");
      }
      if (confirmed_ == published_) break;
    }
    amqp_maybe_release_buffers(connection_);
  }

  [[nodiscard]] std::size_t published() const { return published_; }
  [[nodiscard]] std::size_t confirmed() const { return confirmed_; }

 private:
  static void check(int status) {
    if (status < 0) throw std::runtime_error(amqp_error_string2(status));
  }
  static void check(const amqp_rpc_reply_t& reply) {
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) throw std::runtime_error("the broker refused");
  }

  amqp_connection_state_t connection_ = amqp_new_connection();
  std::string queue_;
  std::size_t published_ = 0;
  std::size_t confirmed_ = 0;
};

nlohmann::json measure(const Options& options, const Stopwatch& since_start) {
  const std::size_t in_flight = options.in_flight != 0 ? options.in_flight : 1'000;
  constexpr std::size_t burst = 256;  // published between two looks at what the broker says
  const std::string body(options.size, 'x');
  Publisher publisher(options);
  publisher.publish(body, id_of(0));
  while (publisher.confirmed() < 1) publisher.read(true);
  if (options.work == "first") return {{"seconds", since_start.seconds()}};
  if (options.work == "throughput") {
    const Stopwatch watch;
    for (std::size_t i = 0; i < options.count; ++i) {
      publisher.publish(body, id_of(i));
      if (i % burst == 0) publisher.read(false);
      while (publisher.published() - publisher.confirmed() >= in_flight) publisher.read(true);
    }
    while (publisher.confirmed() < publisher.published()) publisher.read(true);
    return rates(options.count, watch);
  }
  return quantiles(time_each(1, options.count, 0, [&](std::size_t i) {
    publisher.publish(body, id_of(i));
    while (publisher.confirmed() < publisher.published()) publisher.read(true);
  }));
}

}  // namespace

int main(int argc, char** argv) {
  const Stopwatch since_start;
  Works works = common_works;
  std::erase_if(works, [](const auto& work) {
    return work.first != "throughput" && work.first != "latency" && work.first != "first";
  });
  const Options options = parse(argc, argv, "Measures rabbitmq-c by itself.", works);
  try {
    return report(options, "raw rabbitmq-c", measure(options, since_start));
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
