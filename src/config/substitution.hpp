// SPDX-License-Identifier: MIT
/// `${ENV}`, `${ENV:-default}`, `${file:PATH}`, `${NAME:argument}` and `{{ name }}`, in parsed values.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/config.hpp"
#include "config/document.hpp"

namespace action_triggers::detail {

/// Records a problem or a warning of the value at `pointer`, which begins at `offset`.
using AddFinding =
    std::function<void(const std::string& pointer, std::size_t offset, std::string text, bool is_problem)>;

/// Whether `{{ name }}` is substituted too, or means something else where it stands.
enum class Braces : std::uint8_t { substituted, kept };

/// Substitutes in every string value of `node`, nested objects and lists included; keys stay as they are. What a
/// placeholder stands for is not searched again. In lists `{{ }}` stays as it is, as in the reference.
/// Returns the files that were read, or should have been.
std::vector<std::string> substitute(Node& node, const ConfigOptions& options, const std::string& pointer,
                                    const AddFinding& add_finding, Braces braces = Braces::substituted);

}  // namespace action_triggers::detail
