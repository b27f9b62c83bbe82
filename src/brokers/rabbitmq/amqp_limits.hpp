// SPDX-License-Identifier: MIT
/// Limits of AMQP 0-9-1 that both the configuration and the messages have to keep. Needs no client library.
#pragma once

#include <cstddef>

namespace action_triggers::detail {

constexpr std::size_t amqp_frame_max = 131'072;       // bytes; what we ask for, and RabbitMQ's own default
constexpr std::size_t amqp_short_string_limit = 255;  // bytes; AMQP 0-9-1, 4.2.5.3

}  // namespace action_triggers::detail
