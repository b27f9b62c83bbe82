// SPDX-License-Identifier: MIT
/// The sections that a configuration file has at its top level, as a table.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/config_section.hpp"
#include "config/load_context.hpp"

namespace action_triggers::detail {

/// django-action-triggers keeps its sections in an object of this name.
constexpr std::string_view reference_root = "ACTION_TRIGGERS";
/// At the top of a file it names the file's JSON schema, for editors. Nothing reads what it says.
constexpr std::string_view schema_key = "$schema";

/// One section. To add one: write a function that returns it, and add a line to root_sections().
struct RootSection {
  std::string key;
  std::vector<std::string> aliases{};  // accepted at the top level only, not inside ACTION_TRIGGERS
  int order = 0;                       // smaller ones are read first, equal ones in the file's order
  std::string missing{};               // the problem of a file that lacks the section; empty: it is optional
  bool may_repeat = false;             // stand in several places of one file
  std::string description{};           // for config_schema()
  std::string names{};                 // not empty: the section has entries, whose names match this expression
  /// The keys of the section, or of each of its entries; nullptr: those of the broker types.
  std::vector<const FieldInfo*> (*fields)() = nullptr;
  /// Reads the section, or this one of several in the same file, into context.config; a type that core does not know
  /// goes into Config::set_section().
  std::function<void(LoadContext& context, Member& member, const std::string& pointer)> read;
};

/// The one list of sections.
std::vector<RootSection> root_sections();

}  // namespace action_triggers::detail
