// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_broker.hpp"

#include <syslog.h>

#include <algorithm>
#include <array>
#include <future>
#include <limits>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/clock.hpp"
#include "base/fork.hpp"
#include "base/thread.hpp"
#include "brokers/kafka/kafka_errors.hpp"
#include "brokers/kafka/kafka_status.hpp"
#include "brokers/kafka/kafka_type.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::size_t most_reports_per_poll = 1'000;
// The lane reports what is past its deadline. librdkafka only has to release the message some time later.
constexpr std::chrono::milliseconds after_the_deadline{5'000};
// What NON_BLOCKING spares the lane: waiting for threads of the client that are looking up a name.
constexpr int purge_flags = RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING;
// How long a topic that this process has not written to may be unknown before its messages are given up: a broker that
// has just started knows no topic, and one that is being created is known everywhere only after a while.
constexpr std::chrono::seconds unknown_topic_patience{10};
// Without an answer for so long, the cluster cannot be reached: with messages that wait, and without. The client tries
// a host's next address after the pause of retry; idle, it looks for a connection once a second.
constexpr std::chrono::milliseconds down_time{500};
constexpr std::chrono::milliseconds idle_down_time{4'000};
constexpr std::chrono::milliseconds watch_time{100};  // answers wake nobody
constexpr std::size_t large_message = 65'536;         // in bytes
constexpr std::uint32_t most_cuts = 3;
constexpr std::chrono::milliseconds throttle_grace{1'000};  // until the next answer says whether it goes on
constexpr std::chrono::milliseconds free_time{500};  // it takes milliseconds, unless a thread is looking up a name

const OutboundMessage& message_of(const rd_kafka_message_t& report) {
  return *static_cast<const OutboundMessage*>(report._private);
}

/// Kafka would take it, and RabbitMQ would not.
bool has_nameless_header(const OutboundMessage& message) {
  bool found = false;
  message.for_each_header([&](HeaderView header) { found = found || header.name.empty(); });
  return found;
}

/// After such a failure librdkafka has freed a part of the configuration, its interceptors, and would free it again
/// with the rest.
void keep_for_ever(KafkaConf conf) {
  static std::mutex mutex;
  static auto* const kept = new std::vector<KafkaConf>;
  const std::lock_guard lock(mutex);
  kept->push_back(std::move(conf));
}

/// Whether this client will never send a message, whatever it tries.
bool is_for_good(const Status& why) {
  return why.code() == StatusCode::unauthenticated || why.code() == StatusCode::permission_denied ||
         why.code() == StatusCode::invalid_argument;
}

bool is_large(const OutboundMessage& message) { return message.body().size() >= large_message; }

Status closes_at(const OutboundMessage& message) {
  return {StatusCode::too_large, "the broker closes the connection at this message of " +
                                     std::to_string(message.body().size()) +
                                     " bytes; compare its socket.request.max.bytes with conn_details.max_request_size"};
}

/// Within rd_kafka_queue_poll(), on the lane's thread.
extern "C" void action_triggers_kafka_throttled(rd_kafka_t* /*client*/, const char* broker, std::int32_t /*broker_id*/,
                                                int milliseconds, void* kafka_broker) {
  static_cast<KafkaBroker*>(kafka_broker)->throttled(broker, std::chrono::milliseconds(milliseconds));
}

}  // namespace

KafkaBroker::KafkaBroker(const KafkaConfig& config) : config_(config) { watch_forks(); }

KafkaBroker::~KafkaBroker() { free_client(free_time); }

bool KafkaBroker::is_ours() const { return generation_ == fork_generation(); }

// -----------------------------------------------------------------------------------------------------------------
// destinations

void KafkaBroker::start(const LaneContext& context) {
  for (std::size_t i = 0; i < context.destinations.size(); ++i) add_destination(*context.destinations[i], i);
}

void KafkaBroker::add_destination(const BrokerConfig& config, std::size_t index) {
  const KafkaConfig& kafka = config_as<KafkaConfig>(config, "Kafka");
  if (index >= targets_.size()) targets_.resize(index + 1);
  targets_[index] = {&kafka, topic_position(kafka.topic)};
  if (client_ != nullptr && !given_up_ && is_ours()) {
    // Looks the topic up now, as connect() does. If that fails, send() tries again and reports why.
    static_cast<void>(make_topic_handle(targets_[index].topic));
  }
}

void KafkaBroker::remove_destination(std::size_t index) {
  const std::size_t topic = std::exchange(targets_[index], Target()).topic;
  const bool is_used = std::any_of(targets_.begin(), targets_.end(), [&](const Target& target) {
    return target.config != nullptr && target.topic == topic;
  });
  if (is_used) return;
  if (!is_ours()) static_cast<void>(topics_[topic].handle.release());
  topics_[topic] = Topic();
}

/// Where topics_ has this topic, now at the latest.
std::size_t KafkaBroker::topic_position(const std::string& name) {
  const auto find = [&](const std::string& wanted) {
    return std::find_if(topics_.begin(), topics_.end(), [&](const Topic& topic) { return topic.name == wanted; });
  };
  auto found = find(name);
  if (found == topics_.end()) found = find({});
  if (found == topics_.end()) found = topics_.insert(found, Topic());
  found->name = name;
  return static_cast<std::size_t>(found - topics_.begin());
}

std::chrono::milliseconds KafkaBroker::longest_timeout(std::size_t topic) const {
  std::chrono::milliseconds longest{0};
  for (const Target& target : targets_) {
    if (target.config != nullptr && target.topic == topic) longest = std::max(longest, target.config->timeout);
  }
  return longest;
}

/// Whether a destination limits its attempts, so that an unreachable cluster must count as one.
bool KafkaBroker::has_attempt_limit() const {
  return std::any_of(targets_.begin(), targets_.end(), [](const Target& target) {
    return target.config != nullptr && target.config->retry.max_attempts.has_value();
  });
}

// -----------------------------------------------------------------------------------------------------------------
// the client

void KafkaBroker::connect(BrokerEvents& events) {
  if (!make_client(events)) return;
  generation_ = fork_generation();
  given_up_.reset();
  down_.reset();
  was_told_down_ = false;
  is_reachable_ = false;
  was_throttled_ = false;
  answers_ = 0;
  for (Topic& topic : topics_) topic.unknown_since.reset();
  queue_.reset(rd_kafka_queue_get_main(client_));
  rd_kafka_set_log_queue(client_, queue_.get());
  const std::uint64_t one = 1;
  rd_kafka_queue_io_event_enable(queue_.get(), has_events_.fd(), &one, sizeof one);
  for (std::size_t topic = 0; topic < topics_.size(); ++topic) {
    if (topics_[topic].name.empty()) continue;
    if (Status why = make_topic_handle(topic); !why.ok()) {
      free_client({});
      events.disconnected(std::move(why));
      return;
    }
  }
  connected_now_ = true;
  events.connected();                      // the client finds its brokers itself, and keeps messages until it has
  events.reconnecting(true, last_error_);  // until a broker answers
}

bool KafkaBroker::make_client(BrokerEvents& events) {
  std::array<char, 512> reason{};
  try {
    KafkaConf conf = make_kafka_conf(config_);
    signs_ = std::make_shared<KafkaSigns>();
    const auto protocol = config_.properties.find("security.protocol");
    signs_->logs_in = protocol != config_.properties.end() && protocol->second.find("SASL") != std::string::npos;
    watch_signs(conf.get(), *signs_);
    rd_kafka_conf_set_opaque(conf.get(), this);
    rd_kafka_conf_set_throttle_cb(conf.get(), action_triggers_kafka_throttled);
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), reason.data(), reason.size());
    if (client_ != nullptr) {
      static_cast<void>(conf.release());  // it is the client's now, but only on success
      return true;
    }
    const bool lacks_something = rd_kafka_last_error() == RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    if (lacks_something) keep_for_ever(std::move(conf));
    events.disconnected({lacks_something ? StatusCode::unavailable : StatusCode::invalid_argument,
                         std::string("librdkafka: ") + reason.data()});
  } catch (const std::runtime_error& error) {
    events.disconnected({StatusCode::invalid_argument, error.what()});
  }
  return false;
}

/// Makes the topic known to the client, which asks for its metadata, so that the first message need not wait for that.
Status KafkaBroker::make_topic_handle(std::size_t topic) {
  Topic& made = topics_[topic];
  if (made.handle) return {};
  std::array<char, 512> reason{};
  KafkaTopicConf conf(rd_kafka_default_topic_conf_dup(client_));
  const std::int64_t timeout = std::min<std::int64_t>((longest_timeout(topic) + after_the_deadline).count(),
                                                      std::numeric_limits<std::int32_t>::max());
  rd_kafka_topic_conf_set(conf.get(), "message.timeout.ms", std::to_string(timeout).c_str(), reason.data(),
                          reason.size());
  made.handle.reset(rd_kafka_topic_new(client_, made.name.c_str(), conf.release()));
  if (made.handle) return {};
  return {StatusCode::internal, "topic '" + made.name + "': " + rd_kafka_err2str(rd_kafka_last_error())};
}

/// The client cannot go on. Everything it holds comes back through its delivery reports.
void KafkaBroker::give_up_client(Status why) {
  if (given_up_) return;
  given_up_ = std::move(why);
  rd_kafka_purge(client_, purge_flags);
}

/// Frees the client elsewhere, since that waits for the client's threads, of which one may be looking up a name. Waits
/// at most `patience` for it. What the client still holds it drops: a thread that is held up looks at the purge, and at
/// the end of its client, before it would touch a message's bytes again.
void KafkaBroker::free_client(std::chrono::milliseconds patience) {
  if (client_ == nullptr) return;
  rd_kafka_t* const client = std::exchange(client_, nullptr);
  if (!is_ours()) {  // leaked on purpose
    for (Topic& topic : topics_) static_cast<void>(topic.handle.release());
    static_cast<void>(queue_.release());
    return;
  }
  for (Topic& topic : topics_) topic.handle.reset();
  rd_kafka_queue_io_event_enable(queue_.get(), -1, nullptr, 0);
  queue_.reset();
  try {
    auto freed = std::make_shared<std::promise<void>>();
    const std::future<void> is_freed = freed->get_future();
    Thread thread("at-kafka-free", [client, freed, signs = signs_] {
      rd_kafka_destroy(client);
      freed->set_value();
    });
    if (is_freed.wait_for(patience) != std::future_status::ready) thread.detach();  // otherwise joined
  } catch (const std::system_error&) {
    rd_kafka_destroy(client);  // no thread to be had: then here
  }
}

// -----------------------------------------------------------------------------------------------------------------
// sending

std::size_t KafkaBroker::send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) {
  if (client_ == nullptr || given_up_ || !is_ours()) return 0;
  const Target& target = targets_[batch.front()->destination_index()];
  Topic& topic = topics_[target.topic];
  if (topic.is_divided()) return 0;
  if (const Status why = make_topic_handle(target.topic); !why.ok()) {
    for (const OutboundMessage* message : batch) events.complete(*message, Outcome::failed(why));
    return batch.size();
  }
  const std::int64_t now = unix_ms();  // librdkafka would ask for each message
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (has_nameless_header(*batch[i])) {
      events.complete(*batch[i], Outcome::failed({StatusCode::invalid_argument, "a header has no name"}));
      continue;
    }
    if (large_apart_ && is_large(*batch[i])) return i;
    const KafkaError error = produce(target, *batch[i], now);
    if (!error) {
      count_in(topic, *batch[i]);
      continue;
    }
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error.get());
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {  // offered again when reports have freed some of the queue
      events.full();
      return i;
    }
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
      serve_error(code, rd_kafka_error_string(error.get()), events);
      return i;
    }
    events.complete(*batch[i], refusal(topic, *batch[i], code));
  }
  return batch.size();
}

/// The outcome of a message that the client does not take.
Outcome KafkaBroker::refusal(Topic& topic, const OutboundMessage& message, rd_kafka_resp_err_t error) const {
  Status why = kafka_status(error, {}, topic.name);
  if (kafka_error_info(error).scope == KafkaErrorScope::topic) why = unknown_topic(topic, message, std::move(why));
  return Outcome::failed(std::move(why));
}

/// The cluster says that the topic does not exist: it is asked again until that is old news. What this process has
/// written to exists, and its messages wait until their deadlines.
Status KafkaBroker::unknown_topic(Topic& topic, const OutboundMessage& message, Status why) const {
  if (!topic.unknown_since) topic.unknown_since = last_poll_;
  const std::optional<std::uint32_t>& most = message.destination().retry.max_attempts;
  const bool is_old_news = !topic.was_written && last_poll_ - *topic.unknown_since >= unknown_topic_patience;
  if (is_old_news || (most && message.attempt() >= *most)) return why;
  return {StatusCode::unavailable, why.message()};
}

/// Sends the next part of what was refused with its batch, if the client has nothing of the topic.
void KafkaBroker::send_parts(Topic& topic, BrokerEvents& events) {
  while (topic.in_client == 0 && topic.is_divided()) {
    topic.part_size = 0;
    if (!topic.refused.empty()) {
      Messages first = std::exchange(topic.refused, {});
      const auto middle = first.begin() + static_cast<std::ptrdiff_t>((first.size() + 1) / 2);
      if (middle != first.end()) topic.parts.emplace_front(middle, first.end());
      first.erase(middle, first.end());
      topic.parts.push_front(std::move(first));
    }
    if (topic.parts.empty()) return;
    // Of all topics, one part with large messages at a time, so that it is known which one the connection ends at.
    const Messages& next = topic.parts.front();
    if (large_in_client_ > 0 && std::any_of(next.begin(), next.end(), [](const auto* one) { return is_large(*one); })) {
      return;
    }
    const Messages part = std::move(topic.parts.front());
    topic.parts.pop_front();
    const std::int64_t now = unix_ms();
    for (std::size_t i = 0; i < part.size(); ++i) {
      const OutboundMessage& message = *part[i];
      const KafkaError error = produce(targets_[message.destination_index()], message, now);
      if (!error) {
        count_in(topic, message);
        ++topic.part_size;
        continue;
      }
      const rd_kafka_resp_err_t code = rd_kafka_error_code(error.get());
      if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL && code != RD_KAFKA_RESP_ERR__FATAL) {
        events.complete(message, refusal(topic, message, code));
        continue;
      }
      topic.parts.emplace_front(part.begin() + static_cast<std::ptrdiff_t>(i), part.end());
      if (code == RD_KAFKA_RESP_ERR__FATAL) serve_error(code, rd_kafka_error_string(error.get()), events);
      return;
    }
  }
}

void KafkaBroker::count_in(Topic& topic, const OutboundMessage& message) {
  ++topic.in_client;
  if (is_large(message)) ++large_in_client_;
}

void KafkaBroker::count_out(Topic& topic, const OutboundMessage& message) {
  if (topic.in_client > 0) --topic.in_client;
  if (is_large(message) && large_in_client_ > 0) --large_in_client_;
}

/// A broker does not answer a request over its socket.request.max.bytes, it closes the connection; and the client sends
/// the request again first, ahead of everything else. So where that happens again and again with a large message out,
/// the large ones are taken from the client and go each by itself: the one at which the connection ends is at fault.
void KafkaBroker::watch_large_messages() {
  if (given_up_ || large_in_client_ == 0 || signs_->cuts.load(std::memory_order_relaxed) < most_cuts) return;
  was_apart_ = large_in_client_ == 1;
  isolates_large_ = true;
  large_apart_ = true;
  give_up_client(
      {StatusCode::unavailable,
       "a broker closes the connection again and again instead of answering a request with a large message"});
}

/// What waits here and not in the client comes back.
void KafkaBroker::complete_held(const Status& why, BrokerEvents& events) {
  for (Topic& topic : topics_) {
    topic.parts.push_front(std::exchange(topic.refused, {}));
    for (const Messages& part : std::exchange(topic.parts, {})) {
      for (const OutboundMessage* message : part) events.complete(*message, Outcome::failed(why));
    }
    topic.in_client = 0;
    topic.part_size = 0;
  }
  large_in_client_ = 0;
}

KafkaError KafkaBroker::produce(const Target& target, const OutboundMessage& message, std::int64_t timestamp) {
  KafkaHeaders headers = header_lists_.make(*target.config, message);
  std::array<rd_kafka_vu_t, 7> arguments{};
  std::size_t count = 0;
  const auto add = [&](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
    arguments[count].vtype = type;
    return arguments[count++];
  };
  add(RD_KAFKA_VTYPE_RKT).u.rkt = topics_[target.topic].handle.get();
  // Neither copied nor freed by librdkafka: the lane's message outlives its delivery report.
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

// -----------------------------------------------------------------------------------------------------------------
// events

void KafkaBroker::poll(BrokerEvents& events) {
  last_poll_ = events.now();
  if (client_ == nullptr || !is_ours()) return;
  if (std::exchange(connected_now_, false)) {
    // The lane sends first. If the cluster cannot be reached, waiting messages have then been tried, which counts.
    more_events_ = true;
    return;
  }
  has_events_.clear();
  serve_events(events);
  watch_connection(events);
  watch_throttle(events);
  watch_large_messages();
  if (!given_up_) {
    for (Topic& topic : topics_) send_parts(topic, events);
    large_apart_ = large_apart_ &&
                   std::any_of(topics_.begin(), topics_.end(), [](const Topic& topic) { return topic.is_divided(); });
  }
  if (given_up_ && !more_events_ && rd_kafka_outq_len(client_) == 0) {
    if (!isolates_large_) complete_held(*given_up_, events);
    for (Topic& topic : topics_) topic.part_size = 0;
    isolates_large_ = false;
    free_client({});
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
        if (rd_kafka_event_log(event.get(), &facility, &text, &level) == 0 &&
            (level == LOG_DEBUG || std::string_view(facility) != "FAIL")) {  // that comes as an error, too
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

void KafkaBroker::serve_reports(rd_kafka_event_t* event, BrokerEvents& events) {
  std::size_t inferred = 0;
  while (const rd_kafka_message_t* report = rd_kafka_event_message_next(event)) {
    const OutboundMessage& message = message_of(*report);
    const KafkaConfig& config = *targets_[message.destination_index()].config;
    Topic& topic = topic_of(message);
    count_out(topic, message);
    header_lists_.keep(*report, config, message);
    Outcome outcome = kafka_outcome(*report, config.topic);
    if (report->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      topic.was_written = true;
      topic.unknown_since.reset();
      if (is_only_inferred(*report)) ++inferred;
    } else if (given_up_ && isolates_large_ && is_large(message)) {
      if (!was_apart_ || topic.part_size != 1) {
        topic.refused.push_back(&message);
        continue;
      }
      outcome.status = closes_at(message);
    } else if (given_up_) {
      outcome.status = *given_up_;  // purged, because the client was given up: say why that was
    } else if (const KafkaErrorScope scope = kafka_error_info(report->err).scope; scope == KafkaErrorScope::topic) {
      outcome.status = unknown_topic(topic, message, std::move(outcome.status));
    } else if (scope == KafkaErrorScope::batch && topic.part_size != 1) {
      if (!std::exchange(topic.was_divided, true)) {
        events.log(LogLevel::warning, "a batch was refused, and its messages are tried again apart from each other: " +
                                          outcome.status.message());
      }
      topic.refused.push_back(&message);
      continue;
    }
    events.complete(message, std::move(outcome));
  }
  if (inferred > 0) {
    events.log(LogLevel::warning, "the client concluded, but the broker did not confirm, that " +
                                      std::to_string(inferred) +
                                      " of the messages were written: they are sent again, and may arrive twice");
  }
}

void KafkaBroker::serve_error(rd_kafka_resp_err_t error, std::string text, BrokerEvents& events) {
  std::array<char, 512> reason{};
  // As an event, a fatal error carries the code of its cause.
  if (const auto cause = rd_kafka_fatal_error(client_, reason.data(), reason.size());
      cause != RD_KAFKA_RESP_ERR_NO_ERROR) {
    Status why = kafka_status(cause, reason.data(), {});
    if (!is_for_good(why)) {
      why = {StatusCode::unavailable, std::string("a fatal error of the idempotent producer: ") +
                                          rd_kafka_err2name(cause) + ": " + reason.data()};
    }
    give_up_client(std::move(why));
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
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:  // each has failed once, which is normal: see watch_connection()
      if (!down_) {
        down_ = last_poll_;
        failing_.clear();
      }
      return;
    default:  // a broker that cannot be reached, a name that cannot be looked up, …
      if (const std::size_t suffix = text.rfind(" (after "); suffix != std::string::npos) text.erase(suffix);
      if (is_reachable_ || was_told_down_) log_once(LogLevel::warning, text, events);    // or its disconnection says it
      if (down_ && !was_told_down_ && failing_.insert(text).second) down_ = last_poll_;  // there was one more address
      last_error_ = std::move(text);
  }
}

/// That all brokers are down the client says as soon as each has failed once: also where a host has more addresses to
/// be tried, where an idle connection was closed, and where it will be up again in a moment. So that counts when there
/// has been no answer for a while.
void KafkaBroker::watch_connection(BrokerEvents& events) {
  if (const std::uint64_t answers = signs_->answers.load(std::memory_order_relaxed); answers != answers_) {
    answers_ = answers;
    down_.reset();
    was_told_down_ = false;
    if (given_up_ || std::exchange(is_reachable_, true)) return;
    last_error_.clear();
    failures_.clear();
    for (Topic& topic : topics_) topic.unknown_since.reset();  // a broker that has just started knows no topic
    events.reconnecting(false, {});
    return;
  }
  if (!down_ || was_told_down_ || given_up_) return;
  const auto least = 2 * config_.retry.initial_backoff;  // the client's pause before a host's next address
  // Without messages it does not hurry: it looks for a connection once a second.
  const auto patience =
      std::max<std::chrono::nanoseconds>(rd_kafka_outq_len(client_) > 0 ? down_time : idle_down_time, least);
  if (last_poll_ - *down_ < patience) return;
  const std::string why = "no broker of " + config_.bootstrap_servers + " can be reached" +
                          (last_error_.empty() ? std::string() : ": " + last_error_);
  if (has_attempt_limit()) {
    give_up_client({StatusCode::unavailable, why});
    return;
  }
  was_told_down_ = true;
  is_reachable_ = false;
  log_once(LogLevel::warning, why, events);
  events.reconnecting(true, why);
}

void KafkaBroker::throttled(const char* by, std::chrono::milliseconds pause) {
  throttled_until_ = pause > pause.zero() ? last_poll_ + pause + throttle_grace : TimePoint::min();
  if (pause > pause.zero()) throttled_by_ = by;
}

void KafkaBroker::watch_throttle(BrokerEvents& events) {
  const bool is_throttled = last_poll_ < throttled_until_;
  if (is_throttled == was_throttled_) return;
  was_throttled_ = is_throttled;
  const std::string why = is_throttled ? "over its quota, this client is throttled by broker " + throttled_by_ : "";
  if (is_throttled) log_once(LogLevel::warning, why, events);
  events.blocked(is_throttled, why);
}

/// Once until a broker answers again, or a minute has passed: then with the number of times.
void KafkaBroker::log_once(LogLevel level, const std::string& text, BrokerEvents& events) {
  constexpr std::size_t most_kinds = 100;
  if (failures_.size() >= most_kinds) failures_.clear();
  const auto [entry, is_new] = failures_.try_emplace(text);
  Logged& logged = entry->second;
  ++logged.times;
  if (!is_new && last_poll_ - logged.at < std::chrono::minutes(1)) return;
  events.log(level, is_new ? text : text + " (" + std::to_string(logged.times) + " times since)");
  logged = {.times = 0, .at = last_poll_};
}

WaitRequest KafkaBroker::wait_request() const {
  WaitRequest request;
  request.fd = has_events_.fd();
  if (more_events_) request.at = last_poll_;
  if (client_ != nullptr && (!is_reachable_ || down_)) request.at = std::min(request.at, last_poll_ + watch_time);
  if (was_throttled_) request.at = std::min(request.at, throttled_until_);
  // Purged requests that are on the wire come back without an event of their own.
  if (given_up_) request.at = last_poll_ + std::chrono::milliseconds(10);
  return request;
}

void KafkaBroker::close(BrokerEvents& events, std::chrono::milliseconds timeout) {
  if (client_ == nullptr) return;
  const TimePoint deadline = Clock::now() + timeout;
  if (is_ours() && rd_kafka_outq_len(client_) > 0) {
    rd_kafka_purge(client_, purge_flags);
    while (rd_kafka_outq_len(client_) > 0 && Clock::now() < deadline - free_time) {
      const KafkaEvent event(rd_kafka_queue_poll(queue_.get(), 10));
      if (event && rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_DR) serve_reports(event.get(), events);
    }
  }
  if (is_ours()) complete_held({StatusCode::unavailable, "not sent"}, events);
  free_client(std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()));
}

std::unique_ptr<Broker> make_kafka(const BrokerConfig& config) {
  return std::make_unique<KafkaBroker>(config_as<KafkaConfig>(config, "Kafka"));
}

}  // namespace action_triggers::detail
