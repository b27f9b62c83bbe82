// SPDX-License-Identifier: MIT
/// Which channel each destination of a lane publishes on, and when it goes to another one.
///
/// Destinations of an exchange share a channel until there is trouble. If the connection has too few channels,
/// exchanges share them, too. Who is in trouble goes on alone on a new one, and comes back later; if a channel is not
/// confirmed, it is left to those who wait there; if nothing is, and several wait, it is given up. Nobody moves while
/// something of theirs is unconfirmed, or their order would be lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/broker.hpp"
#include "brokers/rabbitmq/amqp.hpp"
#include "brokers/rabbitmq/declarations.hpp"
#include "brokers/rabbitmq/exchange_channels.hpp"

namespace action_triggers::detail {

class DestinationChannels {
 public:
  /// What DestinationChannels needs of its owner.
  class Owner {
   public:
    virtual bool send_method(amqp_channel_t channel, amqp_method_number_t method, void* decoded) = 0;
    /// Something has a time limit from now on: check_times() is to be called before long.
    virtual void times_begin(TimePoint now) = 0;

   protected:
    ~Owner() = default;
  };

  /// `declarations` is told which exchanges there are.
  DestinationChannels(Declarations& declarations, Owner& owner)
      : declarations_(declarations), owner_(owner), channels_(publishers_) {}

  // Destinations

  /// `destination`: the next number, or that of one that was removed. It is on no channel.
  void add(std::size_t destination, const std::string& exchange);
  /// Nothing of it is unconfirmed.
  void remove(std::size_t destination, TimePoint now);
  /// The exchange's number in `declarations`.
  [[nodiscard]] std::size_t exchange_of(std::size_t destination) const { return targets_[destination].exchange; }

  // Connection

  /// The connection is a new one, on which AMQP channels from `first_id` to `last_id` may be used: nobody is on one.
  void reset(amqp_channel_t first_id, amqp_channel_t last_id);
  /// The connection is gone. Completes everything unconfirmed as possibly persisted.
  void lost(const Status& why, BrokerEvents& events);
  /// How many channels it may have.
  [[nodiscard]] std::size_t most() const noexcept { return channels_.most(); }
  /// nullptr: no channel has this number.
  [[nodiscard]] PublishChannel* find(std::uint16_t id) { return channels_.find(id); }
  /// The broker has closed this channel: whether the exchanges of those who are on it exist is to be asked again.
  void closed_by_broker(const PublishChannel& channel);

  // Publishing

  /// Puts the destination on the channel that others of its exchange share, if it is on none. The exchange exists.
  /// False: the connection has no channel for it.
  [[nodiscard]] bool join(std::size_t destination, TimePoint now);
  /// The channel that takes this message now, if there is one. The destination has joined, and its exchange exists.
  [[nodiscard]] PublishChannel* channel_for(const OutboundMessage& message, TimePoint now);

  // Time

  [[nodiscard]] bool has_times() const;
  /// Gives up channels on which nothing is confirmed. `is_excused`: no answer can be expected on the channel yet. Not
  /// ok: the broker does not read the connection; or, with `leaves_host`, nothing was confirmed on a channel.
  [[nodiscard]] Status check_times(const std::function<bool(amqp_channel_t)>& is_excused, bool leaves_host,
                                   BrokerEvents& events);

 private:
  struct Target {
    std::size_t exchange = 0;            // in channels_
    std::optional<std::size_t> channel;  // in channels_; of this connection
  };

  [[nodiscard]] std::optional<std::size_t> shared_channel(std::size_t exchange, TimePoint now);
  [[nodiscard]] std::optional<std::size_t> least_used(TimePoint now) const;
  [[nodiscard]] bool is_left(std::size_t channel, TimePoint now) const;
  [[nodiscard]] bool enter(std::size_t destination, std::optional<std::size_t> channel, TimePoint now);
  void leave(std::size_t destination, TimePoint now);
  void open(PublishChannel& channel, TimePoint now);
  void close(PublishChannel& channel, std::string_view why, TimePoint now);
  void close_if_idle(std::size_t index, TimePoint now);
  void free_those_held_up(std::size_t channel, BrokerEvents& events);
  void renew_shared(std::size_t channel, TimePoint now);
  [[nodiscard]] std::string waiting_on(std::size_t channel) const;

  Declarations& declarations_;
  Owner& owner_;
  std::vector<Target> targets_;  // in destination_index order
  Publishers publishers_;        // likewise
  ExchangeChannels channels_;
};

}  // namespace action_triggers::detail
