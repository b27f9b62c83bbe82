// SPDX-License-Identifier: MIT
#include "dispatch/trace_context.hpp"

#include <algorithm>
#include <utility>

#include "core/all_but_body.hpp"

namespace action_triggers::detail {
namespace {

bool is_hex(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) noexcept {
  return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

}  // namespace

bool is_traceparent(std::string_view text) noexcept {
  constexpr std::size_t size = 55;  // 00-(32 digits)-(16 digits)-00
  if (text.size() < size || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  const std::string_view version = text.substr(0, 2);
  if (!is_hex(version) || version == "ff") return false;
  if (text.size() > size && (version == "00" || text[size] != '-')) return false;
  return is_id(text.substr(3, 32)) && is_id(text.substr(36, 16)) && is_hex(text.substr(53, 2)) && is_printable(text);
}

bool is_printable(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

const Header* find_header(const Message& message, std::string_view name) noexcept {
  const auto found = std::find_if(message.headers.rbegin(), message.headers.rend(),
                                  [&](const Header& header) { return std::string_view(header.name) == name; });
  return found == message.headers.rend() ? nullptr : &*found;
}

TracedParts::TracedParts(const MessageParts& given, Callbacks& callbacks) : parts_(given) {
  if (given.rest != nullptr && find_header(*given.rest, traceparent_header) != nullptr) return;
  TraceContext context = callbacks.trace_context();
  if (context.traceparent.empty()) return;
  if (given.rest != nullptr) copy_all_but_body(*given.rest, rest_);
  rest_.headers.push_back({traceparent_header, std::move(context.traceparent)});
  if (!context.tracestate.empty() && find_header(rest_, tracestate_header) == nullptr) {
    rest_.headers.push_back({tracestate_header, std::move(context.tracestate)});
  }
  parts_.rest = &rest_;
}

}  // namespace action_triggers::detail
