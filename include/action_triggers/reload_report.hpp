// SPDX-License-Identifier: MIT
/// What TriggerDispatcher::reload() did.
#pragma once

#include <string>
#include <vector>

namespace action_triggers {

/// Names of destinations, sorted. Those that are in none of the lists stay as they were, with what they hold and count.
struct ReloadReport {
  std::vector<std::string> added;
  std::vector<std::string> changed;
  std::vector<std::string> removed;
};

}  // namespace action_triggers
