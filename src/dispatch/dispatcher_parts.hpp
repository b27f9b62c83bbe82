// SPDX-License-Identifier: MIT
/// What both files of Dispatcher's definitions use.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "dispatch/destination_table.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/lane.hpp"

namespace action_triggers::detail {

inline constexpr const char* in_child_text =
    "this dispatcher belongs to the parent process and has none of its threads here; make one after fork()";

/// Of those that can be found by name.
std::unique_ptr<const DestinationTable> table_of(const Lane::Destinations& destinations, const void* attached);

/// Throws std::invalid_argument for a name without a configuration, or with one of another name.
void check_names(const Dispatcher::Configs& configs);

}  // namespace action_triggers::detail
