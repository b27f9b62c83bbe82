// SPDX-License-Identifier: MIT
/// The publish channels of a connection. Each exchange has one that its destinations share; a destination in trouble
/// gets one of its own, so that its trouble is not that of others. Where a connection has fewer channels than
/// exchanges, several exchanges share one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "brokers/rabbitmq/publish_channel.hpp"

namespace action_triggers::detail {

/// Exchanges and channels are numbered from 0, apart. The number of one that is no longer used is given away again.
class ExchangeChannels {
 public:
  /// `publishers` outlives this.
  explicit ExchangeChannels(Publishers& publishers) : publishers_(publishers) {}

  // Exchanges

  /// One more destination publishes through the exchange. Returns its number.
  std::size_t add_user(const std::string& exchange);
  /// One less. Its messages have all been completed.
  void remove_user(std::size_t exchange) { --exchanges_[exchange].users; }
  [[nodiscard]] std::size_t exchanges() const noexcept { return exchanges_.size(); }
  [[nodiscard]] bool is_used(std::size_t exchange) const { return exchanges_[exchange].users > 0; }
  [[nodiscard]] const std::string& name(std::size_t exchange) const { return exchanges_[exchange].name; }

  // Channels

  /// The connection is a new one, on which AMQP channels from `first_id` to `last_id` may be used: there are none.
  void reset(std::uint16_t first_id, std::uint16_t last_id);
  [[nodiscard]] std::size_t size() const noexcept { return channels_.size(); }
  [[nodiscard]] std::size_t most() const noexcept { return most_channels_; }
  [[nodiscard]] PublishChannel& operator[](std::size_t channel) { return channels_[channel].channel; }
  [[nodiscard]] const PublishChannel& operator[](std::size_t channel) const { return channels_[channel].channel; }
  /// nullptr: no channel has this number.
  [[nodiscard]] PublishChannel* find(std::uint16_t id);

  /// How many channels can be made.
  [[nodiscard]] std::size_t left() const;
  /// A channel that nobody uses yet, if more than `spare` are left.
  [[nodiscard]] std::optional<std::size_t> make(std::size_t spare = 0);
  /// The one that destinations without trouble share, if there is one.
  [[nodiscard]] std::optional<std::size_t> shared(std::size_t exchange) const { return exchanges_[exchange].shared; }
  void share(std::size_t exchange, std::optional<std::size_t> channel);

  /// A destination uses the channel from now on, or no longer.
  void enter(std::size_t channel) { ++channels_[channel].users; }
  void leave(std::size_t channel) { --channels_[channel].users; }
  [[nodiscard]] std::size_t users(std::size_t channel) const { return channels_[channel].users; }
  /// One destination uses the channel, and no other one will join it.
  [[nodiscard]] bool is_own(std::size_t channel) const { return channels_[channel].users == 1 && !is_shared(channel); }
  /// Nobody uses the channel, or will.
  [[nodiscard]] bool is_idle(std::size_t channel) const { return channels_[channel].users == 0 && !is_shared(channel); }
  /// It can be made again.
  [[nodiscard]] bool is_free(std::size_t channel) const {
    return is_idle(channel) && channels_[channel].channel.state() == PublishChannel::State::closed;
  }
  [[nodiscard]] bool is_shared(std::size_t channel) const { return channels_[channel].exchanges > 0; }

 private:
  struct Exchange {
    std::string name;
    std::size_t users = 0;
    std::optional<std::size_t> shared;
  };
  struct Entry {
    PublishChannel channel;
    std::size_t exchanges = 0;  // whose destinations share it
    std::size_t users = 0;      // destinations
  };

  Publishers& publishers_;
  std::uint16_t first_id_ = 1;
  std::vector<Exchange> exchanges_;
  std::deque<Entry> channels_;
  std::size_t most_channels_ = 0;
};

}  // namespace action_triggers::detail
