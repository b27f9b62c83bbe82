// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_broker.hpp"

#include <syslog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.hpp"
#include "brokers/kafka/kafka_errors.hpp"
#include "brokers/kafka/kafka_status.hpp"
#include "brokers/kafka/kafka_type.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::size_t most_reports_per_poll = 512;  // what the lane then does with them stays in the caches
constexpr std::size_t reports_at_once = 32;
constexpr std::chrono::milliseconds free_time{500};  // it takes milliseconds, unless a thread is looking up a name

const OutboundMessage& message_of(const rd_kafka_message_t& report) {
  return *static_cast<const OutboundMessage*>(report._private);
}

/// The lane looks at what a message begins with as soon as it is completed.
void prefetch(const OutboundMessage& message) {
  constexpr std::size_t line = 64;
  __builtin_prefetch(&message);
  __builtin_prefetch(reinterpret_cast<const char*>(&message) + line);
}

/// Why a message cannot be sent as it is; ok if it can.
Status why_invalid(const OutboundMessage& message) {
  bool has_nameless_header = false;  // Kafka would take it, and RabbitMQ would not
  message.for_each_header([&](HeaderView header) { has_nameless_header |= header.name.empty(); });
  if (has_nameless_header) return {StatusCode::invalid_argument, "a header has no name"};
  const auto properties = message.properties();
  if (!properties || properties->partition.value_or(0) >= 0) return {};
  return {StatusCode::invalid_argument, "the partition is negative: " + std::to_string(*properties->partition)};
}

/// The client's own limit, which it names as if it were the broker's.
Status over_the_limit(const OutboundMessage& message, const KafkaConfig& config) {
  std::size_t bytes = message.body().size() + message.key().size();
  message.for_each_header([&](HeaderView header) { bytes += header.name.size() + header.value.size(); });
  const auto limit = config.properties.find("message.max.bytes");
  return {StatusCode::too_large,
          "topic '" + config.topic + "': the message has " + std::to_string(bytes) +
              " bytes, and conn_details.max_request_size, which counts what Kafka adds to them too, is " +
              (limit == config.properties.end() ? "1000000" : limit->second) +
              "; the topic's max.message.bytes limits it as well"};
}

/// Whether this client will never send a message, whatever it tries.
bool is_for_good(const Status& why) {
  return why.code() == StatusCode::unauthenticated || why.code() == StatusCode::permission_denied ||
         why.code() == StatusCode::invalid_argument;
}

/// What the idempotent producer's end means.
Status fatal_status(rd_kafka_resp_err_t cause, const std::string& reason) {
  Status why = kafka_status(cause, reason, {});
  if (is_for_good(why)) return why;
  return {StatusCode::unavailable,
          std::string("a fatal error of the idempotent producer: ") + rd_kafka_err2name(cause) + ": " + reason};
}

void serve_log(rd_kafka_event_t* event, BrokerEvents& events) {
  const char* facility = nullptr;
  const char* text = nullptr;
  int level = LOG_INFO;
  if (rd_kafka_event_log(event, &facility, &text, &level) != 0) return;
  if (level != LOG_DEBUG && std::string_view(facility) == "FAIL") return;  // that comes as an error, too
  if (level == LOG_DEBUG && std::string_view(facility) == "CONF") return;  // every property with its value
  events.log(kafka_log_level(level), std::string(facility) + ": " + text);
}

/// Within rd_kafka_queue_poll(), on the lane's thread.
extern "C" void action_triggers_kafka_throttled(rd_kafka_t* /*client*/, const char* broker, std::int32_t /*broker_id*/,
                                                int milliseconds, void* kafka_broker) {
  static_cast<KafkaBroker*>(kafka_broker)->throttled(broker, std::chrono::milliseconds(milliseconds));
}

}  // namespace

KafkaBroker::KafkaBroker(const KafkaConfig& config) : config_(config), connection_(config_) {}

KafkaBroker::~KafkaBroker() { free_client(free_time); }

// -----------------------------------------------------------------------------------------------------------------
// destinations

void KafkaBroker::start(const LaneContext& context) {
  for (std::size_t i = 0; i < context.destinations.size(); ++i) add_destination(*context.destinations[i], i);
}

void KafkaBroker::add_destination(const BrokerConfig& config, std::size_t index) {
  Topic& topic = destinations_.add(config, index);
  if (producer_.exists() && !given_up_ && producer_.is_ours()) {
    // Looks the topic up now, as connect() does. If that fails, send() tries again and reports why.
    static_cast<void>(destinations_.make_handle(topic, producer_));
  }
}

void KafkaBroker::remove_destination(std::size_t index) { destinations_.remove(index, producer_.is_ours()); }

// -----------------------------------------------------------------------------------------------------------------
// the client

void KafkaBroker::connect(BrokerEvents& events) {
  if (Status why = producer_.make(config_, destinations_.shortest_timeout(), action_triggers_kafka_throttled, this);
      !why.ok()) {
    events.disconnected(std::move(why));
    return;
  }
  given_up_.reset();
  connection_.restart();
  destinations_.forget_unknown();
  if (Status why = destinations_.make_handles(producer_); !why.ok()) {
    free_client({});
    events.disconnected(std::move(why));
    return;
  }
  connected_now_ = true;
  events.connected();  // the client finds its brokers itself, and keeps messages until it has
  events.reconnecting(true, connection_.last_error());  // until a broker answers
}

/// The client cannot go on. Everything it holds comes back through its delivery reports.
void KafkaBroker::give_up_client(Status why) {
  if (given_up_) return;
  given_up_ = std::move(why);
  producer_.purge();
}

void KafkaBroker::free_client(std::chrono::milliseconds patience) {
  if (!producer_.exists()) return;
  if (!producer_.is_ours()) static_cast<void>(reports_.release());  // leaked on purpose
  reports_.reset();
  destinations_.drop_handles(producer_.is_ours());
  producer_.free(patience);
}

// -----------------------------------------------------------------------------------------------------------------
// sending

std::size_t KafkaBroker::send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) {
  if (!producer_.exists() || given_up_ || !producer_.is_ours()) return 0;
  Topic& topic = destinations_.topic_of(*batch.front());
  if (topic.parts.is_divided()) return 0;
  if (const Status why = destinations_.make_handle(topic, producer_); !why.ok()) {
    for (const OutboundMessage* message : batch) events.complete(*message, Outcome::failed(why));
    return batch.size();
  }
  const std::int64_t now = unix_ms();  // librdkafka would ask for each message
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (Status why = why_invalid(*batch[i]); !why.ok()) {
      events.complete(*batch[i], Outcome::failed(std::move(why)));
      continue;
    }
    if (!large_.may_go(*batch[i])) return i;
    switch (offer(topic, *batch[i], now, events)) {
      case Offered::taken:
        topic.parts.count_in();
        break;
      case Offered::completed:
        break;
      case Offered::client_full:
        events.full();  // offered again when reports have freed some of the queue
        return i;
      case Offered::client_ended:
        return i;
    }
  }
  return batch.size();
}

/// Hands one message to the client, or completes it if the client refuses it for good.
KafkaBroker::Offered KafkaBroker::offer(Topic& topic, const OutboundMessage& message, std::int64_t timestamp,
                                        BrokerEvents& events) {
  const KafkaConfig& config = destinations_.config_of(message);
  const KafkaError error = producer_.produce(config, topic.handle.get(), message, timestamp);
  if (!error) {
    large_.count_in(message);
    return Offered::taken;
  }
  const rd_kafka_resp_err_t code = rd_kafka_error_code(error.get());
  if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return Offered::client_full;
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    serve_error(code, rd_kafka_error_string(error.get()), events);
    return Offered::client_ended;
  }
  complete(topic, message,
           code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? Outcome::failed(over_the_limit(message, config))
                                                        : topic.refusal(message, code, last_poll_),
           events);
  return Offered::completed;
}

void KafkaBroker::complete(Topic& topic, const OutboundMessage& message, Outcome&& outcome, BrokerEvents& events) {
  if (topic.parts.may_have_arrived(message) && !outcome.status.ok()) {
    outcome.persistence = Persistence::possibly_persisted;
  }
  events.complete(message, std::move(outcome));
}

/// Sends the next part of what was refused with its batch, if the client has nothing of the topic.
void KafkaBroker::send_parts(Topic& topic, BrokerEvents& events) {
  while (const KafkaParts::Messages* next = topic.parts.next()) {
    if (!large_.may_go(*next)) return;
    const KafkaParts::Messages part = topic.parts.take();
    const std::int64_t now = unix_ms();
    for (std::size_t i = 0; i < part.size(); ++i) {
      const Offered offered = offer(topic, *part[i], now, events);
      if (offered == Offered::completed) continue;
      if (offered != Offered::taken) return topic.parts.put_back(part, i);
      topic.parts.sent();
    }
  }
}

void KafkaBroker::watch_large_messages() {
  if (given_up_ || !large_.begin(producer_.signs().cuts.load(std::memory_order_relaxed))) return;
  give_up_client(
      {StatusCode::unavailable,
       "a broker closes the connection again and again instead of answering a request with a large message"});
}

/// What waits here and not in the client comes back.
void KafkaBroker::complete_held(const Status& why, BrokerEvents& events) {
  for (Topic& topic : destinations_.topics()) {
    for (const OutboundMessage* message : topic.parts.take_all()) {
      complete(topic, *message, Outcome::failed(why), events);
    }
  }
  large_.none_out();
}

// -----------------------------------------------------------------------------------------------------------------
// events

void KafkaBroker::poll(BrokerEvents& events) {
  last_poll_ = events.now();
  if (!producer_.exists() || !producer_.is_ours()) return;
  if (std::exchange(connected_now_, false)) {
    // The lane sends first. If the cluster cannot be reached, waiting messages have then been tried, which counts.
    more_events_ = true;
    return;
  }
  producer_.clear();
  serve_events(events);
  watch_connection(events);
  connection_.watch_throttle(last_poll_, events);
  watch_large_messages();
  if (!given_up_) {
    for (Topic& topic : destinations_.topics()) send_parts(topic, events);
    if (!destinations_.has_parts()) large_.done();
  }
  if (given_up_ && !more_events_ && !producer_.has_messages()) {
    if (!large_.is_taking()) complete_held(*given_up_, events);
    for (Topic& topic : destinations_.topics()) topic.parts.forget_part();
    large_.taken();
    free_client({});
    events.disconnected(*std::exchange(given_up_, std::nullopt));
  }
}

void KafkaBroker::serve_events(BrokerEvents& events) {
  more_events_ = false;
  for (std::size_t served = 0; served < most_reports_per_poll;) {
    if (reports_) {
      served += serve_reports(most_reports_per_poll - served, events);
      continue;
    }
    KafkaEvent event = producer_.next_event(0);
    if (!event) return;
    switch (rd_kafka_event_type(event.get())) {
      case RD_KAFKA_EVENT_DR:
        reports_ = std::move(event);
        break;
      case RD_KAFKA_EVENT_ERROR:
        serve_error(rd_kafka_event_error(event.get()), rd_kafka_event_error_string(event.get()), events);
        break;
      case RD_KAFKA_EVENT_LOG:
        serve_log(event.get(), events);
        break;
      default:
        break;
    }
  }
  more_events_ = true;
}

/// At most `most` reports of reports_, which ends with its last one. Returns how many there were.
std::size_t KafkaBroker::serve_reports(std::size_t most, BrokerEvents& events) {
  std::size_t served = 0;
  std::size_t inferred = 0;
  while (served < most) {
    std::array<const rd_kafka_message_t*, reports_at_once> some{};
    const std::size_t wanted = std::min(some.size(), most - served);
    const std::size_t found = rd_kafka_event_message_array(reports_.get(), some.data(), wanted);
    for (std::size_t i = 0; i < found; ++i) prefetch(message_of(*some[i]));
    for (std::size_t i = 0; i < found; ++i) {
      if (is_only_inferred(*some[i])) ++inferred;
      serve_report(*some[i], events);
    }
    served += found;
    if (found == wanted) continue;
    reports_.reset();
    break;
  }
  if (inferred > 0) {
    events.log(LogLevel::warning, "the client concluded, but the broker did not confirm, that " +
                                      std::to_string(inferred) +
                                      " of the messages were written: they are sent again, and may arrive twice");
  }
  return served;
}

void KafkaBroker::serve_report(const rd_kafka_message_t& report, BrokerEvents& events) {
  const OutboundMessage& message = message_of(report);
  const auto [config, topic] = destinations_.find(message);
  topic.parts.count_out();
  large_.count_out(message);
  producer_.keep_headers(report, config, message);
  if (report.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    topic.written();
    if (is_only_inferred(report)) return complete(topic, message, kafka_outcome(report, config.topic), events);
    topic.parts.forget(message);
    return events.complete(message, Outcome::persisted(report.partition, report.offset));
  }
  Outcome outcome = kafka_outcome(report, config.topic);
  if (given_up_ && large_.is_taking() && KafkaLargeMessages::is_large(message)) {
    if (!large_.is_at_fault(topic.parts.is_alone())) return topic.parts.refuse(message, outcome.persistence);
    outcome.status = KafkaLargeMessages::closes_at(message);
  } else if (given_up_) {
    outcome.status = *given_up_;  // purged, because the client was given up: say why that was
  } else if (const KafkaErrorScope scope = kafka_error_info(report.err).scope; scope == KafkaErrorScope::topic) {
    outcome.status = topic.unknown(message, report.err, last_poll_);
  } else if (scope == KafkaErrorScope::batch && !topic.parts.is_alone()) {
    if (topic.parts.is_first_time()) {
      events.log(LogLevel::warning, "a batch was refused, and its messages are tried again apart from each other: " +
                                        outcome.status.message());
    }
    return topic.parts.refuse(message, outcome.persistence);
  }
  complete(topic, message, std::move(outcome), events);
}

void KafkaBroker::serve_error(rd_kafka_resp_err_t error, std::string text, BrokerEvents& events) {
  std::string reason;
  // As an event, a fatal error carries the code of its cause.
  if (const auto cause = producer_.fatal_error(reason); cause != RD_KAFKA_RESP_ERR_NO_ERROR) {
    give_up_client(fatal_status(cause, reason));
    return;
  }
  if (Status why = kafka_status(error, text, {}); why.code() == StatusCode::unauthenticated) {
    give_up_client(std::move(why));
    return;
  }
  switch (error) {
    case RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE:  // it has no thread for a broker, and does not try again
      give_up_client(kafka_status(error, text, {}));
      return;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:  // each has failed once, which is normal: see KafkaConnectionWatch
      connection_.all_down(last_poll_);
      return;
    default:  // a broker that cannot be reached, a name that cannot be looked up, …
      if (text.find("SSL") != std::string::npos && producer_.has_old_files()) {
        give_up_client({StatusCode::unavailable, text + "; its files have been replaced since, and are read again"});
        return;
      }
      connection_.failed(std::move(text), last_poll_, events);
  }
}

void KafkaBroker::watch_connection(BrokerEvents& events) {
  connection_.look(producer_.signs(), last_poll_);
  if (connection_.has_answered(producer_.signs().answers.load(std::memory_order_relaxed))) {
    if (!given_up_ && connection_.tell_up(events)) destinations_.forget_unknown();
  }
  if (!given_up_) connection_.tell_trouble(producer_.has_messages(), last_poll_, events);
  if (given_up_ || !connection_.is_in_doubt() || !connection_.is_down(producer_.has_messages(), last_poll_)) return;
  if (destinations_.has_attempt_limit()) {
    give_up_client({StatusCode::unavailable, connection_.why_down()});
    return;
  }
  connection_.tell_down(last_poll_, events);
}

void KafkaBroker::throttled(const char* by, std::chrono::milliseconds pause) {
  connection_.throttled(by, pause, last_poll_);
}

WaitRequest KafkaBroker::wait_request() const {
  WaitRequest request;
  request.fd = producer_.fd();
  request.at = connection_.next_look(producer_.exists(), last_poll_);
  if (more_events_) request.at = std::min(request.at, last_poll_);
  // That a broker closes the connection again and again need not come as an event.
  if (large_.has_any_out()) request.at = std::min(request.at, last_poll_ + std::chrono::milliseconds(100));
  // Purged requests that are on the wire come back without an event of their own.
  if (given_up_) request.at = last_poll_ + std::chrono::milliseconds(10);
  return request;
}

std::string KafkaBroker::why_unconfirmed(const OutboundMessage& /*message*/) const {
  if (std::string trouble = connection_.trouble(last_poll_); !trouble.empty()) return trouble;
  return "while a partition has no leader, fewer replicas in sync than min.insync.replicas, or a failing disk, the "
         "client tries again by itself and reports nothing: look at these on the cluster";
}

void KafkaBroker::close(BrokerEvents& events, std::chrono::milliseconds timeout) {
  if (!producer_.exists()) return;
  const TimePoint deadline = Clock::now() + timeout;
  if (producer_.is_ours() && producer_.has_messages()) {
    producer_.purge();
    while (producer_.has_messages() && Clock::now() < deadline - free_time) {
      if (!reports_) reports_ = producer_.next_event(10);
      if (reports_ && rd_kafka_event_type(reports_.get()) == RD_KAFKA_EVENT_DR) serve_reports(SIZE_MAX, events);
      reports_.reset();
    }
  }
  if (producer_.is_ours()) complete_held({StatusCode::unavailable, "not sent"}, events);
  free_client(std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()));
}

std::unique_ptr<Broker> make_kafka(const BrokerConfig& config) {
  return std::make_unique<KafkaBroker>(config_as<KafkaConfig>(config, "Kafka"));
}

}  // namespace action_triggers::detail
