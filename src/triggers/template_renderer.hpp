// SPDX-License-Identifier: MIT
/// Puts the values of one event into the pieces of a template.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "triggers/event_view.hpp"
#include "triggers/template_piece.hpp"

namespace action_triggers::detail {

/// What one rendering may become: what fire() takes at most.
inline constexpr std::size_t max_rendered_bytes = 1024UL * 1024UL * 1024UL;

/// Appends the template's text to `to`. False: `error` says why, as a sentence, and what is in `to` is of no use.
/// std::bad_alloc may leave it; what the functions of registered names throw does not.
bool render(const TemplatePieces& pieces, EventView& event, std::string& to, std::string& error);

/// RFC 3339 in UTC: "2026-11-26T12:34:56.789Z".
std::string_view time_text(std::chrono::sys_time<std::chrono::milliseconds> time, std::array<char, 24>& text);

/// Whether rendering looks into the payload, which then must be JSON.
bool needs_json(const TemplatePieces& pieces) noexcept;

}  // namespace action_triggers::detail
