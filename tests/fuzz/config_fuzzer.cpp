// SPDX-License-Identifier: MIT
// Any bytes as a configuration: a Config or a ConfigError with its problems, and nothing else.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"

namespace at = action_triggers;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.find("file:") != std::string_view::npos) return 0;  // it would read this machine's files
  static const at::BrokerRegistry registry = at::BrokerRegistry::builtin();
  static const at::ConfigOptions options{
      .resolvers = {{"vault", [](std::string_view argument) { return std::string(argument); }}},
      .names = {{"name", [] { return std::string("value"); }}}};
  try {
    const at::Config config = at::parse_config(text, registry, options);
    for (const auto& [name, broker] : config.brokers) {
      if (broker == nullptr || broker->name != name || config.find(name) != broker.get()) std::abort();
    }
  } catch (const at::ConfigError& error) {
    if (error.problems().empty() || error.to_json().empty()) std::abort();
  }
  return 0;
}
