// SPDX-License-Identifier: MIT
/// From JSON with comments to the tree of document.hpp; what is wrong is said in plain words. Written here rather than
/// given to the JSON library, whose parser knows no positions of values, ends at a NUL character, and words its errors
/// for programmers (docs/decisions/0023-a-json-parser-of-our-own.md).
#pragma once

#include <string_view>
#include <vector>

#include "action_triggers/config.hpp"
#include "config/document.hpp"

namespace action_triggers::detail {

/// Parses JSON with comments. What is wrong with the text itself (syntax, duplicate keys, depth, numbers beyond a
/// double) goes to `problems`; after a syntax error the result is null.
Node parse_document(std::string_view text, const TextPositions& positions, std::vector<ConfigProblem>& problems);

}  // namespace action_triggers::detail
