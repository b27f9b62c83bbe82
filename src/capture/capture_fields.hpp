// SPDX-License-Identifier: MIT
/// The keys of an entry of `capture`: what the loader knows, and the table of docs/capture.md.
#pragma once

#include <vector>

#include "capture/capture_config.hpp"
#include "config/field_table.hpp"

namespace action_triggers::detail {

struct CaptureField : Field<TableCapture> {
  bool is_of_postgresql = false;
};

const std::vector<CaptureField>& capture_field_table();

}  // namespace action_triggers::detail
