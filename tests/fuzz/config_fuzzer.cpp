// Any bytes as a configuration: a Config or a ConfigError that says where, and nothing else.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "action_triggers/config.hpp"

namespace at = action_triggers;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.find("${file:") != std::string_view::npos) return 0;  // it would read this machine's files
  at::ConfigOptions options;
  options.resolvers["vault"] = [](std::string_view argument) { return std::string(argument); };
  options.values["name"] = "value";
  try {
    const at::Config config = at::parse_config(text, options);
    for (const auto& name : config.names()) {
      if (config.find(name) == nullptr) std::abort();
    }
  } catch (const at::ConfigError& error) {
    if (error.problems().empty() || std::string_view(error.what()).empty()) std::abort();
  }
  return 0;
}
