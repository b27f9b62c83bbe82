// SPDX-License-Identifier: MIT
/// A lane's broker: made by the registry, and again after it has thrown; closed once.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "action_triggers/broker.hpp"
#include "dispatch/out_of_memory.hpp"

namespace action_triggers::detail {

class BrokerSlot {
 public:
  using Make = std::function<std::unique_ptr<Broker>()>;

  explicit BrokerSlot(Make make) : make_(std::move(make)) {}

  /// There is one, and it may be called.
  explicit operator bool() const noexcept { return broker_ != nullptr; }
  Broker* operator->() const noexcept { return broker_.get(); }
  /// start() was called; of a broker made later too.
  [[nodiscard]] bool is_started() const noexcept { return started_; }
  [[nodiscard]] bool is_closed() const noexcept { return closed_; }

  /// Throws what the registry's maker throws.
  void make() { broker_ = make_(); }
  /// Throws what the broker throws.
  void start(const LaneContext& context) {
    started_ = true;
    broker_->start(context);
  }
  /// After it has thrown: nobody knows what state it is in.
  void discard() noexcept { broker_.reset(); }
  /// See Broker. Only a text is at stake: a broker that throws is not replaced for it.
  [[nodiscard]] std::string why_unconfirmed(const OutboundMessage& message) const noexcept {
    std::string why;
    if (broker_ == nullptr || closed_) return why;
    static_cast<void>(thrown_by("the broker's why_unconfirmed()", [&] { why = broker_->why_unconfirmed(message); }));
    return why;
  }
  /// Once. What it threw, if it did.
  std::optional<Status> close(BrokerEvents& events, std::chrono::milliseconds timeout) noexcept {
    if (std::exchange(closed_, true) || broker_ == nullptr) return std::nullopt;
    return thrown_by("the broker's close()", [&] { broker_->close(events, timeout); });
  }

 private:
  const Make make_;
  std::unique_ptr<Broker> broker_;
  bool started_ = false;
  bool closed_ = false;
};

}  // namespace action_triggers::detail
