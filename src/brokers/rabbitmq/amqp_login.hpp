// SPDX-License-Identifier: MIT
/// From a host's name to a connection that is logged in.
#pragma once

#include <string>

#include "brokers/rabbitmq/amqp.hpp"

struct ssl_st;  // OpenSSL's SSL

namespace action_triggers::detail {

/// Connects to one host, by the first of its addresses that answers, and logs in; blocks for at most
/// config.connect_timeout in all. ok: `connection` is set.
Status open_amqp_connection(const RabbitMqConfig& config, const HostPort& host, AmqpHandle& connection);

/// What an error of rabbitmq-c means; right after the call that returned it, since it may be in errno.
std::string library_error_text(int error);

/// OpenSSL's side of a connection with TLS that was made here: rabbitmq-c does not hand it out.
ssl_st* ssl_of(amqp_connection_state_t connection);

}  // namespace action_triggers::detail
