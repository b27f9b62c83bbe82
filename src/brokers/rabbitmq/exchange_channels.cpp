// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/exchange_channels.hpp"

namespace action_triggers::detail {

PublishChannel* ExchangeChannels::find(std::uint16_t id) {
  if (id < first_id_ || static_cast<std::size_t>(id - first_id_) >= channels_.size()) return nullptr;
  return &channels_[static_cast<std::size_t>(id - first_id_)].channel;
}

std::size_t ExchangeChannels::add_user(const std::string& exchange) {
  if (const auto found = index_of_exchange_.find(exchange); found != index_of_exchange_.end()) {
    ++channels_[found->second].users;
    return found->second;
  }
  std::size_t index = channels_.size();
  if (unused_.empty()) {
    channels_.push_back({PublishChannel(static_cast<std::uint16_t>(first_id_ + index), exchange), 1});
  } else {
    index = unused_.back();
    unused_.pop_back();
    channels_[index].channel.use_for(exchange);
    channels_[index].users = 1;
  }
  index_of_exchange_.emplace(exchange, index);
  return index;
}

void ExchangeChannels::remove_user(std::size_t index) {
  Entry& entry = channels_[index];
  if (--entry.users > 0) return;
  index_of_exchange_.erase(entry.channel.exchange());
  unused_.push_back(index);
}

}  // namespace action_triggers::detail
