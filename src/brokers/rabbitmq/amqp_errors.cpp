// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/amqp_errors.hpp"

#include <algorithm>
#include <array>

namespace action_triggers::detail {
namespace {

using At = AmqpErrorAt;
using enum StatusCode;
using enum Persistence;

constexpr std::string_view spec = "AMQP 0-9-1, 1.2 (constants)";
constexpr std::string_view reader = "rabbit_reader";
constexpr std::string_view access = "rabbit_access_control";
constexpr std::string_view queue = "rabbit_amqqueue";
constexpr std::string_view channel_limit = "number of channels opened";  // for the user, on the node or the connection

// clang-format off
constexpr std::array errors{
    AmqpError{At::login, 530, "connection limit", unavailable, not_persisted,
              "a limit on connections is reached: close others, or raise it", reader},
    AmqpError{At::login, 530, "is down", unavailable, not_persisted, "", reader},
    AmqpError{At::login, 530, "not found", not_found, not_persisted, "check conn_details.virtual_host", access},
    AmqpError{At::login, 530, "refused", permission_denied, not_persisted,
              "grant the user access to the virtual host (rabbitmqctl set_permissions)", access},
    AmqpError{At::login, 403, "EXTERNAL", unauthenticated, not_persisted,
              "see the broker's log: the certificate's name has to be a user there (ssl_cert_login_from), and "
              "ssl_options.verify verify_peer",
              reader},
    AmqpError{At::login, 403, "", unauthenticated, not_persisted, "check conn_details.username and password", reader},
    AmqpError{At::message, 312, "", unroutable, not_persisted, "", spec},
    AmqpError{At::any, 311, "", too_large, not_persisted, "", spec},
    AmqpError{At::any, 320, "", unavailable, possibly_persisted, "", spec},
    AmqpError{At::any, 402, "", not_found, not_persisted, "check conn_details.virtual_host", spec},
    AmqpError{At::any, 403, "internal exchange", permission_denied, not_persisted,
              "nobody can publish to an internal exchange: publish to one that it is bound to", "rabbit_channel"},
    AmqpError{At::any, 403, "reserved prefix", permission_denied, not_persisted,
              "names that begin with 'amq.' are the broker's own: choose another one", "rabbit_channel"},
    AmqpError{At::any, 403, "access to topic", permission_denied, not_persisted,
              "grant the user this routing key (rabbitmqctl set_topic_permissions)", access},
    AmqpError{At::any, 403, "", permission_denied, not_persisted,
              "grant the user the right (rabbitmqctl set_permissions)", access},
    AmqpError{At::any, 404, "down or inaccessible", unavailable, not_persisted,
              "the node that has the queue is down: start it", queue},
    AmqpError{At::any, 404, "due to timeout", unavailable, not_persisted, "the queue does not answer", queue},
    AmqpError{At::any, 404, "stopped by supervisor", unavailable, not_persisted,
              "the queue's process has crashed; see the broker's log", queue},
    AmqpError{At::any, 404, "has crashed", unavailable, not_persisted,
              "the queue's process has crashed; see the broker's log", queue},
    AmqpError{At::any, 404, "", not_found, not_persisted, "declare it on the broker first", spec},
    AmqpError{At::any, 405, "", unavailable, not_persisted,
              "another connection has the queue for itself (exclusive): close it, or use another name", queue},
    AmqpError{At::any, 406, "message size", too_large, not_persisted, "the broker's max_message_size is the limit",
              "rabbit_channel"},
    AmqpError{At::any, 406, "max size", too_large, not_persisted, "the broker's max_message_size is the limit",
              "rabbit_channel"},
    AmqpError{At::any, 406, "inequivalent arg", invalid_argument, not_persisted,
              "it exists, and was declared otherwise: make params.declare agree with it, or delete it on the broker",
              "rabbit_misc"},
    AmqpError{At::any, 406, "invalid arg", invalid_argument, not_persisted,
              "the broker does not allow this in params.declare", queue},
    AmqpError{At::any, 406, "invalid property", invalid_argument, not_persisted,
              "the broker does not allow this in params.declare", queue},
    AmqpError{At::any, 406, "exchange type", invalid_argument, not_persisted,
              "enable the plugin that brings the type, or correct params.declare.type", "rabbit_exchange, RabbitMQ 4"},
    AmqpError{At::any, 406, "", invalid_argument, not_persisted, "", spec},
    AmqpError{At::any, 501, "", unavailable, possibly_persisted, "", spec},
    AmqpError{At::any, 502, "", unavailable, possibly_persisted, "", spec},
    AmqpError{At::any, 503, "exchange type", unavailable, possibly_persisted,
              "enable the plugin that brings the type, or correct params.declare.type", "rabbit_exchange"},
    AmqpError{At::any, 503, "", unavailable, possibly_persisted, "", spec},
    AmqpError{At::any, 504, "", unavailable, possibly_persisted, "", spec},
    AmqpError{At::any, 505, "", unavailable, possibly_persisted, "", spec},
    AmqpError{At::any, 506, "", unavailable, possibly_persisted, "the broker lacks something; see its log", spec},
    AmqpError{At::any, 530, channel_limit, unavailable, possibly_persisted,
              "raise the user's limit max-channels (rabbitmqctl set_user_limits) or channel_max, or close other "
              "connections; meanwhile, exchanges share channels",
              reader},
    AmqpError{At::any, 530, "", unavailable, possibly_persisted, "", spec},
    AmqpError{At::any, 540, "", unavailable, possibly_persisted, "", spec},
    AmqpError{At::any, 541, "", unavailable, possibly_persisted, "see the broker's log", spec},
    AmqpError{At::any, 0, "", unavailable, possibly_persisted, "", "any other code"},
};
// clang-format on

std::string_view name_of(At at) {
  switch (at) {
    case At::login:
      return "login";
    case At::message:
      return "message";
    case At::any:
      break;
  }
  return "later";
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// The broker names the user; a user's name is half of what it logs in with, and no log's business.
std::string without_user(std::string_view reply_text) {
  std::string text(reply_text);
  for (const std::string_view before : {"user '", "user_id property set to '", "authenticated user was '"}) {
    const std::size_t found = text.find(before);
    if (found == std::string::npos) continue;
    const std::size_t begin = found + before.size();
    std::size_t end = text.find("': ", begin);  // a name may have a quote in it
    if (end == std::string::npos) end = text.find("' but ", begin);
    if (end == std::string::npos) end = text.ends_with('\'') ? text.size() - 1 : text.size();
    text.replace(begin, end - begin, "***");
  }
  return text;
}

}  // namespace

std::span<const AmqpError> amqp_errors() noexcept { return errors; }

const AmqpError& amqp_error(AmqpErrorAt at, int code, std::string_view reply_text) noexcept {
  const auto found = std::find_if(errors.begin(), errors.end() - 1, [&](const AmqpError& error) {
    return (error.at == at || error.at == At::any) && error.code == code && contains(reply_text, error.part);
  });
  return *found;
}

std::string text_of(const AmqpError& error, int code, std::string_view reply_text) {
  std::string text = "the broker says " + std::to_string(code) + " " + without_user(reply_text);
  if (!error.advice.empty()) text += "; " + std::string(error.advice);
  return text;
}

Status status_of_close(int reply_code, std::string_view reply_text) {
  const AmqpError& error = amqp_error(At::any, reply_code, reply_text);
  return {error.status, text_of(error, reply_code, reply_text)};
}

bool is_channel_limit(int reply_code, std::string_view reply_text) noexcept {
  return reply_code == 530 && contains(reply_text, channel_limit);
}

std::string amqp_error_table() {
  std::string table =
      "| said at | code | text has | status | tried again | persistence | advice | source "
      "|\n|---|---|---|---|---|---|---|---|\n";
  for (const AmqpError& error : errors) {
    const Status status(error.status, {});
    table += "| " + std::string(name_of(error.at)) + " | " + (error.code == 0 ? "other" : std::to_string(error.code)) +
             " | " + std::string(error.part) + " | `" + std::string(to_string(error.status)) + "` | " +
             (status.retryable() ? "yes" : "no") + " | `" + std::string(to_string(error.persistence)) + "` | " +
             std::string(error.advice) + " | " + std::string(error.source) + " |\n";
  }
  return table;
}

}  // namespace action_triggers::detail
