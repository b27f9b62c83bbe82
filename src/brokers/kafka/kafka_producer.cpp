// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_producer.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include "base/fork.hpp"

namespace action_triggers::detail {
namespace {

// The lane reports what is past its deadline. librdkafka only has to release the message some time later.
constexpr std::chrono::milliseconds after_the_deadline{5'000};
// What NON_BLOCKING spares the lane: waiting for threads of the client that are looking up a name.
constexpr int purge_flags = RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING;

/// How long a request may be without an answer: a connection that was dropped silently is noticed by nothing else.
/// The least is more than a broker takes that works.
void limit_answer_time(KafkaConfig& config, std::chrono::milliseconds timeout) {
  constexpr std::chrono::milliseconds least{10'000};
  constexpr std::chrono::milliseconds most{60'000};              // librdkafka's own
  if (config.properties.contains("request.timeout.ms")) return;  // which the broker may take
  config.properties.try_emplace("socket.timeout.ms", std::to_string(std::clamp(timeout / 2, least, most).count()));
}

/// After such a failure librdkafka has freed a part of the configuration, its interceptors, and would free it again
/// with the rest.
void keep_for_ever(KafkaConf conf) {
  static std::mutex mutex;
  static auto* const kept = new std::vector<KafkaConf>;
  const std::lock_guard lock(mutex);
  kept->push_back(std::move(conf));
}

}  // namespace

KafkaProducer::KafkaProducer() { watch_forks(); }

bool KafkaProducer::is_ours() const { return generation_ == fork_generation(); }

Status KafkaProducer::make(const KafkaConfig& given, std::chrono::milliseconds timeout, OnThrottle on_throttle,
                           void* opaque) {
  std::array<char, 512> reason{};
  KafkaConfig config = given;
  limit_answer_time(config, timeout);
  try {
    KafkaConf conf = make_kafka_conf(config);
    signs_ = std::make_shared<KafkaSigns>();
    files_ = KafkaTlsFiles(config);
    const auto protocol = config.properties.find("security.protocol");
    signs_->logs_in = protocol != config.properties.end() && protocol->second.find("SASL") != std::string::npos;
    watch_signs(conf.get(), *signs_);
    rd_kafka_conf_set_opaque(conf.get(), opaque);
    rd_kafka_conf_set_throttle_cb(conf.get(), on_throttle);
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), reason.data(), reason.size());
    if (client_ == nullptr) {
      const bool lacks_something = rd_kafka_last_error() == RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
      if (lacks_something) keep_for_ever(std::move(conf));
      // If there was one of the same configuration, it is the files that are wrong, and may be in the making.
      return {lacks_something || was_made_ ? StatusCode::unavailable : StatusCode::invalid_argument,
              std::string("librdkafka: ") + reason.data()};
    }
    static_cast<void>(conf.release());  // it is the client's now, but only on success
  } catch (const std::runtime_error& error) {
    return {StatusCode::invalid_argument, error.what()};
  }
  was_made_ = true;
  generation_ = fork_generation();
  queue_.reset(rd_kafka_queue_get_main(client_));
  rd_kafka_set_log_queue(client_, queue_.get());
  const std::uint64_t one = 1;
  rd_kafka_queue_io_event_enable(queue_.get(), has_events_.fd(), &one, sizeof one);
  return {};
}

Status KafkaProducer::make_topic(const std::string& name, std::chrono::milliseconds timeout, KafkaTopic& topic) {
  std::array<char, 512> reason{};
  KafkaTopicConf conf(rd_kafka_default_topic_conf_dup(client_));
  const std::int64_t limit =
      std::min<std::int64_t>((timeout + after_the_deadline).count(), std::numeric_limits<std::int32_t>::max());
  rd_kafka_topic_conf_set(conf.get(), "message.timeout.ms", std::to_string(limit).c_str(), reason.data(),
                          reason.size());
  topic.reset(rd_kafka_topic_new(client_, name.c_str(), conf.release()));
  if (topic) return {};
  return {StatusCode::internal, "topic '" + name + "': " + rd_kafka_err2str(rd_kafka_last_error())};
}

KafkaError KafkaProducer::produce(const KafkaConfig& config, rd_kafka_topic_t* topic, const OutboundMessage& message,
                                  std::int64_t timestamp) {
  KafkaHeaders headers = header_lists_.make(config, message);
  std::array<rd_kafka_vu_t, 7> arguments;  // half a kilobyte, of which the first `count` are set and read
  std::size_t count = 0;
  const auto add = [&](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
    arguments[count].vtype = type;
    return arguments[count++];
  };
  add(RD_KAFKA_VTYPE_RKT).u.rkt = topic;
  auto& value = add(RD_KAFKA_VTYPE_VALUE).u.mem;
  value.ptr = const_cast<char*>(message.body().data());
  value.size = message.body().size();
  if (!message.key().empty()) {
    auto& key = add(RD_KAFKA_VTYPE_KEY).u.mem;
    key.ptr = const_cast<char*>(message.key().data());
    key.size = message.key().size();
  }
  if (const auto more = message.properties()) {
    if (more->tombstone) value = {};
    if (more->partition) add(RD_KAFKA_VTYPE_PARTITION).u.i32 = *more->partition;
    if (more->timestamp) timestamp = more->timestamp->time_since_epoch().count();
  }
  if (headers) add(RD_KAFKA_VTYPE_HEADERS).u.headers = headers.get();
  add(RD_KAFKA_VTYPE_TIMESTAMP).u.i64 = timestamp;
  add(RD_KAFKA_VTYPE_OPAQUE).u.ptr = const_cast<OutboundMessage*>(&message);
  KafkaError error(rd_kafka_produceva(client_, arguments.data(), count));
  if (!error) static_cast<void>(headers.release());  // the message's now, but only on success
  return error;
}

KafkaEvent KafkaProducer::next_event(int milliseconds) {
  return KafkaEvent(rd_kafka_queue_poll(queue_.get(), milliseconds));
}

void KafkaProducer::purge() { rd_kafka_purge(client_, purge_flags); }

void KafkaProducer::free(std::chrono::milliseconds patience) {
  if (client_ == nullptr) return;
  rd_kafka_t* const client = std::exchange(client_, nullptr);
  if (!is_ours()) {  // leaked on purpose
    static_cast<void>(queue_.release());
    return;
  }
  rd_kafka_queue_io_event_enable(queue_.get(), -1, nullptr, 0);
  queue_.reset();
  destroy_elsewhere(client, patience, signs_);
}

}  // namespace action_triggers::detail
