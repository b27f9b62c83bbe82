// SPDX-License-Identifier: MIT
/// The publish channels of a connection: one for each exchange that destinations publish through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "brokers/rabbitmq/publish_channel.hpp"

namespace action_triggers::detail {

/// Channels are known by their index, which is also the number of their exchange in Declarations. A channel that nobody
/// uses any more is used again for another exchange, since a connection has few: RabbitMQ's default is 2,047.
class ExchangeChannels {
 public:
  /// `first_id`: the AMQP channel number of index 0.
  explicit ExchangeChannels(std::uint16_t first_id) : first_id_(first_id) {}

  [[nodiscard]] std::size_t size() const noexcept { return channels_.size(); }
  /// Valid until the next add_user().
  [[nodiscard]] PublishChannel& operator[](std::size_t index) { return channels_[index].channel; }
  /// nullptr: no channel has this number.
  [[nodiscard]] PublishChannel* find(std::uint16_t id);
  [[nodiscard]] std::size_t index_of(const PublishChannel& channel) const noexcept {
    return static_cast<std::size_t>(channel.id() - first_id_);
  }

  /// One more destination publishes through the exchange. Returns the index of its channel.
  std::size_t add_user(const std::string& exchange);
  /// One less. The last one's messages have all been completed.
  void remove_user(std::size_t index);
  [[nodiscard]] bool is_used(std::size_t index) const { return channels_[index].users > 0; }

 private:
  struct Entry {
    PublishChannel channel;
    std::size_t users;
  };

  const std::uint16_t first_id_;
  std::vector<Entry> channels_;
  std::map<std::string, std::size_t, std::less<>> index_of_exchange_;  // those in use
  std::vector<std::size_t> unused_;
};

}  // namespace action_triggers::detail
