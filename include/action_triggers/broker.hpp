/// The contract between a lane and a broker. Read this to add a broker of your own; to use one, you need none of it.
///
/// A lane is one thread and one connection. It owns every message from fire() to its DeliveryReport: bounds, deadline,
/// retry, order, statistics, shutdown. A Broker only speaks its protocol:
///
/// 1. Every member is called from the lane's thread only, one call at a time. A broker needs no locks.
/// 2. send() is offered messages in order and takes a prefix of them. What it took it holds, and completes exactly once
///    through BrokerEvents::complete: in send() itself, or in a later poll(). Until then the message's bytes stay where
///    they are, so they need not be copied.
/// 3. Nothing blocks. What takes time is begun in connect() or send() and continued in poll(), which the lane calls
///    when the descriptor of wait_request() is ready, its time has come, or the Waker was used.
/// 4. Failures are outcomes, not exceptions: complete with a Status (see status.hpp for which code when). Messages with
///    a retryable one come back through send() after a backoff, with the same id. An exception that escapes costs the
///    connection and is reported as `internal`.
/// 5. When the connection is lost, first complete everything that is held (usually `unavailable`, possibly_persisted),
///    then say disconnected(). The lane calls connect() again after a backoff, then resends in order.
/// 6. close() ends it: afterwards the broker touches no message again.
///
/// The smallest broker completes at once:
///
///     class PrintBroker : public at::Broker {
///       std::size_t send(std::span<const at::OutboundMessage* const> batch, at::BrokerEvents& events) override {
///         for (const at::OutboundMessage* message : batch) {
///           std::cout << message->body() << '\n';
///           events.complete(*message, at::Outcome::persisted());
///         }
///         return batch.size();
///       }
///     };
///
/// testing/broker_contract.hpp is a test suite that checks any Broker against these rules.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "action_triggers/config.hpp"
#include "action_triggers/export.hpp"
#include "action_triggers/message.hpp"
#include "action_triggers/status.hpp"

namespace action_triggers {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

enum class LogLevel : std::uint8_t { debug, info, warning, error };

ACTION_TRIGGERS_EXPORT std::string_view to_string(LogLevel level) noexcept;

/// Receives the library's log: level, component ("lane", "kafka", "rabbitmq", …), text. Called from lanes' threads,
/// one call at a time per lane; exceptions are caught and counted. The library itself never prints.
using LogHook = std::function<void(LogLevel level, std::string_view component, std::string_view text)>;

struct HeaderView {
  std::string_view name;
  std::string_view value;
};

/// A message on its way out: views into the lane's one copy. Valid until the broker completes it.
class ACTION_TRIGGERS_EXPORT OutboundMessage {
 public:
  OutboundMessage(const OutboundMessage&) = delete;
  OutboundMessage& operator=(const OutboundMessage&) = delete;

  [[nodiscard]] std::string_view body() const noexcept { return {bytes_, body_size_}; }
  [[nodiscard]] std::string_view key() const noexcept { return {bytes_ + body_size_, key_size_}; }
  /// Empty if the application gave none; the named broker may have a default.
  [[nodiscard]] std::string_view content_type() const noexcept {
    return {bytes_ + body_size_ + key_size_, content_type_size_};
  }
  /// The application's id, or a UUIDv7. The same at every attempt.
  [[nodiscard]] std::string_view id() const noexcept {
    return {bytes_ + body_size_ + key_size_ + content_type_size_, id_size_};
  }

  [[nodiscard]] std::size_t header_count() const noexcept { return header_count_; }
  /// Calls `visit(HeaderView)` for each header in order.
  template <class Visitor>
  void for_each_header(Visitor&& visit) const {
    const char* at = bytes_ + body_size_ + key_size_ + content_type_size_ + id_size_;
    for (std::uint32_t i = 0; i < header_count_; ++i) {
      std::uint32_t sizes[2];
      std::memcpy(sizes, at, sizeof sizes);
      at += sizeof sizes;
      visit(HeaderView{{at, sizes[0]}, {at + sizes[0], sizes[1]}});
      at += sizes[0] + sizes[1];
    }
  }

  [[nodiscard]] std::optional<std::chrono::milliseconds> expiration() const noexcept {
    return expiration_ms_ < 0 ? std::nullopt : std::optional(std::chrono::milliseconds(expiration_ms_));
  }
  [[nodiscard]] std::optional<std::uint8_t> priority() const noexcept {
    return priority_ < 0 ? std::nullopt : std::optional(static_cast<std::uint8_t>(priority_));
  }

  /// All of it as a value, for a broker that keeps messages.
  [[nodiscard]] Message copy() const;

  /// The named broker this message was fired at, and its position in LaneContext::destinations.
  [[nodiscard]] const BrokerConfig& destination() const noexcept { return *destination_; }
  [[nodiscard]] std::size_t destination_index() const noexcept { return destination_index_; }

  /// 1 for the first time the message is handed on.
  [[nodiscard]] std::uint32_t attempt() const noexcept { return attempts_; }

 protected:
  OutboundMessage() = default;
  ~OutboundMessage() = default;

  // One block: body, key, content type, id, then per header two sizes and two strings.
  const char* bytes_ = nullptr;
  std::uint32_t body_size_ = 0;
  std::uint32_t key_size_ = 0;
  std::uint32_t content_type_size_ = 0;
  std::uint32_t id_size_ = 0;
  std::uint32_t header_count_ = 0;
  std::uint32_t attempts_ = 0;
  std::int64_t expiration_ms_ = -1;
  const BrokerConfig* destination_ = nullptr;
  std::uint32_t destination_index_ = 0;
  std::int16_t priority_ = -1;
};

/// What a broker says of one message.
struct Outcome {
  Status status{};
  Persistence persistence = Persistence::not_persisted;
  std::int32_t partition = -1;
  std::int64_t offset = -1;

  /// Confirmed.
  static Outcome persisted(std::int32_t partition = -1, std::int64_t offset = -1) {
    return {.status = {}, .persistence = Persistence::persisted, .partition = partition, .offset = offset};
  }
  static Outcome failed(Status status, Persistence persistence = Persistence::not_persisted) {
    return {.status = std::move(status), .persistence = persistence, .partition = -1, .offset = -1};
  }
};

/// What a broker says of its connection.
enum class ConnectionState : std::uint8_t {
  connecting,
  connected,
  blocked,       ///< Connected, but the peer accepts nothing for now (RabbitMQ's connection.blocked).
  disconnected,  ///< The lane will connect again.
  closed,
};

ACTION_TRIGGERS_EXPORT std::string_view to_string(ConnectionState state) noexcept;

/// How a broker talks back to its lane; handed to every call, valid during that call only.
class ACTION_TRIGGERS_EXPORT BrokerEvents {
 public:
  /// The outcome of a message that send() has taken or is taking. Exactly once per taking.
  virtual void complete(const OutboundMessage& message, Outcome outcome) = 0;

  /// connect() has succeeded: send() may be called.
  virtual void connected() = 0;

  /// connect() has failed, or the connection is gone. Retryable: messages wait and the lane connects again after a
  /// backoff. Not retryable (`unauthenticated`, …): all that waits is reported with this status, then the same.
  virtual void disconnected(Status why) = 0;

  /// While true, the peer accepts nothing; `why` ends up in stats and in the text of messages that time out meanwhile.
  /// For information: the lane goes on offering messages, send() decides what it takes.
  virtual void blocked(bool is_blocked, std::string_view why) = 0;

  /// For the log hook.
  virtual void log(LogLevel level, std::string_view text) = 0;

  /// The lane's time. Brokers that use it instead of a clock of their own can be tested in virtual time.
  [[nodiscard]] virtual TimePoint now() const = 0;

 protected:
  ~BrokerEvents() = default;
};

/// Wakes a lane so that it calls poll(). The one thing a broker may use from any thread, as long as it likes.
class ACTION_TRIGGERS_EXPORT Waker {
 public:
  explicit Waker(std::function<void()> wake) : wake_(std::move(wake)) {}
  void wake() const { wake_(); }

 private:
  std::function<void()> wake_;
};

/// What a broker learns when its lane starts.
struct LaneContext {
  /// The named brokers that share this connection, in OutboundMessage::destination_index() order. Outlive the broker.
  std::span<const BrokerConfig* const> destinations;
  Waker waker;
};

/// What poll() waits for.
struct WaitRequest {
  int fd = -1;                      ///< A descriptor, or -1.
  bool writable = false;            ///< Wait for POLLOUT too; POLLIN is always waited for.
  TimePoint at = TimePoint::max();  ///< The latest time of the next poll().
};

class ACTION_TRIGGERS_EXPORT Broker {
 public:
  Broker() = default;
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;
  virtual ~Broker();

  /// Once, before anything else.
  virtual void start(const LaneContext& context);

  /// Begins to connect; the answer is connected() or disconnected(), now or in a later poll(). The default is
  /// connected.
  virtual void connect(BrokerEvents& events);

  /// Offers messages of one named broker, in order. Returns how many, from the front, were taken. Those that were not
  /// are offered again after the next poll().
  virtual std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) = 0;

  /// Reads what the peer said, continues what was begun. Called at least whenever wait_request() asked for it.
  virtual void poll(BrokerEvents& events);

  [[nodiscard]] virtual WaitRequest wait_request() const;

  /// The end: free the connection within `timeout`, completing what can still be completed. No message may be touched
  /// afterwards; the lane reports what is left.
  virtual void close(BrokerEvents& events, std::chrono::milliseconds timeout);
};

}  // namespace action_triggers
