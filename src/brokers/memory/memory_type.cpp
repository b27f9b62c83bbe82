// SPDX-License-Identifier: MIT
#include "brokers/memory/memory_type.hpp"

namespace action_triggers::detail {

BrokerType memory_type() {
  return {.name = "memory", .parse = parse_memory, .make = make_memory, .fields = memory_fields};
}

}  // namespace action_triggers::detail
