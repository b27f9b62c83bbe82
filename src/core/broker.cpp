#include "action_triggers/broker.hpp"

namespace action_triggers {

Message OutboundMessage::copy() const {
  Message message;
  message.body = body();
  message.key = key();
  message.content_type = content_type();
  message.id = id();
  message.headers.reserve(header_count());
  for_each_header([&](HeaderView header) {
    message.headers.push_back({.name = std::string(header.name), .value = std::string(header.value)});
  });
  message.expiration = expiration();
  message.priority = priority();
  return message;
}

Broker::~Broker() = default;
void Broker::start(const LaneContext& /*context*/) {}
void Broker::connect(BrokerEvents& events) { events.connected(); }
void Broker::poll(BrokerEvents& /*events*/) {}
WaitRequest Broker::wait_request() const { return {}; }
void Broker::close(BrokerEvents& /*events*/, std::chrono::milliseconds /*timeout*/) {}

}  // namespace action_triggers
