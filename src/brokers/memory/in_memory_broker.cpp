// SPDX-License-Identifier: MIT
#include "action_triggers/memory.hpp"

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "brokers/memory/memory_type.hpp"

namespace action_triggers {

/// What all clients of one in-memory broker share. A client takes the lock for a moment and calls its lane without it.
struct InMemoryBroker::State {
  enum class Fault : std::uint8_t { fail, lose_confirmation };
  struct Planned {
    Fault fault;
    Status status;
    std::size_t left;
    std::string destination;  // empty: any
  };

  std::mutex mutex;
  std::map<std::string, std::vector<Message>, std::less<>> messages;
  std::size_t size = 0;
  std::deque<Planned> planned;
  std::optional<Status> down;
  std::uint64_t generation = 0;  // raised by disconnect()
  bool holding = false;
  bool blocked = false;
  std::chrono::milliseconds delay{0};
  std::map<const void*, Waker> clients;

  /// Changes the state and lets every client look.
  template <class Change>
  void change(Change&& apply) {
    const std::lock_guard lock(mutex);
    apply();
    for (const auto& [client, waker] : clients) waker.wake();
  }

  /// The next planned fault for this destination, if any. The lock is held.
  std::optional<Planned> next_fault(std::string_view destination) {
    for (auto at = planned.begin(); at != planned.end(); ++at) {
      if (!at->destination.empty() && at->destination != destination) continue;
      Planned fault = *at;
      if (--at->left == 0) planned.erase(at);
      return fault;
    }
    return std::nullopt;
  }
};

/// The broker of one lane: its connection to the shared state.
class MemoryClient final : public Broker {
  using State = InMemoryBroker::State;

 public:
  explicit MemoryClient(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~MemoryClient() override {
    const std::lock_guard lock(state_->mutex);
    state_->clients.erase(this);
  }

  void start(const LaneContext& context) override {
    const std::lock_guard lock(state_->mutex);
    state_->clients.emplace(this, context.waker);
  }

  void connect(BrokerEvents& events) override {
    std::optional<Status> down;
    {
      const std::lock_guard lock(state_->mutex);
      down = state_->down;
      generation_ = state_->generation;
    }
    connected_ = !down;
    if (down) {
      events.disconnected(*down);
    } else {
      events.connected();
    }
  }

  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const OutboundMessage& message = *batch[i];
      std::optional<State::Planned> fault;
      bool confirm_now = false;
      {
        const std::lock_guard lock(state_->mutex);
        if (state_->blocked || lost()) {  // poll() says why
          events.full();
          return i;
        }
        fault = state_->next_fault(message.destination().name);
        if (!fault || fault->fault == State::Fault::lose_confirmation) {
          state_->messages[message.destination().name].push_back(message.copy());
          ++state_->size;
        }
        confirm_now = !state_->holding && state_->delay.count() == 0 && held_.empty();
        due_ = events.now() + state_->delay;
      }
      if (fault && fault->fault == State::Fault::fail) {
        events.complete(message, Outcome::failed(fault->status));
      } else if (fault) {
        held_.push_back({&message, due_});
        drop(events, {StatusCode::unavailable, "the in-memory broker lost the confirmation, as it was told to"});
        return i + 1;
      } else if (confirm_now) {
        events.complete(message, Outcome::persisted());
      } else {
        held_.push_back({&message, due_});
      }
    }
    return batch.size();
  }

  void poll(BrokerEvents& events) override {
    std::optional<Status> why_lost;
    bool holding = false;
    bool blocked = false;
    {
      const std::lock_guard lock(state_->mutex);
      if (connected_ && lost()) {
        why_lost =
            state_->down.value_or(Status(StatusCode::unavailable, "the in-memory broker dropped the connection"));
      }
      holding = state_->holding;
      blocked = state_->blocked;
    }
    if (why_lost) {
      drop(events, *why_lost);
      return;
    }
    if (connected_ && blocked != std::exchange(said_blocked_, blocked)) {
      events.blocked(blocked, blocked ? "the in-memory broker was told to block" : "");
    }
    holding_ = holding;
    while (!holding && !held_.empty() && held_.front().due <= events.now()) {
      const OutboundMessage& message = *held_.front().message;
      held_.pop_front();
      events.complete(message, Outcome::persisted());
    }
  }

  [[nodiscard]] WaitRequest wait_request() const override {
    WaitRequest request;
    if (!held_.empty() && !holding_) request.at = held_.front().due;
    return request;
  }

  void close(BrokerEvents& events, std::chrono::milliseconds /*timeout*/) override {
    fail_held(events, {StatusCode::unavailable, "closed before the in-memory broker confirmed"});
    connected_ = false;
  }

 private:
  struct Held {
    const OutboundMessage* message;
    TimePoint due;
  };

  [[nodiscard]] bool lost() const { return state_->down.has_value() || generation_ != state_->generation; }

  void fail_held(BrokerEvents& events, const Status& why) {
    for (const Held& held : std::exchange(held_, {})) {
      events.complete(*held.message, Outcome::failed(why, Persistence::possibly_persisted));
    }
  }

  void drop(BrokerEvents& events, const Status& why) {
    fail_held(events, why.retryable() ? why : Status(StatusCode::unavailable, why.message()));
    connected_ = false;
    said_blocked_ = false;
    events.disconnected(why);
  }

  const std::shared_ptr<State> state_;
  std::deque<Held> held_;
  TimePoint due_;
  std::uint64_t generation_ = 0;
  bool connected_ = false;
  bool holding_ = false;
  bool said_blocked_ = false;
};

InMemoryBroker::InMemoryBroker() : state_(std::make_shared<State>()) {}
InMemoryBroker::~InMemoryBroker() = default;

std::shared_ptr<InMemoryBroker> InMemoryBroker::named(std::string_view server) {
  static std::mutex mutex;
  static auto& servers = *new std::map<std::string, std::shared_ptr<InMemoryBroker>, std::less<>>;
  const std::lock_guard lock(mutex);
  auto found = servers.find(server);
  if (found == servers.end()) found = servers.emplace(server, std::make_shared<InMemoryBroker>()).first;
  return found->second;
}

BrokerRegistry::Make InMemoryBroker::maker() const {
  return [state = state_](const BrokerConfig&) { return std::make_unique<MemoryClient>(state); };
}

std::vector<Message> InMemoryBroker::messages(std::string_view destination) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->messages.find(destination);
  return found == state_->messages.end() ? std::vector<Message>() : found->second;
}

std::size_t InMemoryBroker::size() const {
  const std::lock_guard lock(state_->mutex);
  return state_->size;
}

void InMemoryBroker::clear() {
  const std::lock_guard lock(state_->mutex);
  state_->messages.clear();
  state_->size = 0;
}

void InMemoryBroker::fail_next(Status status, std::size_t count, std::string_view destination) {
  if (count == 0) return;
  const std::lock_guard lock(state_->mutex);
  state_->planned.push_back({State::Fault::fail, std::move(status), count, std::string(destination)});
}

void InMemoryBroker::nack_next(std::size_t count, std::string_view destination) {
  fail_next({StatusCode::rejected, "the in-memory broker refused the message, as it was told to"}, count, destination);
}

void InMemoryBroker::unroutable_next(std::size_t count, std::string_view destination) {
  fail_next({StatusCode::unroutable, "the in-memory broker found no queue, as it was told to"}, count, destination);
}

void InMemoryBroker::lose_confirmation_next(std::size_t count, std::string_view destination) {
  if (count == 0) return;
  const std::lock_guard lock(state_->mutex);
  state_->planned.push_back({State::Fault::lose_confirmation, {}, count, std::string(destination)});
}

void InMemoryBroker::disconnect() {
  state_->change([&] { ++state_->generation; });
}
void InMemoryBroker::go_down(Status why) {
  state_->change([&] { state_->down = std::move(why); });
}
void InMemoryBroker::go_up() {
  state_->change([&] { state_->down.reset(); });
}
void InMemoryBroker::hold() {
  state_->change([&] { state_->holding = true; });
}
void InMemoryBroker::release() {
  state_->change([&] { state_->holding = false; });
}
void InMemoryBroker::set_delay(std::chrono::milliseconds delay) {
  state_->change([&] { state_->delay = delay; });
}
void InMemoryBroker::block() {
  state_->change([&] { state_->blocked = true; });
}
void InMemoryBroker::unblock() {
  state_->change([&] { state_->blocked = false; });
}

namespace detail {

std::unique_ptr<Broker> make_memory(const BrokerConfig& config) {
  const auto* memory = dynamic_cast<const MemoryConfig*>(&config);  // may be made by hand, without a server
  return InMemoryBroker::named(memory != nullptr ? memory->server : "default")->maker()(config);
}

}  // namespace detail
}  // namespace action_triggers
