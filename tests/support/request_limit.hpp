// SPDX-License-Identifier: MIT
/// Kafka's socket.request.max.bytes, which the mock cluster does not have.
#pragma once

#include <cstddef>

namespace action_triggers::tests {

/// While it exists, the connection ends at a request with messages that is larger. One at a time. Programs with it link
/// support/request_limit.cpp.
class RequestLimit {
 public:
  explicit RequestLimit(std::size_t bytes);
  ~RequestLimit();
  RequestLimit(const RequestLimit&) = delete;
  RequestLimit& operator=(const RequestLimit&) = delete;
};

}  // namespace action_triggers::tests
