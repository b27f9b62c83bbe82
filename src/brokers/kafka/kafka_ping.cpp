// SPDX-License-Identifier: MIT
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "brokers/kafka/kafka_client.hpp"
#include "brokers/kafka/kafka_status.hpp"
#include "brokers/kafka/kafka_type.hpp"
#include "core/ping_message.hpp"

namespace action_triggers::detail {
namespace {

using Clock = std::chrono::steady_clock;

// For "no broker can be reached": one server may have several addresses, of which the first tried need not be the one
// that answers. The client tries the next one after a pause.
constexpr std::chrono::milliseconds patience{2'000};
// For "unknown topic", where the broker may just be creating it: as long as fire() waits.
constexpr std::chrono::milliseconds creation{1'500};

// What the end of a client may take beyond the ping's time; without a name server that answers it would be for ever.
constexpr std::chrono::milliseconds free_time{500};

struct ClientDeleter {
  std::shared_ptr<std::atomic<bool>> has_address{};  // the client's threads use it
  void operator()(rd_kafka_t* client) const { destroy_elsewhere(client, free_time, has_address); }
};
using Client = std::unique_ptr<rd_kafka_t, ClientDeleter>;

/// librdkafka's own, but for the note: on a thread of the client's, when the name of a server has been looked up.
extern "C" int action_triggers_kafka_ping_socket(int domain, int type, int protocol, void* has_address) {
  static_cast<std::atomic<bool>*>(has_address)->store(true);
  return ::socket(domain, type | SOCK_CLOEXEC, protocol);
}

/// A conversation of its own, one question after another. Throws Status.
class Ping {
 public:
  Ping(const KafkaConfig& config, const PingOptions& options)
      : config_(config), deadline_(Clock::now() + options.timeout), send_(options.send) {}

  std::string run() {
    const Client producer = make_client(RD_KAFKA_PRODUCER);
    const KafkaQueue queue(rd_kafka_queue_get_main(producer.get()));
    rd_kafka_set_log_queue(producer.get(), queue.get());
    const KafkaTopic topic(rd_kafka_topic_new(producer.get(), config_.topic.c_str(), nullptr));
    std::string detail = "topic '" + config_.topic + "' exists (" +
                         std::to_string(wait_for_partitions(producer.get(), queue.get(), topic.get())) + " partitions)";
    if (!send_) return detail;
    const PingMessage message;
    const auto [partition, offset] = produce(topic.get(), producer.get(), queue.get(), message);
    detail += "; test message " + message.id + " written to partition " + std::to_string(partition) + ", offset " +
              std::to_string(offset);
    return detail + read_back(partition, offset, message);
  }

 private:
  [[nodiscard]] int left_ms() const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
  }

  Client make_client(rd_kafka_type_t type) const {
    std::array<char, 512> reason{};
    KafkaConfig config = config_;
    // A consumer has more to say about it than the producer that it is meant for.
    if (type == RD_KAFKA_CONSUMER) config.properties.erase("receive.message.max.bytes");
    // Every address of a server is to be tried while patience lasts.
    config.properties["reconnect.backoff.ms"] = "50";
    config.properties["reconnect.backoff.max.ms"] = "200";
    // What fire() may create, a test message may. Without one, nothing is left behind.
    if (!send_) config.properties["allow.auto.create.topics"] = "false";
    KafkaConf conf = make_kafka_conf(config);
    rd_kafka_conf_set_opaque(conf.get(), has_address_.get());
    rd_kafka_conf_set_socket_cb(conf.get(), action_triggers_kafka_ping_socket);
    Client client(rd_kafka_new(type, conf.get(), reason.data(), reason.size()), ClientDeleter{has_address_});
    if (!client) throw Status(StatusCode::invalid_argument, std::string("librdkafka: ") + reason.data());
    static_cast<void>(conf.release());
    return client;
  }

  /// The client may be unable to go on, such as one without the right to be idempotent.
  static void throw_if_fatal(rd_kafka_t* client) {
    std::string reason;
    const rd_kafka_resp_err_t error = kafka_fatal_error(client, reason);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw kafka_status(error, reason, {});
  }

  /// Throws what is final. Errors of single brokers are kept for the text.
  void serve_error(rd_kafka_t* client, rd_kafka_event_t* event) {
    const rd_kafka_resp_err_t error = rd_kafka_event_error(event);
    const std::string text = rd_kafka_event_error_string(event);
    if (error == RD_KAFKA_RESP_ERR__AUTHENTICATION) throw kafka_status(error, text, {});
    throw_if_fatal(client);
    bool are_all_down = error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;  // which some versions never say
    if (!are_all_down) {
      last_error_ = text;
      failed_.insert(text.substr(0, text.find(": ")));  // HOST:PORT/bootstrap
      are_all_down = failed_.size() >= kafka_servers(config_);
    }
    if (are_all_down && !down_since_) down_since_ = Clock::now();
  }

  void serve_errors(rd_kafka_t* client, rd_kafka_queue_t* queue) {
    while (const KafkaEvent event = KafkaEvent(rd_kafka_queue_poll(queue, 0))) {
      if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR) serve_error(client, event.get());
    }
    if (!down_since_ || (Clock::now() - *down_since_ < patience && left_ms() > 0)) return;
    throw Status(StatusCode::unavailable, kafka_unreachable(config_, last_error_));
  }

  int wait_for_partitions(rd_kafka_t* client, rd_kafka_queue_t* queue, rd_kafka_topic_t* topic) {
    std::optional<Clock::time_point> unknown_since;
    for (int limit_ms = 500; left_ms() > 0; limit_ms = std::min(2 * limit_ms, 5'000)) {
      const rd_kafka_metadata_t* raw = nullptr;
      const rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, topic, &raw, std::min(left_ms(), limit_ms));
      const std::unique_ptr<const rd_kafka_metadata_t, KafkaDeleter<rd_kafka_metadata_destroy>> metadata(raw);
      serve_errors(client, queue);
      if (error != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1) continue;
      const rd_kafka_metadata_topic_t& found = metadata->topics[0];
      const bool is_unknown = found.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
      if (is_unknown && !unknown_since) unknown_since = Clock::now();
      const bool may_come = is_unknown && send_ && Clock::now() - *unknown_since < creation;
      if (!may_come && found.err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
        if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) throw kafka_status(found.err, {}, config_.topic);
        const auto has_leader = [](const rd_kafka_metadata_partition_t& partition) { return partition.leader >= 0; };
        if (std::any_of(found.partitions, found.partitions + found.partition_cnt, has_leader)) {
          return found.partition_cnt;
        }
        last_error_ = "no partition of topic '" + config_.topic + "' has a leader";  // nothing can be sent
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(std::min(left_ms(), 50)));  // it changes slowly
    }
    if (last_error_.empty() && !has_address_->load()) {
      throw Status(StatusCode::unavailable, "no name in " + config_.bootstrap_servers +
                                                " could be looked up in time: the name server does not answer");
    }
    throw Status(StatusCode::unavailable, config_.bootstrap_servers + " did not answer in time" +
                                              (last_error_.empty() ? "" : ": " + last_error_));
  }

  std::pair<std::int32_t, std::int64_t> produce(rd_kafka_topic_t* topic, rd_kafka_t* client, rd_kafka_queue_t* queue,
                                                const PingMessage& message) {
    KafkaHeaders headers(rd_kafka_headers_new(2));
    rd_kafka_header_add(headers.get(), ping_header, -1, "1", 1);
    if (config_.message_id_header) {
      rd_kafka_header_add(headers.get(), config_.message_id_header->c_str(), -1, message.id.data(),
                          static_cast<ssize_t>(message.id.size()));
    }
    std::array<rd_kafka_vu_t, 3> arguments{};
    arguments[0].vtype = RD_KAFKA_VTYPE_RKT;
    arguments[0].u.rkt = topic;
    arguments[1].vtype = RD_KAFKA_VTYPE_VALUE;
    arguments[1].u.mem.ptr = const_cast<char*>(message.body.data());
    arguments[1].u.mem.size = message.body.size();
    arguments[2].vtype = RD_KAFKA_VTYPE_HEADERS;
    arguments[2].u.headers = headers.get();
    if (const KafkaError error(rd_kafka_produceva(client, arguments.data(), arguments.size())); error) {
      throw_if_fatal(client);
      throw kafka_status(rd_kafka_error_code(error.get()), {}, config_.topic);
    }
    static_cast<void>(headers.release());
    while (left_ms() > 0) {
      const KafkaEvent event(rd_kafka_queue_poll(queue, left_ms()));
      if (event && rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR) serve_error(client, event.get());
      if (!event || rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_DR) continue;
      const rd_kafka_message_t* report = rd_kafka_event_message_next(event.get());
      if (report->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        throw_if_fatal(client);  // the message was only thrown out with everything else
        throw kafka_status(report->err, {}, config_.topic);
      }
      return {report->partition, report->offset};
    }
    // NON_BLOCKING: no waiting for threads of the client that are looking up a name, past the ping's time.
    rd_kafka_purge(client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    throw Status(StatusCode::timed_out,
                 "the test message was not confirmed in time" + (last_error_.empty() ? "" : ": " + last_error_));
  }

  std::string read_back(std::int32_t partition, std::int64_t offset, const PingMessage& message) {
    // Assigned, not subscribed: no group, no commit, nothing taken from anyone.
    const Client consumer = make_client(RD_KAFKA_CONSUMER);
    const KafkaTopic topic(rd_kafka_topic_new(consumer.get(), config_.topic.c_str(), nullptr));
    if (rd_kafka_consume_start(topic.get(), partition, offset) != 0) {
      throw Status(StatusCode::internal, std::string("reading back: ") + rd_kafka_err2str(rd_kafka_last_error()));
    }
    std::string problem = "it did not come back in time";
    while (left_ms() > 0) {
      rd_kafka_message_t* got = rd_kafka_consume(topic.get(), partition, std::min(left_ms(), 100));
      if (got == nullptr) continue;
      const bool is_it = got->err == RD_KAFKA_RESP_ERR_NO_ERROR && got->offset == offset;
      const bool is_refused = got->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
      if (is_it) {
        const std::string body(static_cast<const char*>(got->payload), got->len);
        problem = body == message.body ? "" : "other bytes came back";
      }
      rd_kafka_message_destroy(got);
      if (is_refused) {  // whoever fires need not read
        rd_kafka_consume_stop(topic.get(), partition);
        return "; not read back, for which the user has no permission";
      }
      if (is_it) break;
    }
    rd_kafka_consume_stop(topic.get(), partition);
    if (!problem.empty()) throw Status(StatusCode::internal, "the test message was confirmed, but " + problem);
    return ", and read back";
  }

  const KafkaConfig& config_;
  const Clock::time_point deadline_;
  const bool send_;
  std::optional<Clock::time_point> down_since_;  // when no broker could be reached any more
  std::string last_error_;
  std::set<std::string> failed_;  // servers
  const std::shared_ptr<std::atomic<bool>> has_address_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace

PingReport ping_kafka(const BrokerConfig& config, const PingOptions& options) {
  const KafkaConfig& kafka = config_as<KafkaConfig>(config, "Kafka");
  try {
    return {.status = {}, .detail = Ping(kafka, options).run()};
  } catch (const Status& status) {
    return {.status = status, .detail = {}};
  } catch (const std::runtime_error& error) {
    return {.status = {StatusCode::invalid_argument, error.what()}, .detail = {}};
  }
}

}  // namespace action_triggers::detail
