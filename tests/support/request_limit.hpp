// SPDX-License-Identifier: MIT
/// What becomes of requests to the mock cluster, which has neither Kafka's socket.request.max.bytes nor a network.
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

/// The next request with messages is sent nowhere, as on a connection that was dropped silently.
void lose_next_request();

}  // namespace action_triggers::tests
