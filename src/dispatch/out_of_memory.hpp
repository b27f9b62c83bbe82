// SPDX-License-Identifier: MIT
/// What a lane does when memory runs out: an outcome may not be lost, a text may (docs/decisions/0009).
#pragma once

#include <exception>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "action_triggers/status.hpp"

namespace action_triggers::detail {

// Needs no memory: it fits into any std::string.
constexpr const char* no_memory = "out of memory";

/// For what is only information: without memory it is left out.
template <class Do>
void if_memory_allows(Do&& act) noexcept {
  try {
    act();
  } catch (const std::bad_alloc&) {
  }
}

template <class MakeText>
Status status_of(StatusCode code, MakeText&& text) noexcept {
  try {
    return {code, text()};
  } catch (const std::bad_alloc&) {
    return {code, no_memory};
  }
}

inline Status copy_of(const Status& status) noexcept {
  return status_of(status.code(), [&] { return status.message(); });
}

/// What the call threw, as a Status; nothing if it returned.
template <class Call>
std::optional<Status> thrown_by(const char* what, Call&& call) noexcept {
  const auto internal = [what](const char* text) {
    return status_of(StatusCode::internal, [&] { return std::string(what) + " threw: " + text; });
  };
  try {
    call();
    return std::nullopt;
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::unavailable, no_memory);
  } catch (const std::exception& error) {
    return internal(error.what());
  } catch (...) {
    return internal("an exception that is not a std::exception");
  }
}

}  // namespace action_triggers::detail
