// SPDX-License-Identifier: MIT
#include "action_triggers/broker.hpp"

namespace action_triggers {

void BrokerEvents::reconnecting(bool is_reconnecting, std::string_view why) { blocked(is_reconnecting, why); }
void BrokerEvents::full() {}

Broker::~Broker() = default;
void Broker::start(const LaneContext& /*context*/) {}
void Broker::add_destination(const BrokerConfig& /*config*/, std::size_t /*index*/) {}
void Broker::remove_destination(std::size_t /*index*/) {}
void Broker::connect(BrokerEvents& events) { events.connected(); }
void Broker::poll(BrokerEvents& /*events*/) {}
WaitRequest Broker::wait_request() const { return {}; }
std::string Broker::why_unconfirmed(const OutboundMessage& /*message*/) const { return {}; }
void Broker::close(BrokerEvents& /*events*/, std::chrono::milliseconds /*timeout*/) {}

}  // namespace action_triggers
