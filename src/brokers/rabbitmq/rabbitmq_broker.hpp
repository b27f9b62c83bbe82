/// RabbitMQ over rabbitmq-c: pipelined publisher confirms, one connection a lane, one channel an exchange.
///
/// Exchanges have channels of their own because what is wrong with an exchange (missing, refused) closes a channel and
/// leaves everything unconfirmed on it unknown; queues behind the default exchange share one. Declarations and probes
/// have a channel to themselves. Nothing blocks: methods are sent, their answers arrive in poll().
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "action_triggers/broker.hpp"
#include "brokers/rabbitmq/amqp.hpp"
#include "brokers/rabbitmq/amqp_connector.hpp"
#include "brokers/rabbitmq/publish_buffer.hpp"
#include "brokers/rabbitmq/watchdog.hpp"

namespace action_triggers::detail {

class RabbitMqBroker final : public Broker {
 public:
  explicit RabbitMqBroker(const RabbitMqConfig& config);
  ~RabbitMqBroker() override;

  void start(const LaneContext& context) override;
  void connect(BrokerEvents& events) override;
  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override;
  void poll(BrokerEvents& events) override;
  [[nodiscard]] WaitRequest wait_request() const override;
  void close(BrokerEvents& events, std::chrono::milliseconds timeout) override;

 private:
  /// A status that holds until a point in time: what was refused is not asked again for every message.
  struct Refusal {
    Status status;
    TimePoint until = TimePoint::min();
  };

  struct Unconfirmed {
    const OutboundMessage* message;  // nullptr: settled already, out of order
    std::optional<Status> returned;
  };

  /// A basic.return arrives in pieces: method, header, body.
  struct Returned {
    std::string text;
    std::string message_id;
    std::optional<std::uint64_t> body_left;  // once the header is here
  };

  enum class ChannelState : std::uint8_t { closed, waiting_for_probe, open, closing };

  /// The channel of one exchange.
  struct Channel {
    amqp_channel_t id = 0;
    std::string exchange;
    ChannelState state = ChannelState::closed;
    Refusal refusal;              // the exchange is missing
    std::uint64_t first_tag = 1;  // the delivery tag of unconfirmed.front(); tags restart with every channel
    std::deque<Unconfirmed> unconfirmed;
    std::size_t unsettled = 0;           // entries of unconfirmed with a message
    std::optional<Returned> returned;    // is on its way
    bool had_error = false;              // messages that are tried again go alone, so that the guilty one is known
    bool sent_alone = false;             // the one message in unconfirmed is such a one
    bool had_nack = false;               // a message that is tried again gets a channel that knows nothing of it
    TimePoint renewed_at;                // when that last happened
    std::size_t reserved_for = no_name;  // this name waits for the channel to be empty
    TimePoint reserved_until;
  };

  /// What the names of the lane need, in destination_index order.
  struct Name {
    const RabbitMqConfig* config;
    std::size_t channel;
    bool declared = false;  // or has nothing to declare
    bool declaring = false;
    Refusal refusal;  // declaration or permission
  };

  /// Declarations and probes, one at a time: a channel.close does not say which of several it answers.
  struct Job {
    enum class Kind : std::uint8_t { probe_exchange, declare_queue } kind;
    std::size_t index;  // of channels_ or names_
  };

  static constexpr std::size_t no_name = static_cast<std::size_t>(-1);
  static constexpr amqp_channel_t control_channel = 1;
  static constexpr amqp_channel_t first_publish_channel = 2;

  // Connection
  void adopt(AmqpConnection connection, BrokerEvents& events);
  void lose_connection(const Status& why, BrokerEvents& events);
  [[nodiscard]] bool send_method(amqp_channel_t channel, amqp_method_number_t method, void* decoded);
  [[nodiscard]] bool takes_a_step() const;
  [[nodiscard]] bool writable();

  // Channels
  void open_channel(Channel& channel);
  void prepare(Channel& channel);
  void renew(Channel& channel, TimePoint now);
  Channel* find_channel(amqp_channel_t id);
  void on_channel_closed(Channel& channel, int code, std::string_view text, BrokerEvents& events);
  void fail_unconfirmed(Channel& channel, const Status& why, Persistence persistence, BrokerEvents& events);

  // Declarations and probes
  void add_job(Job job);
  void run_next_job();
  void job_done(const Status& status);

  // Publishing
  [[nodiscard]] const Refusal* refusal_of(const Name& name, const Channel& channel, TimePoint now) const;
  [[nodiscard]] bool may_publish(Name& name, Channel& channel, const OutboundMessage& message, TimePoint now);
  [[nodiscard]] std::optional<Status> invalid(const Name& name, const OutboundMessage& message) const;
  class Cork;
  void publish(const Name& name, const Channel& channel, const OutboundMessage& message, std::optional<Cork>& cork);
  void write_publishes();

  // Reading
  void read_frames(BrokerEvents& events);
  void on_frame(const amqp_frame_t& frame, BrokerEvents& events);
  void on_connection_method(const amqp_method_t& method, BrokerEvents& events);
  void on_control_method(const amqp_method_t& method);
  void on_publish_method(Channel& channel, const amqp_method_t& method, BrokerEvents& events);
  void on_return_piece(Channel& channel, const amqp_frame_t& frame);
  static void finish_return(Channel& channel);
  void settle(Channel& channel, std::uint64_t tag, bool multiple, bool acknowledged, BrokerEvents& events);
  void settle_one(Channel& channel, Unconfirmed& entry, bool acknowledged, BrokerEvents& events);

  const RabbitMqConfig config_;
  std::optional<Waker> waker_;
  std::vector<Name> names_;
  std::vector<Channel> channels_;

  std::unique_ptr<AmqpConnector> connector_;
  std::size_t host_ = 0;
  AmqpConnection connection_;
  std::optional<Status> broken_;  // the connection is to be given up in the next poll()
  bool blocked_ = false;
  bool close_ok_ = false;
  bool wants_writable_ = false;
  bool more_to_read_ = false;
  std::size_t write_budget_ = 0;  // bytes that the socket takes without blocking
  TimePoint last_poll_;

  bool control_open_ = false;
  std::deque<Job> jobs_;
  bool job_running_ = false;

  // A socket that polls writable has at least a third of its buffer free (Linux); this much fits in any buffer's third.
  static constexpr std::size_t write_step = 32UL * 1024UL;
  PublishBuffer buffered_{write_step};  // empty outside send()
  std::vector<amqp_table_entry_t> header_entries_;
  Watchdog watchdog_;
};

}  // namespace action_triggers::detail
