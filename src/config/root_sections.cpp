// SPDX-License-Identifier: MIT
// The one list of a configuration file's sections.
#include "capture/capture_section.hpp"
#include "config/broker_loader.hpp"
#include "config/root_section.hpp"
#include "config/settings_loader.hpp"
#include "outbox/outbox_section.hpp"
#include "triggers/triggers_section.hpp"

namespace action_triggers::detail {

std::vector<RootSection> root_sections() {
  return {
      settings_section(), brokers_section(), triggers_section(), outbox_section(), capture_section(),
  };
}

}  // namespace action_triggers::detail
