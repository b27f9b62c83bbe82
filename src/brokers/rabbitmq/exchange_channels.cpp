// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/exchange_channels.hpp"

#include <algorithm>
#include <utility>

namespace action_triggers::detail {

std::size_t ExchangeChannels::add_user(const std::string& exchange) {
  auto at = std::find_if(exchanges_.begin(), exchanges_.end(),
                         [&](const Exchange& each) { return each.users > 0 && each.name == exchange; });
  if (at == exchanges_.end()) {
    at = std::find_if(exchanges_.begin(), exchanges_.end(), [](const Exchange& each) { return each.users == 0; });
  }
  if (at == exchanges_.end()) at = exchanges_.emplace(at);
  at->name = exchange;
  ++at->users;
  return static_cast<std::size_t>(at - exchanges_.begin());
}

void ExchangeChannels::reset(std::uint16_t first_id, std::uint16_t last_id) {
  channels_.clear();
  for (Exchange& exchange : exchanges_) exchange.shared.reset();
  first_id_ = first_id;
  most_channels_ = last_id < first_id ? 0 : last_id - first_id + 1U;
}

PublishChannel* ExchangeChannels::find(std::uint16_t id) {
  if (id < first_id_ || static_cast<std::size_t>(id - first_id_) >= channels_.size()) return nullptr;
  return &channels_[static_cast<std::size_t>(id - first_id_)].channel;
}

std::size_t ExchangeChannels::left() const {
  std::size_t left = most_channels_ - channels_.size();
  for (std::size_t i = 0; i < channels_.size(); ++i) left += is_free(i) ? 1U : 0U;
  return left;
}

std::optional<std::size_t> ExchangeChannels::make(std::size_t spare) {
  if (left() <= spare) return std::nullopt;
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    if (is_free(i)) return i;
  }
  const std::size_t index = channels_.size();
  channels_.push_back({PublishChannel(static_cast<std::uint16_t>(first_id_ + index), publishers_)});
  return index;
}

void ExchangeChannels::share(std::size_t exchange, std::optional<std::size_t> channel) {
  if (const auto before = std::exchange(exchanges_[exchange].shared, channel)) --channels_[*before].exchanges;
  if (channel) ++channels_[*channel].exchanges;
}

}  // namespace action_triggers::detail
