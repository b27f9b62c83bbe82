// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

#include "brokers/rabbitmq/amqp.hpp"
#include "brokers/rabbitmq/amqp_connector.hpp"
#include "brokers/rabbitmq/amqp_login.hpp"
#include "brokers/rabbitmq/declare_methods.hpp"
#include "brokers/rabbitmq/message_encoder.hpp"
#include "brokers/rabbitmq/rabbitmq_type.hpp"
#include "core/ping_message.hpp"

namespace action_triggers::detail {
namespace {

using Clock = std::chrono::steady_clock;

/// Whether one more queue on an exchange of this type takes nothing from the others: AMQP's own types. A
/// consistent-hash or random exchange gives each queue a share.
bool copies_to_every_queue(std::string_view type) {
  return type == "direct" || type == "fanout" || type == "topic" || type == "headers";
}

/// A conversation of its own, one question after another. Throws Status.
class Ping {
 public:
  Ping(RabbitMqConfig config, const PingOptions& options)
      : config_(std::move(config)), deadline_(Clock::now() + options.timeout), send_(options.send) {}

  std::string run() {
    connect();
    open_channel();
    std::string detail = config_.exchange.empty() ? prove_queue() : prove_exchange();
    if (send_) {
      detail += config_.exchange.empty() ? send_to_queue() : send_through_exchange();
    } else if (!is_exchange_missing_) {
      detail += try_to_publish();
    }
    if (blocked_.empty()) amqp_connection_close(connection_.get(), AMQP_REPLY_SUCCESS);  // or it would not be read
    return detail;
  }

 private:
  void connect() {
    AmqpConnectorResult result = connect_to_any_host(config_, 0, deadline_);
    if (!result.status.ok()) throw Status(result.status);
    connection_ = std::move(result.connection);
    const timeval timeout = to_timeval(left());
    amqp_set_rpc_timeout(connection_.get(), &timeout);
  }

  /// An error has closed the last one.
  void open_channel() {
    amqp_channel_open(connection_.get(), ++channel_);
    check("open a channel");
  }

  [[nodiscard]] std::chrono::milliseconds left() const {
    return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()),
                    std::chrono::milliseconds(1));
  }

  /// Throws why the broker closes the channel or the connection, if this method does so.
  static void throw_if_closed(const amqp_method_t& method) {
    if (method.id == AMQP_CHANNEL_CLOSE_METHOD) {
      const auto& close = *static_cast<const amqp_channel_close_t*>(method.decoded);
      throw status_of_close(close.reply_code, from_amqp(close.reply_text));
    }
    if (method.id == AMQP_CONNECTION_CLOSE_METHOD) {
      const auto& close = *static_cast<const amqp_connection_close_t*>(method.decoded);
      throw status_of_close(close.reply_code, from_amqp(close.reply_text));
    }
  }

  /// Throws what the last question was answered with, if that was an error.
  void check(const char* what) const {
    const amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection_.get());
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION) throw_if_closed(reply.reply);
    throw Status(StatusCode::unavailable, std::string(what) + ": " + amqp_error_string2(reply.library_error));
  }

  std::string prove_queue() {
    amqp_queue_declare(connection_.get(), channel_, to_amqp(config_.queue), 1, 0, 0, 0, amqp_empty_table);
    try {
      check("look for the queue");
    } catch (const Status& status) {
      if (status.code() != StatusCode::not_found || !config_.declare) throw;
      open_channel();
      if (!send_) return "connected; queue '" + config_.queue + "' does not exist yet, and will be declared";
    }
    // Of one that exists it changes nothing, and tells whether it agrees and the user has the right.
    if (config_.declare) declare_all(config_, declare());
    const amqp_queue_declare_ok_t* answer =
        amqp_queue_declare(connection_.get(), channel_, to_amqp(config_.queue), 1, 0, 0, 0, amqp_empty_table);
    check("look for the queue");
    return "queue '" + config_.queue + "' exists (" + std::to_string(answer->message_count) + " messages, " +
           std::to_string(answer->consumer_count) + " consumers)";
  }

  /// As fire() would.
  [[nodiscard]] MethodSink declare() {
    return [this](amqp_method_number_t method, void* decoded) {
      amqp_simple_rpc_decoded(connection_.get(), channel_, method, method + 1, decoded);
      check("declare");
    };
  }

  /// Nothing new is declared unless a message is to be sent, too.
  bool may_declare(const char* what) {
    try {
      check(what);
    } catch (const Status& status) {
      if (status.code() != StatusCode::not_found || !declares(config_)) throw;
      open_channel();
      return send_;
    }
    return declares(config_);
  }

  bool look_for_queue(const std::string& queue) {
    amqp_queue_declare(connection_.get(), channel_, to_amqp(queue), 1, 0, 0, 0, amqp_empty_table);
    return may_declare("look for the queue");
  }

  std::string prove_exchange() {
    amqp_exchange_declare(connection_.get(), channel_, to_amqp(config_.exchange), amqp_cstring_bytes("direct"), 1, 0, 0,
                          0, amqp_empty_table);
    const bool exists_or_may = may_declare("look for the exchange");
    if (!config_.declare_exchange) return "exchange '" + config_.exchange + "' exists";
    is_exchange_missing_ = !exists_or_may;
    return exists_or_may ? declare_exchange_and_queues()
                         : "connected; exchange '" + config_.exchange + "' does not exist yet, and will be declared";
  }

  /// Of what exists it changes nothing, and tells whether it agrees and the user has the right. A binding would be new.
  std::string declare_exchange_and_queues() {
    if (send_) {
      declare_all(config_, declare());
    } else {
      declare_exchange(config_.exchange, *config_.declare_exchange, declare());
      for (const RabbitMqBoundQueue& queue : config_.declare_exchange->queues) {
        if (look_for_queue(queue.queue)) declare_queue(queue.queue, queue.declare, declare());
      }
    }
    return "exchange '" + config_.exchange + "' exists";
  }

  /// Whether a fire would be refused, without delivering anything. The broker looks at every right as it takes a
  /// message, also in a transaction; it hands the messages of one to their queues when that is committed, and this one
  /// is rolled back. (3.10 and 4.x route at once: an exchange of the plugin's type x-recent-history remembers it.)
  std::string try_to_publish() {
    const std::string not_tried = "; whether it takes messages was not tried: ";
    try {
      amqp_tx_select(connection_.get(), channel_);
      check("begin a transaction");
    } catch (const Status& status) {
      return not_tried + status.message();
    }
    publish(PingMessage());
    amqp_tx_rollback_t rollback{};
    if (const int error = amqp_send_method(connection_.get(), channel_, AMQP_TX_ROLLBACK_METHOD, &rollback);
        error != AMQP_STATUS_OK) {
      throw Status(StatusCode::unavailable, std::string("rolling back: ") + amqp_error_string2(error));
    }
    try {
      await(AMQP_TX_ROLLBACK_OK_METHOD);
    } catch (const Status& status) {
      const bool is_for_one_key = status.message().find("access to topic") != std::string::npos;
      if (!config_.key_as_routing_key || !is_for_one_key) throw;
      return "; messages with other routing keys may be taken: " + status.message();
    }
    return blocked_.empty() ? "" : not_tried + blocked_;
  }

  void publish_and_wait(const PingMessage& message) {
    amqp_confirm_select(connection_.get(), channel_);
    check("switch on confirms");
    publish(message);
    await(AMQP_BASIC_ACK_METHOD);
  }

  void publish(const PingMessage& message) {
    std::array<amqp_table_entry_t, 1> headers{boolean_entry(ping_header, true)};
    amqp_basic_properties_t properties{};
    set_message_id(properties, message.id);
    set_content_type(properties, "application/json");
    set_headers(properties, headers);
    const amqp_basic_publish_t to = publish_method(config_, {});
    constexpr amqp_boolean_t mandatory = 1;  // whatever the configuration says: a ping is to find out
    if (const int error = amqp_basic_publish(connection_.get(), channel_, to.exchange, to.routing_key, mandatory, 0,
                                             &properties, to_amqp(message.body));
        error != AMQP_STATUS_OK) {
      throw Status(StatusCode::unavailable, std::string("publishing: ") + amqp_error_string2(error));
    }
  }

  /// Reads until the broker answers with this method; without a test message to be confirmed, a broker that blocks
  /// publishers is not waited for. Throws what else it says.
  void await(amqp_method_number_t answer) {
    bool returned = false;
    while (send_ || blocked_.empty()) {
      amqp_frame_t frame{};
      const timeval timeout = to_timeval(left());
      const int error = amqp_simple_wait_frame_noblock(connection_.get(), &frame, &timeout);
      if (error == AMQP_STATUS_TIMEOUT) {
        throw Status(StatusCode::timed_out,
                     "the broker did not confirm in time" + (blocked_.empty() ? "" : ": " + blocked_));
      }
      if (error != AMQP_STATUS_OK) throw Status(StatusCode::unavailable, amqp_error_string2(error));
      if (frame.frame_type != AMQP_FRAME_METHOD) continue;
      const amqp_method_t& method = frame.payload.method;
      if (method.id == AMQP_BASIC_RETURN_METHOD) returned = true;
      if (method.id == answer) {
        if (returned) throw Status(StatusCode::unroutable, "the test message reached no queue");
        return;
      }
      note(method);
    }
  }

  /// What the broker says beside the answer that is waited for.
  void note(const amqp_method_t& method) {
    switch (method.id) {
      case AMQP_BASIC_NACK_METHOD:
        throw Status(StatusCode::rejected, "the broker refused the test message (nack)");
      case AMQP_CONNECTION_BLOCKED_METHOD:
        blocked_ = "it has blocked publishers, " +
                   std::string(from_amqp(static_cast<const amqp_connection_blocked_t*>(method.decoded)->reason));
        break;
      case AMQP_CONNECTION_UNBLOCKED_METHOD:
        blocked_.clear();
        break;
      default:
        throw_if_closed(method);
    }
  }

  std::string send_to_queue() {
    // Reading it back would take it, or whatever stands before it, from the queue's consumers.
    const PingMessage message;
    publish_and_wait(message);
    return "; test message " + message.id + " confirmed";
  }

  std::string send_through_exchange() {
    const PingMessage message;
    const std::string confirmed = "; test message " + message.id + " confirmed";
    std::string temporary_queue;
    try {
      const std::string type = exchange_type();
      if (!copies_to_every_queue(type)) {
        publish_and_wait(message);
        return confirmed +
               "; not read back, since a queue of the test's own would get a share of what goes through an "
               "exchange of type '" +
               type + "'";
      }
      temporary_queue = bind_temporary_queue();
    } catch (const Status& status) {
      if (status.code() != StatusCode::permission_denied) throw;
      open_channel();
      publish_and_wait(message);
      return confirmed + "; not read back, since the user may not declare a queue of the test's own";
    }
    publish_and_wait(message);
    read_back(temporary_queue, message);
    return confirmed + ", and read back";
  }

  /// AMQP tells it only to those who declare the exchange as another type.
  std::string exchange_type() {
    constexpr std::string_view asked = "direct";
    amqp_exchange_declare(connection_.get(), channel_, to_amqp(config_.exchange), to_amqp(asked), 0, 1, 0, 0,
                          amqp_empty_table);
    try {
      check("ask for the exchange's type");
    } catch (const Status& status) {
      if (status.code() != StatusCode::invalid_argument) throw;
      open_channel();
      constexpr std::string_view before = "received 'direct' but current is ";
      const std::string& text = status.message();
      const std::size_t at = text.find(before);
      if (at == std::string::npos) return std::string(asked);  // something else differs
      const std::size_t begin = std::min(text.find_first_not_of('\'', at + before.size()), text.size());
      return text.substr(begin, text.find('\'', begin) - begin);
    }
    return std::string(asked);
  }

  std::string bind_temporary_queue() {
    const amqp_queue_declare_ok_t* queue =
        amqp_queue_declare(connection_.get(), channel_, amqp_empty_bytes, 0, 0, 1, 1, amqp_empty_table);
    check("declare a temporary queue");
    std::string name(from_amqp(queue->queue));
    amqp_queue_bind(connection_.get(), channel_, to_amqp(name), to_amqp(config_.exchange), to_amqp(config_.routing_key),
                    amqp_empty_table);
    check("bind a temporary queue");
    return name;
  }

  void read_back(const std::string& queue, const PingMessage& message) {
    while (Clock::now() < deadline_) {
      const amqp_rpc_reply_t reply = amqp_basic_get(connection_.get(), channel_, to_amqp(queue), 1);
      if (reply.reply_type != AMQP_RESPONSE_NORMAL) check("read the test message back");
      if (reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD) continue;
      amqp_message_t got;
      if (amqp_read_message(connection_.get(), channel_, &got, 0).reply_type != AMQP_RESPONSE_NORMAL) {
        check("read the test message back");
      }
      const std::string body(from_amqp(got.body));
      amqp_destroy_message(&got);
      if (body == message.body) return;
    }
    throw Status(StatusCode::timed_out, "the test message was confirmed, but did not come back in time");
  }

  RabbitMqConfig config_;
  const Clock::time_point deadline_;
  const bool send_;
  AmqpHandle connection_;
  amqp_channel_t channel_ = 0;
  bool is_exchange_missing_ = false;  // and it is not to be declared
  std::string blocked_;               // why the broker blocks publishers; empty: it does not
};

}  // namespace

PingReport ping_rabbitmq(const BrokerConfig& config, const PingOptions& options) {
  const auto& rabbitmq = config_as<RabbitMqConfig>(config, "RabbitMQ");
  try {
    return {.status = {}, .detail = Ping(rabbitmq, options).run()};
  } catch (const Status& status) {
    return {.status = status, .detail = {}};
  }
}

}  // namespace action_triggers::detail
