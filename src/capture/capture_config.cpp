// SPDX-License-Identifier: MIT
#include "capture/capture_config.hpp"

#include <algorithm>

#include "capture/table_name.hpp"

namespace action_triggers::detail {

std::string_view to_string(CaptureOp op) noexcept {
  switch (op) {
    case CaptureOp::insert:
      return "insert";
    case CaptureOp::update:
      return "update";
    case CaptureOp::remove:
      return "delete";
    case CaptureOp::truncate:
      return "truncate";
  }
  return "";
}

bool TableCapture::has(CaptureOp op) const noexcept { return std::find(ops.begin(), ops.end(), op) != ops.end(); }

std::string TableCapture::event_of(CaptureOp op) const {
  std::string text = event;
  for (std::size_t at = text.find(op_placeholder); at != std::string::npos; at = text.find(op_placeholder, at)) {
    text.replace(at, op_placeholder.size(), to_string(op));
  }
  return text;
}

}  // namespace action_triggers::detail
