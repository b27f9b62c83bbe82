// SPDX-License-Identifier: MIT
/// What a reply code of the broker means for a message: one table. docs/rabbitmq-errors.md shows it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "action_triggers/status.hpp"

namespace action_triggers::detail {

/// Where the broker says it.
enum class AmqpErrorAt : std::uint8_t {
  login,    ///< connection.close, before the connection is open
  message,  ///< basic.return
  any,      ///< channel.close, connection.close
};

struct AmqpError {
  AmqpErrorAt at;
  int code;
  std::string_view part;    ///< Of the broker's text; empty: every text with this code.
  StatusCode status;        ///< Status::retryable() says whether it is tried again.
  Persistence persistence;  ///< Of the message that is known to be the cause.
  std::string_view advice;  ///< What to do, or empty.
  std::string_view source;  ///< Where the code and the text are from.
};

/// The first row that fits counts. The last one fits everything.
std::span<const AmqpError> amqp_errors() noexcept;
const AmqpError& amqp_error(AmqpErrorAt at, int code, std::string_view reply_text) noexcept;

/// The broker's words, and the advice.
std::string text_of(const AmqpError& error, int code, std::string_view reply_text);

/// What a connection.close or channel.close of the broker means for a message, and what to do about it.
Status status_of_close(int reply_code, std::string_view reply_text);

/// Whether the broker closes the connection because it allows no more channels, on this connection or to this user.
bool is_channel_limit(int reply_code, std::string_view reply_text) noexcept;

/// The table as docs/rabbitmq-errors.md has it.
std::string amqp_error_table();

}  // namespace action_triggers::detail
