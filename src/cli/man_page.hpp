// SPDX-License-Identifier: MIT
/// The manual page, written from the same words as --help.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace action_triggers::cli {

/// The page in the macros of man(7). `app` has all its commands.
std::string man_page(const CLI::App& app);

}  // namespace action_triggers::cli
