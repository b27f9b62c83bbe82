// SPDX-License-Identifier: MIT
#include "action_triggers/broker_registry.hpp"

#include <stdexcept>
#include <utility>

#include "base/text.hpp"

namespace action_triggers {
namespace {

std::string type_name(std::string_view broker_type) {
  if (broker_type.empty()) throw std::invalid_argument("a broker type needs a name");
  return detail::ascii_lower(broker_type);
}

}  // namespace

BrokerRegistry::BrokerRegistry() = default;

BrokerRegistry& BrokerRegistry::add(BrokerType type) {
  type.name = type_name(type.name);
  types_[type.name] = std::move(type);
  return *this;
}

BrokerRegistry& BrokerRegistry::add(std::string_view broker_type, Parse parse, Make make) {
  return add({.name = std::string(broker_type), .parse = std::move(parse), .make = std::move(make)});
}

BrokerRegistry& BrokerRegistry::add(std::string_view broker_type, Make make) {
  BrokerType& type = types_[type_name(broker_type)];
  type.name = type_name(broker_type);
  type.make = std::move(make);
  type.ping = {};
  type.unavailable.clear();
  return *this;
}

BrokerRegistry& BrokerRegistry::set_ping(std::string_view broker_type, Ping ping) {
  const auto found = types_.find(type_name(broker_type));
  if (found == types_.end()) {
    throw std::invalid_argument("set_ping: there is no broker type '" + std::string(broker_type) + "'; add() it first");
  }
  found->second.ping = std::move(ping);
  return *this;
}

BrokerRegistry& BrokerRegistry::add_unavailable(std::string_view broker_type, Parse parse, std::string text) {
  return add({.name = std::string(broker_type), .parse = std::move(parse), .unavailable = std::move(text)});
}

const BrokerType* BrokerRegistry::find(std::string_view broker_type) const {
  const auto found = types_.find(detail::ascii_lower(broker_type));
  return found == types_.end() ? nullptr : &found->second;
}

std::vector<std::string> BrokerRegistry::types() const {
  std::vector<std::string> names;
  for (const auto& [name, type] : types_) names.push_back(name);
  return names;
}

}  // namespace action_triggers
