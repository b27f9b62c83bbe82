#include "brokers/kafka/kafka_broker.hpp"

#include <sys/eventfd.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "brokers/kafka/kafka_type.hpp"
#include "base/thread.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::size_t most_reports_per_poll = 1'000;
// The lane owns the deadline; librdkafka only has to let go of a message some time after it.
constexpr std::chrono::milliseconds after_the_deadline{5'000};
constexpr std::size_t headers_of_ours = 2;
constexpr std::size_t most_spare_headers = 8'192;  // some 200 bytes each

int make_event_fd() {
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  return fd;
}

std::string_view content_type_of(const KafkaConfig& config, const OutboundMessage& message) {
  return message.content_type().empty() ? std::string_view(config.content_type) : message.content_type();
}

/// Its id is the only header: they all look alike, then.
bool has_only_an_id(const KafkaConfig& config, const OutboundMessage& message) {
  return config.message_id_header && message.header_count() == 0 && content_type_of(config, message).empty();
}

/// Puts the id where `headers` have another; false: they are another name's, or it does not fit.
bool replace_id(rd_kafka_headers_t* headers, const std::string& name, std::string_view id) {
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_header_get_last(headers, name.c_str(), &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  if (size != id.size()) return false;
  std::copy(id.begin(), id.end(), static_cast<char*>(const_cast<void*>(value)));  // the list's own copy: not const
  return true;
}

std::int64_t unix_ms() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count();
}

}  // namespace

KafkaBroker::KafkaBroker(const KafkaConfig& config) : config_(config), event_fd_(make_event_fd()) {}

KafkaBroker::~KafkaBroker() {
  free_client(false);
  ::close(event_fd_);
}

void KafkaBroker::start(const LaneContext& context) {
  spare_headers_.reserve(most_spare_headers);
  for (const BrokerConfig* base : context.destinations) {
    const auto& config = config_as<KafkaConfig>(*base, "Kafka");
    const auto topic = std::find(topic_names_.begin(), topic_names_.end(), config.topic);
    names_.push_back({&config, static_cast<std::size_t>(topic - topic_names_.begin())});
    if (topic == topic_names_.end()) topic_names_.push_back(config.topic);
    report_down_ = report_down_ || config.retry.max_attempts.has_value();
  }
}

bool KafkaBroker::is_ours() const { return pid_ == getpid(); }

// -------------------------------------------------------------------------------------------------------------- client

void KafkaBroker::connect(BrokerEvents& events) {
  std::array<char, 512> reason{};
  try {
    KafkaConf conf = make_kafka_conf(config_);
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), reason.data(), reason.size());
    if (client_ != nullptr) static_cast<void>(conf.release());  // it is the client's now, but only on success
  } catch (const std::runtime_error& error) {
    events.disconnected({StatusCode::invalid_argument, error.what()});
    return;
  }
  if (client_ == nullptr) {
    events.disconnected({StatusCode::invalid_argument, std::string("librdkafka: ") + reason.data()});
    return;
  }
  pid_ = getpid();
  given_up_.reset();
  down_ = false;
  queue_.reset(rd_kafka_queue_get_main(client_));
  rd_kafka_set_log_queue(client_, queue_.get());
  const std::uint64_t one = 1;
  rd_kafka_queue_io_event_enable(queue_.get(), event_fd_, &one, sizeof one);
  for (std::size_t topic = 0; topic < topic_names_.size(); ++topic) {
    // Making the topic asks for its metadata, so that the first message need not wait for that.
    KafkaTopicConf conf(rd_kafka_default_topic_conf_dup(client_));
    const std::int64_t timeout = std::min<std::int64_t>((longest_timeout(topic) + after_the_deadline).count(),
                                                        std::numeric_limits<std::int32_t>::max());
    rd_kafka_topic_conf_set(conf.get(), "message.timeout.ms", std::to_string(timeout).c_str(), reason.data(),
                            reason.size());
    topics_.emplace_back(rd_kafka_topic_new(client_, topic_names_[topic].c_str(), conf.release()));
    if (!topics_.back()) {
      const Status why(StatusCode::internal,
                       "topic '" + topic_names_[topic] + "': " + rd_kafka_err2str(rd_kafka_last_error()));
      free_client(true);
      events.disconnected(why);
      return;
    }
  }
  events.connected();  // the client finds its brokers by itself, and keeps messages meanwhile
}

std::chrono::milliseconds KafkaBroker::longest_timeout(std::size_t topic) const {
  std::chrono::milliseconds longest{0};
  for (const Name& name : names_) {
    if (name.topic == topic) longest = std::max(longest, name.config->timeout);
  }
  return longest;
}

/// The client is of no use any more. Everything it holds comes back through its reports.
void KafkaBroker::give_up_client(Status why, BrokerEvents& events) {
  if (given_up_) return;
  events.log(why.retryable() ? LogLevel::warning : LogLevel::error, "giving up the client: " + why.message());
  given_up_ = std::move(why);
  rd_kafka_purge(client_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

void KafkaBroker::free_client(bool in_background) {
  if (client_ == nullptr) return;
  if (!is_ours()) {  // leaked on purpose
    for (KafkaTopic& topic : topics_) static_cast<void>(topic.release());
    static_cast<void>(queue_.release());
    topics_.clear();
    client_ = nullptr;
    return;
  }
  topics_.clear();
  rd_kafka_queue_io_event_enable(queue_.get(), -1, nullptr, 0);
  queue_.reset();
  rd_kafka_t* client = std::exchange(client_, nullptr);
  if (in_background) {  // it waits for the client's threads, which may be in the middle of something
    Thread("at-kafka-free", [client] { rd_kafka_destroy(client); }).detach();
  } else {
    rd_kafka_destroy(client);
  }
}

// ------------------------------------------------------------------------------------------------------------- sending

std::size_t KafkaBroker::send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) {
  if (client_ == nullptr || given_up_ || !is_ours()) return 0;
  const Name& name = names_[batch.front()->destination_index()];
  const std::int64_t now = unix_ms();  // librdkafka would ask for each message
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const KafkaError error = produce(name, *batch[i], now);
    if (!error) continue;
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error.get());
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return i;  // offered again when reports have made room
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
      serve_error(code, rd_kafka_error_string(error.get()), events);
      return i;
    }
    events.complete(*batch[i], Outcome::failed(kafka_status(code, {}, name.config->topic)));
  }
  return batch.size();
}

KafkaError KafkaBroker::produce(const Name& name, const OutboundMessage& message, std::int64_t timestamp) {
  KafkaHeaders headers = headers_of(*name.config, message);
  std::array<rd_kafka_vu_t, 6> arguments{};
  std::size_t count = 0;
  const auto add = [&](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
    arguments[count].vtype = type;
    return arguments[count++];
  };
  add(RD_KAFKA_VTYPE_RKT).u.rkt = topics_[name.topic].get();
  // Neither copied nor freed by librdkafka: the record outlives the delivery report.
  auto& value = add(RD_KAFKA_VTYPE_VALUE).u.mem;
  value.ptr = const_cast<char*>(message.body().data());
  value.size = message.body().size();
  if (!message.key().empty()) {
    auto& key = add(RD_KAFKA_VTYPE_KEY).u.mem;
    key.ptr = const_cast<char*>(message.key().data());
    key.size = message.key().size();
  }
  if (headers) add(RD_KAFKA_VTYPE_HEADERS).u.headers = headers.get();
  add(RD_KAFKA_VTYPE_TIMESTAMP).u.i64 = timestamp;
  add(RD_KAFKA_VTYPE_OPAQUE).u.ptr = const_cast<OutboundMessage*>(&message);
  KafkaError error(rd_kafka_produceva(client_, arguments.data(), count));
  if (!error) static_cast<void>(headers.release());  // the message's now, but only on success
  return error;
}

KafkaHeaders KafkaBroker::headers_of(const KafkaConfig& config, const OutboundMessage& message) {
  if (has_only_an_id(config, message) && !spare_headers_.empty()) {
    KafkaHeaders headers = std::move(spare_headers_.back());
    spare_headers_.pop_back();
    if (replace_id(headers.get(), *config.message_id_header, message.id())) return headers;
  }
  const std::string_view content_type = content_type_of(config, message);
  if (!config.message_id_header && content_type.empty() && message.header_count() == 0) return nullptr;
  KafkaHeaders headers(rd_kafka_headers_new(message.header_count() + headers_of_ours));
  const auto add = [&](std::string_view name, std::string_view value) {
    rd_kafka_header_add(headers.get(), name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  };
  message.for_each_header([&](HeaderView header) { add(header.name, header.value); });
  if (!content_type.empty()) add("content-type", content_type);
  if (config.message_id_header) add(*config.message_id_header, message.id());
  return headers;
}

// ------------------------------------------------------------------------------------------------------------- reading

void KafkaBroker::poll(BrokerEvents& events) {
  last_poll_ = events.now();
  if (client_ == nullptr || !is_ours()) return;
  std::uint64_t count = 0;
  [[maybe_unused]] const auto cleared = ::read(event_fd_, &count, sizeof count);
  serve_events(events);
  if (given_up_ && !more_events_ && rd_kafka_outq_len(client_) == 0) {
    free_client(true);
    events.disconnected(*std::exchange(given_up_, std::nullopt));
  }
}

void KafkaBroker::serve_events(BrokerEvents& events) {
  more_events_ = false;
  for (std::size_t served = 0; served < most_reports_per_poll;) {
    const KafkaEvent event(rd_kafka_queue_poll(queue_.get(), 0));
    if (!event) return;
    switch (rd_kafka_event_type(event.get())) {
      case RD_KAFKA_EVENT_DR:
        served += rd_kafka_event_message_count(event.get());
        serve_reports(event.get(), events);
        break;
      case RD_KAFKA_EVENT_ERROR:
        serve_error(rd_kafka_event_error(event.get()), rd_kafka_event_error_string(event.get()), events);
        break;
      case RD_KAFKA_EVENT_LOG: {
        const char* facility = nullptr;
        const char* text = nullptr;
        int level = LOG_INFO;
        if (rd_kafka_event_log(event.get(), &facility, &text, &level) == 0) {
          events.log(kafka_log_level(level), std::string(facility) + ": " + text);
        }
        break;
      }
      default:
        break;
    }
  }
  more_events_ = true;
}

/// The idempotent producer takes the confirmation of a later request for that of an earlier one which failed, and
/// reports it without an offset. But a broker that knows nothing of the producer yet, as for a topic just created,
/// confirms the later one although it refused the earlier one: seen with librdkafka 2.0.2 and Kafka 4.3.1.
Outcome KafkaBroker::unproven() {
  return Outcome::failed({StatusCode::unavailable,
                          "the client concluded that the message was written, but the broker "
                          "did not confirm it"},
                         Persistence::possibly_persisted);
}

/// Takes from a message that is done what the next one can use (docs/decisions/0016).
void KafkaBroker::keep_headers(const rd_kafka_message_t& report, const OutboundMessage& message) {
  if (spare_headers_.size() == most_spare_headers) return;
  if (!has_only_an_id(*names_[message.destination_index()].config, message)) return;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_detach_headers(const_cast<rd_kafka_message_t*>(&report), &headers) ==
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    spare_headers_.emplace_back(headers);
  }
}

void KafkaBroker::serve_reports(rd_kafka_event_t* event, BrokerEvents& events) {
  std::size_t inferred = 0;
  while (const rd_kafka_message_t* report = rd_kafka_event_message_next(event)) {
    const auto& message = *static_cast<const OutboundMessage*>(report->_private);
    keep_headers(*report, message);
    if (report->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (down_) {
        down_ = false;
        events.blocked(false, {});
      }
      const bool proven = report->offset >= 0;
      if (!proven) ++inferred;
      events.complete(message, proven ? Outcome::persisted(report->partition, report->offset) : unproven());
      continue;
    }
    Persistence persistence = Persistence::possibly_persisted;
    if (rd_kafka_message_status(report) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED) persistence = Persistence::not_persisted;
    // A client that is given up purges its messages: what became of them is what became of the client.
    Status status =
        given_up_ ? *given_up_ : kafka_status(report->err, {}, names_[message.destination_index()].config->topic);
    events.complete(message, Outcome::failed(std::move(status), persistence));
  }
  if (inferred > 0) {
    events.log(LogLevel::warning, "the client concluded, but the broker did not confirm, that " +
                                      std::to_string(inferred) +
                                      " of the messages were written: they are sent again, and may arrive twice");
  }
}

void KafkaBroker::serve_error(rd_kafka_resp_err_t error, const std::string& text, BrokerEvents& events) {
  std::array<char, 512> reason{};
  // As an event, a fatal error carries the code of its cause.
  if (const auto cause = rd_kafka_fatal_error(client_, reason.data(), reason.size());
      cause != RD_KAFKA_RESP_ERR_NO_ERROR) {
    give_up_client({StatusCode::unavailable, std::string("a fatal error of the idempotent producer: ") +
                                                 rd_kafka_err2name(cause) + ": " + reason.data()},
                   events);
    return;
  }
  switch (error) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      give_up_client(kafka_status(error, text, {}), events);
      return;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN: {
      const std::string why = "no broker of " + config_.bootstrap_servers +
                              " can be reached: " + (last_error_.empty() ? text : last_error_);
      if (report_down_) {
        give_up_client({StatusCode::unavailable, why}, events);
      } else if (!std::exchange(down_, true)) {
        events.log(LogLevel::warning, why);
        events.blocked(true, why);
      }
      return;
    }
    default:  // a broker that cannot be reached, a name that cannot be looked up, …
      last_error_ = text;
      events.log(LogLevel::warning, text);
  }
}

WaitRequest KafkaBroker::wait_request() const {
  WaitRequest request;
  request.fd = event_fd_;
  if (more_events_) request.at = last_poll_;
  // Purged requests that are on the wire come back without an event of their own.
  if (given_up_) request.at = last_poll_ + std::chrono::milliseconds(10);
  return request;
}

void KafkaBroker::close(BrokerEvents& events, std::chrono::milliseconds timeout) {
  if (client_ == nullptr) return;
  if (is_ours()) {
    const TimePoint deadline = Clock::now() + timeout;
    if (rd_kafka_outq_len(client_) > 0) {
      rd_kafka_purge(client_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
      while (rd_kafka_outq_len(client_) > 0 && Clock::now() < deadline) {
        const KafkaEvent event(rd_kafka_queue_poll(queue_.get(), 10));
        if (event && rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_DR) serve_reports(event.get(), events);
      }
    }
  }
  free_client(false);  // what is left in it dies with it: after this nothing points at the lane's messages
}

std::unique_ptr<Broker> make_kafka(const BrokerConfig& config) {
  return std::make_unique<KafkaBroker>(config_as<KafkaConfig>(config, "Kafka"));
}

}  // namespace action_triggers::detail
