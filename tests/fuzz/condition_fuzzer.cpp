// SPDX-License-Identifier: MIT
// A line with any bytes as a `when`, and behind it any bytes as a payload: problems or a condition, which matches or
// says why not.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "support/condition_text.hpp"

namespace at = action_triggers;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = input.find('\n');
  const std::string_view when = input.substr(0, end);
  const at::tests::ConditionText read(when);
  if (read.condition.has_value() != read.problems().empty()) std::abort();
  if (!read.condition || end == std::string_view::npos) return 0;
  at::detail::PayloadJson payload;
  if (!payload.read(input.substr(end + 1))) return 0;
  if (read.condition->matches(payload.root()) != read.condition->why_not(payload.root()).empty()) std::abort();
  return 0;
}
