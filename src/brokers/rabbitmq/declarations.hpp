// SPDX-License-Identifier: MIT
/// What has to be there before messages are published: what destinations declare (queues, or an exchange with bound
/// queues), and exchanges, which have to exist.
///
/// They are asked for on control channels of their own, because a refusal closes the channel on which it was asked. On
/// each of them one at a time, since a channel.close does not say which of several requests it answers; on many at
/// once, so that neither round trips add up nor one request without an answer holds up the others. What one destination
/// declares is one request of several methods, which follow each other without waiting; the last answer is its answer.
///
/// What fails inside the broker closes the connection instead (541: a quorum queue without a majority, a virtual host
/// that is down), and names no queue. What was asked for then is under suspicion: it is asked again one at a time,
/// until only one is to blame. That one is refused for longer and longer, since each try costs everybody a connection.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/broker.hpp"
#include "brokers/rabbitmq/amqp.hpp"

namespace action_triggers::detail {

/// A status that holds for a time: what was refused is not asked again for every message.
class Refusal {
 public:
  void set(Status status, TimePoint now, std::chrono::seconds time = std::chrono::seconds(1));
  void clear() { until_ = TimePoint::min(); }
  /// nullptr: nothing is refused now.
  [[nodiscard]] const Status* at(TimePoint now) const { return now < until_ ? &status_ : nullptr; }

 private:
  Status status_;
  TimePoint until_ = TimePoint::min();
};

class Declarations {
 public:
  enum class Kind : std::uint8_t {
    queue,     ///< All that one destination declares: its queue, or its exchange and the queues that are bound to it.
    exchange,  ///< An exchange that destinations publish to.
  };

  /// By its number, which each kind has for itself.
  struct Subject {
    Kind kind;
    std::size_t index;
    friend bool operator==(const Subject&, const Subject&) = default;
  };

  /// What Declarations needs of its owner.
  class Owner {
   public:
    /// False: it does not fit a frame of this connection.
    virtual bool send_method(amqp_channel_t channel, amqp_method_number_t method, void* decoded) = 0;
    /// An exchange that was asked for exists.
    virtual void exchange_exists(std::size_t index, TimePoint now) = 0;

   protected:
    ~Owner() = default;
  };

  /// Channels from 1 to this number are used at most, from the first on.
  static constexpr amqp_channel_t last_control_channel = 16;

  explicit Declarations(Owner& owner);

  /// Says what to ask for under this number. `config` is referred to until remove(); without `declare` its queue is
  /// taken to exist.
  void set_queue(std::size_t index, const RabbitMqConfig& config);
  /// Changes nothing if it is set already.
  void set_exchange(std::size_t index, std::string exchange);
  /// The number may be set again, for something else. An answer that is still to come is ignored.
  void remove(Subject subject);

  /// The broker has closed the connection because of something that was asked for.
  void closed_connection(const Status& why, TimePoint now);
  /// The connection is a new one: nothing was asked for or refused on it, but for what
  /// ended the last one. Channels up to `last_channel` are used.
  void reset(amqp_channel_t last_channel = last_control_channel);
  /// The connection was lost. If an exchange of a type that the broker does not know is why, none is declared on the
  /// next connection, or that would be lost as well.
  void connection_lost(std::string_view why);
  /// Asks, also where an earlier answer was yes; not if an answer is still to come, or if it ended a connection lately.
  /// Who asks for an exchange doubts that it is there: queues that are bound to it are to be declared again.
  void request(Subject subject, TimePoint now);
  /// Asks for what the destination declares, if it declares something.
  void request_declared(std::size_t index, TimePoint now);
  /// Something that the destination declares was found to be gone.
  void forget(Subject subject);
  /// False: to be requested, or the answer is not here yet. Always true of a queue without `declare`.
  [[nodiscard]] bool exists(Subject subject) const;
  /// Until it expires, messages that need the subject have this status.
  void refuse(Subject subject, const Status& status, TimePoint now);
  [[nodiscard]] const Status* refused(Subject subject, TimePoint now) const;
  /// Whether a destination declares this exchange.
  [[nodiscard]] bool declares_exchange(const std::string& exchange) const;

  /// "the queue 'q'", for texts.
  [[nodiscard]] std::string describe(Subject subject) const;

  /// A method arrived on a control channel.
  void on_method(amqp_channel_t channel, const amqp_method_t& method, TimePoint now);

  // Time

  /// Gives up what has had no answer for long: it is refused, as `unavailable`.
  void check_times(TimePoint now);
  [[nodiscard]] bool has_times() const;
  /// Nothing more can be asked on this connection: no control channel is left.
  [[nodiscard]] bool is_stuck() const;
  /// The broker has said that it takes nothing: time begins to count now.
  void restart_times(TimePoint now);

 private:
  enum class State : std::uint8_t { unknown, requested, exists };
  struct Entry {
    const RabbitMqConfig* config = nullptr;  // of a queue
    std::string exchange;
    State state = State::unknown;
    Refusal refusal;
    bool is_suspect = false;          // its last try may have closed a connection
    unsigned closed_connections = 0;  // by it alone, since the last answer
  };

  /// A channel on which one thing at a time is asked.
  struct Control {
    enum class State : std::uint8_t { closed, open, closing };
    amqp_channel_t id = 0;
    State state = State::closed;
    std::optional<Subject> sent;  // not answered yet
    std::size_t answers = 0;      // to come
    bool fits = true;             // what was to be sent: each method into a frame
    bool removed = false;         // what was sent: the answer is nobody's
    TimePoint sent_at;
  };

  [[nodiscard]] static bool declares_exchange(const Entry& queue, const std::string& exchange);
  [[nodiscard]] bool has_unknown_type(Subject subject) const;
  [[nodiscard]] bool makes_what_is_missing(Subject subject) const;
  [[nodiscard]] Entry& entry(Subject subject);
  [[nodiscard]] const Entry& entry(Subject subject) const;
  [[nodiscard]] bool may_be_sent(Subject subject) const;
  void send_waiting(TimePoint now);
  void send(Control& control, Subject subject, TimePoint now);
  void ask(Control& control, amqp_method_number_t method, void* decoded);
  void ask_for_exchange(Control& control, const std::string& exchange);
  void close(Control& control);
  void answered(Control& control, const Status& status, TimePoint now);

  Owner& owner_;
  std::array<Control, last_control_channel> all_controls_;
  std::span<Control> controls_ = all_controls_;  // those that are used
  std::vector<Entry> queues_;
  std::vector<Entry> exchanges_;
  std::deque<Subject> waiting_;
  std::string unknown_type_;  // of exchanges, to the broker
  bool is_type_new_ = false;  // since reset()
};

}  // namespace action_triggers::detail
