#include "action_triggers/broker_registry.hpp"

#include <algorithm>
#include <cctype>
#include <stdexcept>

#include "brokers/builtin.hpp"
#include "config/generic_config.hpp"

namespace action_triggers {
namespace {

/// broker_type is case-insensitive.
std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return result;
}

std::string type_name(std::string_view broker_type) {
  if (broker_type.empty()) throw std::invalid_argument("a broker type needs a name");
  return lower(broker_type);
}

}  // namespace

BrokerRegistry::BrokerRegistry() = default;

BrokerRegistry BrokerRegistry::builtin() {
  BrokerRegistry registry;
  detail::add_builtin(registry);
  return registry;
}

BrokerRegistry& BrokerRegistry::add(std::string_view broker_type, Parse parse, Make make) {
  entries_[type_name(broker_type)] = {
      .parse = std::move(parse), .make = std::move(make), .ping = {}, .unavailable = {}};
  return *this;
}

BrokerRegistry& BrokerRegistry::add(std::string_view broker_type, Make make) {
  Entry& entry = entries_[type_name(broker_type)];
  if (!entry.parse) entry.parse = detail::parse_generic;
  entry.make = std::move(make);
  entry.ping = {};
  entry.unavailable.clear();
  return *this;
}

BrokerRegistry& BrokerRegistry::set_ping(std::string_view broker_type, Ping ping) {
  const auto found = entries_.find(type_name(broker_type));
  if (found == entries_.end()) {
    throw std::invalid_argument("set_ping: there is no broker type '" + std::string(broker_type) + "'; add() it first");
  }
  found->second.ping = std::move(ping);
  return *this;
}

BrokerRegistry& BrokerRegistry::add_unavailable(std::string_view broker_type, Parse parse, std::string text) {
  entries_[type_name(broker_type)] = {
      .parse = std::move(parse), .make = {}, .ping = {}, .unavailable = std::move(text)};
  return *this;
}

const BrokerRegistry::Entry* BrokerRegistry::find(std::string_view broker_type) const {
  const auto found = entries_.find(lower(broker_type));
  return found == entries_.end() ? nullptr : &found->second;
}

std::vector<std::string> BrokerRegistry::types() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

}  // namespace action_triggers
