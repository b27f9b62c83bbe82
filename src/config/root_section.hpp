// SPDX-License-Identifier: MIT
/// The sections that a configuration file has at its top level, as a table.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/load_context.hpp"

namespace action_triggers::detail {

/// One section. To add one: write a function that returns it, and add a line to root_sections().
struct RootSection {
  std::string key;
  std::vector<std::string> aliases{};  // accepted at the top level only, not inside ACTION_TRIGGERS
  int order = 0;                       // smaller ones are read first, equal ones in the file's order
  std::string missing{};               // the problem of a file that lacks the section; empty: it is optional
  bool may_repeat = false;             // stand in several places of one file
  /// Reads the section, or this one of several in the same file, into context.config; a type that core does not know
  /// goes into Config::set_section().
  std::function<void(LoadContext& context, Member& member, const std::string& pointer)> read;
};

/// The one list of sections.
std::vector<RootSection> root_sections();

}  // namespace action_triggers::detail
