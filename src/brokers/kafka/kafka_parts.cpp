// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_parts.hpp"

namespace action_triggers::detail {

void KafkaParts::refuse(const OutboundMessage& message, Persistence persistence) {
  refused_.push_back(&message);
  if (persistence != Persistence::not_persisted) doubtful_.insert(&message);
}

const KafkaParts::Messages* KafkaParts::next() {
  if (in_client_ > 0 || !is_divided()) return nullptr;
  part_size_ = 0;
  if (!refused_.empty()) {
    Messages first = std::exchange(refused_, {});
    const auto middle = first.begin() + static_cast<std::ptrdiff_t>((first.size() + 1) / 2);
    if (middle != first.end()) parts_.emplace_front(middle, first.end());
    first.erase(middle, first.end());
    parts_.push_front(std::move(first));
  }
  return parts_.empty() ? nullptr : &parts_.front();
}

KafkaParts::Messages KafkaParts::take() {
  Messages part = std::move(parts_.front());
  parts_.pop_front();
  return part;
}

void KafkaParts::sent() {
  count_in();
  ++part_size_;
}

void KafkaParts::put_back(const Messages& part, std::size_t first) {
  parts_.emplace_front(part.begin() + static_cast<std::ptrdiff_t>(first), part.end());
}

KafkaParts::Messages KafkaParts::take_all() {
  Messages all = std::exchange(refused_, {});
  for (const Messages& part : std::exchange(parts_, {})) all.insert(all.end(), part.begin(), part.end());
  in_client_ = 0;
  part_size_ = 0;
  return all;
}

}  // namespace action_triggers::detail
