// SPDX-License-Identifier: MIT
/// Files that a configuration names and a client library reads later.
#pragma once

#include <string>
#include <string_view>

#include "action_triggers/config_section.hpp"

namespace action_triggers::detail {

/// A file, for the beginning of a problem: "The file 'path'", or "The file" if the path at this key came from a
/// substitution.
std::string the_file(const ConfigSection& section, std::string_view key, std::string_view path);

/// Records at this key that the file cannot be read, and why; false if it can. A pipe or a device is none: a client
/// library would wait for it, or never end, and every new client reads its files again.
bool report_unreadable(ConfigSection& section, std::string_view key, const std::string& path, bool may_be_folder);

}  // namespace action_triggers::detail
