// SPDX-License-Identifier: MIT
/// What a shell offers when the tabulator is pressed: of the same definition of the command line as --help and the
/// manual page, so that the scripts for bash, zsh and fish know nothing.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

namespace action_triggers::cli {

/// One of what a command can do: its argument ACTION.
struct Action {
  std::string name;
  std::string does;  // "prints the SQL that makes them"
};
using Actions = std::map<std::string, std::vector<Action>, std::less<>>;  // by command

/// The scripts' own command, which --help does not show: `action-triggers __complete WORD...`
constexpr const char* complete_command = "__complete";

/// `words` are those behind the program's name; the last one, which may be empty, is to be completed. Gives what it may
/// become, each with a tabulator and what it means behind it, if there is something to say. Nothing: a file, or
/// anything.
std::vector<std::string> completions(const CLI::App& app, const Actions& actions,
                                     const std::vector<std::string>& words);

}  // namespace action_triggers::cli
