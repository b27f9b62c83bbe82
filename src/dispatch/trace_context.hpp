// SPDX-License-Identifier: MIT
/// The trace that a hook runs in, as headers of the message that it fires.
#pragma once

#include <string_view>

#include "action_triggers/message.hpp"
#include "core/payload.hpp"
#include "dispatch/callbacks.hpp"

namespace action_triggers::detail {

inline constexpr std::string_view traceparent_header = "traceparent";
inline constexpr std::string_view tracestate_header = "tracestate";

/// Whether it is one of W3C Trace Context, level 1 or of a later version that can be read as such.
[[nodiscard]] bool is_traceparent(std::string_view text) noexcept;
/// ASCII only, without control characters: what every broker takes as a header, and every database as a text.
[[nodiscard]] bool is_printable(std::string_view text) noexcept;

/// The last one of this name; nullptr: there is none.
[[nodiscard]] const Header* find_header(const Message& message, std::string_view name) noexcept;

/// A message with the context of the trace that its hook runs in. One that brings a context keeps it. Made on the
/// hook's thread; valid as long as what it was made of. Only if DispatcherOptions::trace_context is set.
class TracedParts {
 public:
  TracedParts(const MessageParts& given, Callbacks& callbacks);
  TracedParts(const TracedParts&) = delete;
  TracedParts& operator=(const TracedParts&) = delete;

  [[nodiscard]] const MessageParts& parts() const noexcept { return parts_; }

 private:
  Message rest_;  // without its body
  MessageParts parts_;
};

}  // namespace action_triggers::detail
