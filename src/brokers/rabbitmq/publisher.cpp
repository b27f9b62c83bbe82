// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/publisher.hpp"

#include <algorithm>

namespace action_triggers::detail {
namespace {

constexpr std::chrono::seconds renewal_interval{1};  // a queue that is full nacks for long: not a new channel each time

/// A group that is at fault costs a backoff, an innocent one only a round trip: so rather many small ones.
constexpr std::size_t groups = 16;

}  // namespace

Publisher::Decision Publisher::offer(const OutboundMessage& message, bool alone, TimePoint now) {
  if (nacked_ && message.attempt() > 1 && (renewed_at_ == TimePoint::min() || now - renewed_at_ >= renewal_interval)) {
    if (unconfirmed_ > 0) return Decision::wait;
    nacked_ = false;
    renewed_at_ = now;
    return Decision::new_channel;
  }
  if (suspects_ == 0) {
    return is_guilty(now) && !alone && unconfirmed_ == 0 ? Decision::new_channel : Decision::publish;
  }
  if (!alone) return unconfirmed_ > 0 ? Decision::wait : Decision::new_channel;
  if (group_left_ == 0) {
    if (unconfirmed_ > 0) return Decision::wait;
    suspects_ -= std::min(suspects_, group_);
    group_ = group_left_ = std::min(group_, suspects_);
  }
  return Decision::publish;
}

void Publisher::published() {
  ++unconfirmed_;
  if (group_left_ > 0) --group_left_;
}

void Publisher::suspect(std::size_t messages, bool others) {
  suspects_ = messages;
  group_ = group_left_ = others ? messages : (messages + groups - 1) / groups;
}

}  // namespace action_triggers::detail
