// SPDX-License-Identifier: MIT
#include "outbox/arrivals.hpp"

#include <librdkafka/rdkafka.h>
#include <sys/time.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "brokers/rabbitmq/amqp.hpp"

namespace action_triggers::tests {
namespace {

using namespace std::chrono_literals;
using Connection = detail::AmqpHandle;

constexpr amqp_channel_t channel = 1;

/// Nothing: it does not answer.
Connection connect_to_rabbitmq() {
  Connection connection(amqp_new_connection());
  timeval limit{.tv_sec = 2, .tv_usec = 0};
  amqp_socket_t* const socket = amqp_tcp_socket_new(connection.get());
  if (socket == nullptr ||
      amqp_socket_open_noblock(socket, Servers::rabbitmq_host().c_str(), Servers::rabbitmq_port(), &limit) != 0) {
    return nullptr;
  }
  amqp_set_rpc_timeout(connection.get(), &limit);
  const amqp_rpc_reply_t login =
      amqp_login(connection.get(), "/", 0, 131'072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
  if (login.reply_type != AMQP_RESPONSE_NORMAL || amqp_channel_open(connection.get(), channel) == nullptr) {
    return nullptr;
  }
  return connection;
}

amqp_queue_declare_ok_t* declare(const Connection& connection, const std::string& queue, bool is_passive) {
  return amqp_queue_declare(connection.get(), channel, detail::to_amqp(queue), is_passive ? 1 : 0, 1, 0, 0,
                            amqp_empty_table);
}

/// How many messages a place has.
class Counter {
 public:
  explicit Counter(Place place) : place_(std::move(place)) {}
  ~Counter() {
    if (kafka_ != nullptr) rd_kafka_destroy(kafka_);
  }
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  /// Nothing: its broker does not answer, or has no such place.
  std::optional<std::uint64_t> count() {
    return place_.kind == Place::Kind::kafka ? count_in_topic() : count_in_queue();
  }

 private:
  std::optional<std::uint64_t> count_in_queue() {
    if (rabbitmq_ == nullptr) rabbitmq_ = connect_to_rabbitmq();
    if (rabbitmq_ == nullptr) return std::nullopt;
    const amqp_queue_declare_ok_t* const queue = declare(rabbitmq_, place_.name, true);
    if (queue == nullptr) {
      rabbitmq_.reset();
      return std::nullopt;
    }
    const std::uint64_t count = queue->message_count;
    amqp_maybe_release_buffers(rabbitmq_.get());
    return count;
  }

  std::optional<std::uint64_t> count_in_topic() {
    if (kafka_ == nullptr) {
      char reason[256];
      rd_kafka_conf_t* const conf = rd_kafka_conf_new();
      rd_kafka_conf_set(conf, "bootstrap.servers", Servers::kafka_bootstrap().c_str(), reason, sizeof reason);
      rd_kafka_conf_set(conf, "log_level", "0", reason, sizeof reason);
      kafka_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
      if (kafka_ == nullptr) throw std::runtime_error(reason);
    }
    std::uint64_t count = 0;
    for (int partition = 0; partition < kafka_partitions; ++partition) {
      std::int64_t low = 0;
      std::int64_t high = 0;
      if (rd_kafka_query_watermark_offsets(kafka_, place_.name.c_str(), partition, &low, &high, 1'000) !=
          RD_KAFKA_RESP_ERR_NO_ERROR) {
        return std::nullopt;
      }
      count += static_cast<std::uint64_t>(high);
    }
    return count;
  }

  const Place place_;
  Connection rabbitmq_;
  rd_kafka_t* kafka_ = nullptr;
};

}  // namespace

void make_place(const Place& place) {
  if (place.kind == Place::Kind::kafka) return create_topics({place.name}, kafka_partitions);
  const Connection connection = connect_to_rabbitmq();
  if (connection == nullptr || declare(connection, place.name, false) == nullptr) {
    throw std::runtime_error("RabbitMQ does not make the queue " + place.name);
  }
}

std::vector<Received> read_place(const Place& place) {
  return place.kind == Place::Kind::kafka ? read_topic(place.name) : drain_queue(place.name);
}

ArrivalWatch::ArrivalWatch(std::vector<Place> places) : places_(std::move(places)), thread_([this] { watch(); }) {}

ArrivalWatch::~ArrivalWatch() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  looked_.notify_all();
  thread_.join();
}

void ArrivalWatch::watch() {
  std::vector<std::unique_ptr<Counter>> counters;
  for (const Place& place : places_) counters.push_back(std::make_unique<Counter>(place));
  std::unique_lock lock(mutex_);
  while (!is_over_) {
    bool have_all_answered = true;
    for (std::size_t i = 0; i < places_.size() && !is_over_; ++i) {
      lock.unlock();
      const std::optional<std::uint64_t> count = counters[i]->count();
      lock.lock();
      std::uint64_t& known = counts_[places_[i].destination];
      have_all_answered = have_all_answered && count.has_value();
      if (!count) continue;
      if (*count > known) rises_.push_back(Clock::now());
      known = *count;
    }
    looked_.notify_all();
    // The pace of looking, not a wait for anything; a broker that starts is left in peace.
    looked_.wait_for(lock, have_all_answered ? 3ms : 50ms, [this] { return is_over_; });
  }
}

std::uint64_t ArrivalWatch::count() {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& [destination, count] : counts_) sum += count;
  return sum;
}

std::optional<std::chrono::milliseconds> ArrivalWatch::first_after(Clock::time_point moment) {
  const std::lock_guard lock(mutex_);
  const auto found = std::upper_bound(rises_.begin(), rises_.end(), moment);
  if (found == rises_.end()) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::milliseconds>(*found - moment);
}

bool ArrivalWatch::eventually(const std::function<bool()>& condition, std::chrono::seconds patience) {
  const auto deadline = Clock::now() + patience;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::unique_lock lock(mutex_);
    looked_.wait_for(lock, 20ms);
  }
  return true;
}

}  // namespace action_triggers::tests
