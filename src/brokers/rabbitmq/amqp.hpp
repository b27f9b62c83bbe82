// SPDX-License-Identifier: MIT
/// rabbitmq-c's headers, and what makes its types safe to use from C++.
#pragma once

#if __has_include(<rabbitmq-c/amqp.h>)  // 0.12 moved its headers
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "action_triggers/rabbitmq.hpp"
#include "brokers/rabbitmq/amqp_errors.hpp"

namespace action_triggers::detail {

struct AmqpDeleter {
  void operator()(amqp_connection_state_t_* connection) const noexcept { amqp_destroy_connection(connection); }
};
/// rabbitmq-c's connection. Destroying it closes the socket and sends no connection.close.
using AmqpHandle = std::unique_ptr<amqp_connection_state_t_, AmqpDeleter>;

inline amqp_bytes_t to_amqp(std::string_view text) noexcept {
  return {text.size(), const_cast<char*>(text.data())};  // rabbitmq-c only reads it
}
inline std::string_view from_amqp(amqp_bytes_t bytes) noexcept {
  return bytes.len == 0 ? std::string_view() : std::string_view(static_cast<const char*>(bytes.bytes), bytes.len);
}
inline timeval to_timeval(std::chrono::milliseconds time) noexcept {
  timeval result{};
  result.tv_sec = static_cast<decltype(result.tv_sec)>(time.count() / 1000);
  result.tv_usec = static_cast<decltype(result.tv_usec)>(time.count() % 1000 * 1000);
  return result;
}

/// An entry of a table; `key` and `text` are referred to, not copied.
amqp_table_entry_t text_entry(std::string_view key, std::string_view text) noexcept;
amqp_table_entry_t integer_entry(std::string_view key, std::int64_t value) noexcept;
amqp_table_entry_t boolean_entry(std::string_view key, bool value) noexcept;

std::string to_string(const HostPort& host);

}  // namespace action_triggers::detail
