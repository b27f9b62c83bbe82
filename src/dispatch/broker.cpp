#include "action_triggers/broker.hpp"

namespace action_triggers {

Broker::~Broker() = default;
void Broker::start(const LaneContext& /*context*/) {}
void Broker::connect(BrokerEvents& events) { events.connected(); }
void Broker::poll(BrokerEvents& /*events*/) {}
WaitRequest Broker::wait_request() const { return {}; }
void Broker::close(BrokerEvents& /*events*/, std::chrono::milliseconds /*timeout*/) {}

}  // namespace action_triggers
