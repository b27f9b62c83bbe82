// SPDX-License-Identifier: MIT
/// What templates are compiled to: a flat list of pieces, whose texts are appended one after the other.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "triggers/json_pointer.hpp"

namespace action_triggers::detail {

/// Where a placeholder stands, which says how its value is written.
enum class TemplatePlace : std::uint8_t {
  text,         ///< As its characters; what is no string as its JSON text.
  json_string,  ///< The same, escaped, since it stands between the quotes of a JSON string.
  json_value,   ///< As a JSON value of its own type.
};

struct TemplatePiece {
  enum class Kind : std::uint8_t {
    literal,
    pointer,  // into the payload
    payload,  // as a whole
    event_name,
    event_id,
    event_time,
    message_key,
    message_header,
    registered,  // a name of ConfigOptions::names
  };

  Kind kind = Kind::literal;
  TemplatePlace place = TemplatePlace::text;
  std::string text{};                     // a literal, ready to be appended; else the placeholder, as errors name it
  std::vector<PointerToken> pointer{};    // of a pointer
  std::string header{};                   // of a header: its name
  std::function<std::string()> value{};   // of a registered name
  std::optional<std::string> fallback{};  // instead of a missing value; ready to be appended
};

using TemplatePieces = std::vector<TemplatePiece>;

}  // namespace action_triggers::detail
