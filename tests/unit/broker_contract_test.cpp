// SPDX-License-Identifier: MIT
// The contract of broker.hpp for the brokers that need no server.
#include "action_triggers/testing/broker_contract.hpp"

#include "action_triggers/memory.hpp"
#include "unit/configs.hpp"

namespace action_triggers {
namespace {

testing::ContractSubject memory() {
  static const auto broker = std::make_shared<InMemoryBroker>();
  testing::ContractSubject subject;
  subject.name = "memory";
  subject.config = [] { return tests::config_of({"first", "second"}); };
  subject.make = broker->maker();
  subject.arrived = [](const std::string& name) {
    std::vector<std::string> ids;
    for (const Message& message : broker->messages(name)) ids.push_back(message.id);
    return ids;
  };
  return subject;
}

/// The smallest broker, as the top of broker.hpp shows it.
class SmallestBroker final : public Broker {
 public:
  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override {
    for (const OutboundMessage* message : batch) events.complete(*message, Outcome::persisted());
    return batch.size();
  }
};

testing::ContractSubject smallest() {
  testing::ContractSubject subject;
  subject.name = "smallest";
  subject.config = [] { return tests::config_of({"first", "second"}); };
  subject.make = [](const BrokerConfig&) { return std::make_unique<SmallestBroker>(); };
  return subject;
}

INSTANTIATE_TEST_SUITE_P(Local, BrokerContract, ::testing::Values(memory(), smallest()),
                         [](const auto& subject) { return subject.param.name; });

}  // namespace
}  // namespace action_triggers
