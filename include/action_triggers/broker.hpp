// SPDX-License-Identifier: MIT
/// The contract between a lane and a broker. Read this to add a broker of your own; to use one, you need none of it.
///
/// A lane is one thread and one connection, shared by one or more destinations (entries of the brokers map). It owns
/// every message from fire() to its DeliveryReport: capacity, deadline, retries, order, statistics, shutdown. A Broker
/// only speaks its protocol:
///
/// 1. Every member is called from the lane's thread only, one call at a time. A broker needs no locks.
/// 2. send() is offered messages in order and takes a prefix of them. The broker holds what it took, and completes
///    each one exactly once through BrokerEvents::complete: in send() itself, or in a later poll(). Until then the
///    message's bytes stay where they are, so they need not be copied.
/// 3. Nothing blocks. What takes time is begun in connect() or send() and continued in poll(), which the lane calls
///    when the descriptor of wait_request() is ready, its time has come, or the Waker was used. A client with many
///    descriptors hands over one epoll descriptor that watches them.
/// 4. Failures are outcomes, not exceptions: complete with a Status (see status.hpp for which code when). Messages with
///    a retryable one come back through send() after a backoff, with the same id. An exception that escapes costs the
///    broker: it is destroyed, what it held is reported `internal`, and a new one is made and started.
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
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "action_triggers/broker_config.hpp"
#include "action_triggers/clock.hpp"
#include "action_triggers/export.hpp"
#include "action_triggers/log.hpp"
#include "action_triggers/outbound_message.hpp"
#include "action_triggers/status.hpp"

namespace action_triggers {

/// What became of one attempt to send a message.
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

/// How a broker talks back to its lane; handed to every call, valid during that call only.
class ACTION_TRIGGERS_EXPORT BrokerEvents {
 public:
  /// The outcome of a message that send() has taken or is taking. Exactly once each time that it is taken.
  virtual void complete(const OutboundMessage& message, Outcome outcome) = 0;

  /// connect() has succeeded: send() may be called.
  virtual void connected() = 0;

  /// connect() has failed, or the connection is gone. With a retryable status messages wait, and the lane connects
  /// again after a backoff. With another (`unauthenticated`, …) the lane reports every waiting message with it first.
  virtual void disconnected(Status why) = 0;

  /// While true, the server accepts nothing; `why` ends up in stats and in the text of messages that time out
  /// meanwhile. For information: the lane goes on offering messages, send() decides what it takes.
  virtual void blocked(bool is_blocked, std::string_view why) = 0;

  /// For a broker whose client library keeps messages, and makes lost connections again itself. While true there is no
  /// connection, though send() may be called: the lane's state is `connecting`, or `disconnected` if `why` says what
  /// went wrong, and `why` ends up as blocked()'s does. Ends with false, and with connected() and disconnected(). The
  /// default calls blocked(). With false, `why` is what does not work all the same, such as one of several servers:
  /// the state is `connected`, and `why` the connection's last error.
  virtual void reconnecting(bool is_reconnecting, std::string_view why);

  /// Inside send(): it takes less than it was offered because of the connection, not of this destination. The lane
  /// offers nothing more, of any destination, until after the next poll(). Without it the lane goes on to offer other
  /// destinations' messages. The default does nothing.
  virtual void full();

  /// For the application's log callback.
  virtual void log(LogLevel level, std::string_view text) = 0;

  /// The lane's time. Brokers that use it instead of a clock of their own can be tested in virtual time.
  [[nodiscard]] virtual TimePoint now() const = 0;

 protected:
  ~BrokerEvents() = default;
};

/// Wakes a lane so that it calls poll(). The one thing that a broker may use from any thread. It may be copied, and
/// outlive the lane; then it does nothing.
class ACTION_TRIGGERS_EXPORT Waker {
 public:
  explicit Waker(std::function<void()> wake) : wake_(std::move(wake)) {}
  void wake() const { wake_(); }

 private:
  std::function<void()> wake_;
};

/// What a broker learns when its lane starts.
struct LaneContext {
  /// The first destinations of this connection, in the order of OutboundMessage::destination_index(). The span is valid
  /// during start(), a configuration until remove_destination() for its index, else as long as the broker lives.
  std::span<const BrokerConfig* const> destinations;
  Waker waker;
};

/// What poll() waits for.
struct WaitRequest {
  int fd = -1;                      ///< A descriptor, or -1.
  bool writable = false;            ///< Wait for POLLOUT too; POLLIN is always waited for.
  TimePoint at = TimePoint::max();  ///< The latest time of the next poll().
};

/// Speaks one protocol, for one lane. See the rules at the top.
class ACTION_TRIGGERS_EXPORT Broker {
 public:
  Broker() = default;
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;
  virtual ~Broker();

  /// Called once, before anything else. Announces the first destinations.
  virtual void start(const LaneContext& context);

  /// One more destination uses this connection from now on. On the lane's thread, between other calls, connected or
  /// not. `index` is what its messages have as destination_index(): the next one that was never used, or one whose
  /// destination was removed. The destinations of start() are not announced again. The default does nothing.
  virtual void add_destination(const BrokerConfig& config, std::size_t index);

  /// The destination with this index leaves. On the lane's thread, between other calls; the broker holds none of its
  /// messages, and is offered none until add_destination() gives the index away again. Its configuration must not be
  /// used after this call. The default does nothing.
  virtual void remove_destination(std::size_t index);

  /// Begins to connect; the answer is connected() or disconnected(), now or in a later poll(). The default is
  /// connected.
  virtual void connect(BrokerEvents& events);

  /// Offers messages of one destination, in order. Returns how many, from the front, were taken. The others are offered
  /// again after the next poll(). See also BrokerEvents::full().
  virtual std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) = 0;

  /// Reads what the server sent, continues what was begun. Called at least whenever wait_request() asked for it.
  virtual void poll(BrokerEvents& events);

  [[nodiscard]] virtual WaitRequest wait_request() const;

  /// Why a message that it holds may not be confirmed yet, for the text of that message's time-out. The default is
  /// empty: there is nothing to add.
  [[nodiscard]] virtual std::string why_unconfirmed(const OutboundMessage& message) const;

  /// The end: frees the connection within `timeout`, and completes what can still be completed. No message may be
  /// touched afterwards; the lane reports what is left.
  virtual void close(BrokerEvents& events, std::chrono::milliseconds timeout);
};

}  // namespace action_triggers
