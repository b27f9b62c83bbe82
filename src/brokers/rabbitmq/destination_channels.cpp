// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/destination_channels.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace action_triggers::detail {
namespace {

constexpr std::chrono::seconds shared_at_least{2};  // or a broker that is slow would get channel after channel
constexpr std::chrono::seconds apart_at_least{10};  // then who is out of trouble shares a channel again

using Kind = Declarations::Kind;

}  // namespace

// Destinations

void DestinationChannels::add(std::size_t destination, const std::string& exchange) {
  if (destination >= targets_.size()) {
    targets_.resize(destination + 1);
    publishers_.resize(destination + 1);
  }
  targets_[destination] = {.exchange = channels_.add_user(exchange), .channel = {}};
  publishers_[destination].reset();
  declarations_.set_exchange(targets_[destination].exchange, exchange);
}

void DestinationChannels::remove(std::size_t destination, TimePoint now) {
  const std::size_t exchange = targets_[destination].exchange;
  channels_.remove_user(exchange);
  const std::optional<std::size_t> shared = channels_.shared(exchange);
  if (!channels_.is_used(exchange)) {
    declarations_.remove({Kind::exchange, exchange});
    channels_.share(exchange, std::nullopt);
  }
  leave(destination, now);
  if (shared) close_if_idle(*shared, now);
}

// Connection

void DestinationChannels::reset(amqp_channel_t first_id, amqp_channel_t last_id) {
  channels_.reset(first_id, last_id);
  for (Target& target : targets_) target.channel.reset();
  for (Publisher& publisher : publishers_) publisher.reset();
}

void DestinationChannels::lost(const Status& why, BrokerEvents& events) {
  for (std::size_t i = 0; i < channels_.size(); ++i) channels_[i].lost(why, events);
}

void DestinationChannels::closed_by_broker(const PublishChannel& channel) {
  for (const Target& target : targets_) {
    if (target.channel && &channels_[*target.channel] == &channel)
      declarations_.forget({Kind::exchange, target.exchange});
  }
}

// Who is where

bool DestinationChannels::join(std::size_t destination, TimePoint now) {
  const Target& target = targets_[destination];
  return target.channel || enter(destination, shared_channel(target.exchange, now), now);
}

/// The channel that destinations of the exchange share. If nothing is confirmed on it, it is left to those who wait
/// there, and the others get a new one.
std::optional<std::size_t> DestinationChannels::shared_channel(std::size_t exchange, TimePoint now) {
  const std::optional<std::size_t> shared = channels_.shared(exchange);
  if (shared && !is_left(*shared, now)) return shared;
  // Exchanges leave one channel for whoever is in trouble.
  std::optional<std::size_t> made = channels_.make(shared || channels_.most() == 1 ? 0 : 1);
  if (!made) made = least_used(now);
  if (!made) return shared;
  channels_.share(exchange, made);
  if (shared) close_if_idle(*shared, now);
  if (channels_[*made].state() == PublishChannel::State::closed) open(channels_[*made], now);
  return made;
}

/// Of the channels that are shared.
std::optional<std::size_t> DestinationChannels::least_used(TimePoint now) const {
  std::optional<std::size_t> least;
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    if (!channels_.is_shared(i) || is_left(i, now)) continue;
    if (!least || channels_.users(i) < channels_.users(*least)) least = i;
  }
  return least;
}

bool DestinationChannels::is_left(std::size_t channel, TimePoint now) const {
  const PublishChannel& shared = channels_[channel];
  return shared.state() == PublishChannel::State::closing ||
         (shared.stalled(now) && now - shared.opened_at() >= shared_at_least);
}

/// False: there is no such channel. Nothing of the destination may be unconfirmed, or its order would be lost.
bool DestinationChannels::enter(std::size_t destination, std::optional<std::size_t> channel, TimePoint now) {
  Target& target = targets_[destination];
  if (!channel || channel == target.channel) return false;
  leave(destination, now);
  target.channel = channel;
  channels_.enter(*channel);
  if (channels_[*channel].state() == PublishChannel::State::closed) open(channels_[*channel], now);
  return true;
}

void DestinationChannels::leave(std::size_t destination, TimePoint now) {
  const std::optional<std::size_t> left = std::exchange(targets_[destination].channel, std::nullopt);
  if (!left) return;
  channels_.leave(*left);
  close_if_idle(*left, now);
}

PublishChannel* DestinationChannels::channel_for(const OutboundMessage& message, TimePoint now) {
  const std::size_t destination = message.destination_index();
  const Target& target = targets_[destination];
  Publisher& publisher = publishers_[destination];
  const bool closes = channels_[*target.channel].state() == PublishChannel::State::closing;
  switch (publisher.offer(message, channels_.is_own(*target.channel) && !closes, now)) {
    case Publisher::Decision::wait:
      return nullptr;
    case Publisher::Decision::new_channel:
      // If the connection has no more channels, it stays.
      if (enter(destination, channels_.make(), now)) return channel_for(message, now);
      break;
    case Publisher::Decision::publish:
      break;
  }
  if (publisher.unconfirmed() == 0) {
    const PublishChannel& current = channels_[*target.channel];
    const bool comes_back =
        !channels_.is_shared(*target.channel) && publisher.is_calm(now) && now - current.opened_at() >= apart_at_least;
    if (comes_back || current.stalled(now) || current.state() == PublishChannel::State::closing) {
      (void)enter(destination, shared_channel(target.exchange, now), now);
    }
  }
  PublishChannel& channel = channels_[*target.channel];
  if (channel.state() == PublishChannel::State::closed) open(channel, now);
  return channel.state() == PublishChannel::State::open && channel.has_room(now) ? &channel : nullptr;
}

// Opening and closing

/// What is published next goes right behind: a broker takes the methods of a channel in order, so it waits for neither
/// of the two answers. If the broker refuses, it closes the connection, and the messages come back with it.
void DestinationChannels::open(PublishChannel& channel, TimePoint now) {
  amqp_channel_open_t open{.out_of_band = amqp_empty_bytes};
  amqp_confirm_select_t select{};
  owner_.times_begin(now);
  channel.opened(now);
  owner_.send_method(channel.id(), AMQP_CHANNEL_OPEN_METHOD, &open);
  owner_.send_method(channel.id(), AMQP_CONFIRM_SELECT_METHOD, &select);
}

void DestinationChannels::close(PublishChannel& channel, std::string_view why, TimePoint now) {
  amqp_channel_close_t close{};
  close.reply_code = AMQP_REPLY_SUCCESS;
  close.reply_text = to_amqp(why);
  owner_.times_begin(now);
  channel.close_sent(now);
  owner_.send_method(channel.id(), AMQP_CHANNEL_CLOSE_METHOD, &close);
}

void DestinationChannels::close_if_idle(std::size_t index, TimePoint now) {
  if (!channels_.is_idle(index) || channels_[index].state() != PublishChannel::State::open) return;
  close(channels_[index], "no longer used", now);
}

// Time

bool DestinationChannels::has_times() const {
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    if (channels_[i].has_times()) return true;
  }
  return false;
}

/// What has something unconfirmed on the channel: "the queue 'a', the queue 'b' and 3 more".
std::string DestinationChannels::waiting_on(std::size_t channel) const {
  constexpr std::size_t most = 3;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    if (targets_[i].channel != channel || publishers_[i].unconfirmed() == 0) continue;
    const std::size_t exchange = targets_[i].exchange;
    const std::string name =
        declarations_.describe(channels_.name(exchange).empty() ? Declarations::Subject{Kind::queue, i}
                                                                : Declarations::Subject{Kind::exchange, exchange});
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) text += (i == 0 ? "" : ", ") + names[i];
  return names.size() > most ? text + " and " + std::to_string(names.size() - most) + " more" : text;
}

Status DestinationChannels::check_times(const std::function<bool(amqp_channel_t)>& is_excused, bool leaves_host,
                                        BrokerEvents& events) {
  const TimePoint now = events.now();
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    PublishChannel& channel = channels_[i];
    if (!channel.has_times()) continue;
    if (is_excused(channel.id())) {
      channel.restart_times(now);
    } else if (channel.is_unanswered(now)) {
      return {StatusCode::unavailable,
              "the broker does not answer channel.open: it has stopped reading this connection"};
    } else if (channel.is_hopeless(now)) {
      Status why(StatusCode::unavailable, "the broker has confirmed nothing for " +
                                              std::to_string(PublishChannel::longest_wait.count()) +
                                              " seconds of what was sent to " + waiting_on(i));
      if (leaves_host) return why;
      events.log(LogLevel::warning, why.message());
      channel.lost(why, events);
      close(channel, "not confirmed", now);
    } else if (channel.is_unclosed(now) && channels_.users(i) > 0 && channels_.left() == 0 && !least_used(now)) {
      return {StatusCode::unavailable,
              "the broker does not answer channel.close, and allows no other channel to publish on"};
    } else if (channel.is_held_up(now)) {
      free_those_held_up(i, events);
    } else if (channel.stalled(now) && channel.over_safe_window()) {
      renew_shared(i, now);  // also to see whether the broker still reads
    }
  }
  return {};
}

/// A channel on which one destination holds up others. If the broker serves another channel meanwhile, it is this one
/// that waits, and not the broker.
void DestinationChannels::free_those_held_up(std::size_t channel, BrokerEvents& events) {
  PublishChannel& held_up = channels_[channel];
  bool serves_others = false;
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    serves_others |= i != channel && channels_[i].answered_at() > held_up.silent_since();
  }
  if (!serves_others) {
    renew_shared(channel, events.now());
    return;
  }
  const Status why(StatusCode::unavailable,
                   "the broker has confirmed nothing on the channel that several share: " + waiting_on(channel));
  events.log(LogLevel::warning, why.message());
  held_up.given_up(why, events);
  close(held_up, "not confirmed", events.now());
}

/// Those who share the channel share another one from now on.
void DestinationChannels::renew_shared(std::size_t channel, TimePoint now) {
  for (std::size_t exchange = 0; exchange < channels_.exchanges(); ++exchange) {
    if (channels_.shared(exchange) == channel) (void)shared_channel(exchange, now);
  }
}

}  // namespace action_triggers::detail
