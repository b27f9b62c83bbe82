// SPDX-License-Identifier: MIT
// All of the broker type: its configuration, what Redis' errors mean, and a Broker over hiredis that never waits.
#include "redis_streams.hpp"

#include <hiredis/hiredis.h>
#include <netdb.h>
#include <sys/socket.h>
#include <action_triggers/action_triggers.hpp>

#include <array>
#include <chrono>
#include <deque>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace at = action_triggers;

namespace {

constexpr std::chrono::seconds patience{10};         // for any reply, then the connection is given up
constexpr std::size_t most_unwritten = 1024 * 1024;  // bytes that wait for the socket

struct RedisConfig : at::BrokerConfig {
  std::string host;
  std::uint16_t port = 6379;
  std::string user;  // empty: Redis' default user
  std::optional<at::Secret> password;
  std::string stream;
  std::string max_length;  // empty: the stream grows without limit
};

std::unique_ptr<at::BrokerConfig> parse(at::BrokerSection& section) {
  auto config = std::make_unique<RedisConfig>();
  at::ConfigSection& server = section.conn_details;
  config->host = server.required_string("host");
  config->port = static_cast<std::uint16_t>(server.integer("port", 1, 65'535).value_or(6379));
  config->user = server.string("user").value_or("");
  config->password = server.secret("password");
  config->stream = section.params.required_string("stream");
  if (const auto length = section.params.integer("max_length", 1)) config->max_length = std::to_string(*length);
  config->max_in_flight = 1'000;  // unless params.max_in_flight says otherwise
  section.report_plaintext("host", config->host);
  return config;
}

// What Redis' errors mean

struct RedisError {
  std::string_view begins;
  at::StatusCode code;
  std::string_view to_do;
};
/// `rejected` and `unavailable` are tried again. After `unavailable` on another connection: the host's name may stand
/// for another server by then.
constexpr std::array redis_errors{
    RedisError{"NOAUTH", at::StatusCode::unauthenticated, "set conn_details.password"},
    RedisError{"WRONGPASS", at::StatusCode::unauthenticated, "correct conn_details.user or password"},
    RedisError{"ERR AUTH", at::StatusCode::unauthenticated, "remove conn_details.password, or set one in Redis"},
    RedisError{"NOPERM", at::StatusCode::permission_denied, "allow the user XADD on this stream (ACL SETUSER)"},
    RedisError{"WRONGTYPE", at::StatusCode::not_found, "the key is no stream: rename one of them"},
    RedisError{"OOM", at::StatusCode::rejected, "raise Redis' maxmemory, or set params.max_length"},
    RedisError{"MISCONF", at::StatusCode::rejected, "see why Redis cannot write to its disk"},
    RedisError{"NOREPLICAS", at::StatusCode::rejected, "see why Redis' replicas are gone"},
    RedisError{"BUSY", at::StatusCode::rejected, "a script holds Redis up (SCRIPT KILL)"},
    RedisError{"LOADING", at::StatusCode::unavailable, "Redis is about to serve"},
    RedisError{"READONLY", at::StatusCode::unavailable, "this is a replica: name the primary"},
    RedisError{"MASTERDOWN", at::StatusCode::unavailable, "this is a replica: name the primary"},
    RedisError{"ERR max number of clients", at::StatusCode::unavailable, "raise Redis' maxclients"},
    RedisError{"ERR Protocol error: invalid bulk", at::StatusCode::too_large, "raise Redis' proto-max-bulk-len"},
};

at::Status status_of(std::string_view error) {
  const std::string text(error);
  for (const RedisError& known : redis_errors) {
    if (error.starts_with(known.begins)) return {known.code, text + " (" + std::string(known.to_do) + ")"};
  }
  return {at::StatusCode::internal, text};
}

/// The first address of a name. Waits for the name server; throws std::runtime_error.
std::string look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0) {
    throw std::runtime_error(host + ": " + gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> all(found, freeaddrinfo);
  std::array<char, NI_MAXHOST> text{};
  if (const int error =
          getnameinfo(all->ai_addr, all->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
      error != 0) {
    throw std::runtime_error(host + ": " + gai_strerror(error));
  }
  return text.data();
}

// A command: its words, which hiredis copies

class Command {
 public:
  Command& operator<<(std::string_view word) {
    words_.push_back(word.data());
    sizes_.push_back(word.size());
    size_ += word.size();
    return *this;
  }
  /// How many bytes it has.
  std::size_t append_to(redisContext& connection) {
    // There is no memory: the lane makes a new broker.
    if (redisAppendCommandArgv(&connection, static_cast<int>(words_.size()), words_.data(), sizes_.data()) !=
        REDIS_OK) {
      throw std::bad_alloc();
    }
    return size_;
  }

 private:
  std::vector<const char*> words_;
  std::vector<std::size_t> sizes_;
  std::size_t size_ = 0;
};

/// XADD stream * id … body … and what else the message has.
std::size_t append_message(redisContext& connection, const at::OutboundMessage& message) {
  const auto& config = at::config_as<RedisConfig>(message.destination());
  Command command;
  command << "XADD" << config.stream;
  if (!config.max_length.empty())
    command << "MAXLEN"
            << "~" << config.max_length;
  command << "*"
          << "id" << message.id() << "body" << message.body();
  if (!message.key().empty()) command << "key" << message.key();
  if (!message.content_type().empty()) command << "content_type" << message.content_type();
  std::deque<std::string> names;  // a deque, so that they stay where they are
  message.for_each_header([&](const at::HeaderView& header) {
    command << names.emplace_back("header." + std::string(header.name)) << header.value;
  });
  return command.append_to(connection);
}

class RedisStreamsBroker final : public at::Broker {
 public:
  explicit RedisStreamsBroker(const RedisConfig& config) : config_(config) {}

  void start(const at::LaneContext& context) override { waker_ = context.waker; }

  /// The look-up of the name waits, so it has a thread of its own, which may outlive the broker. It goes on in poll().
  void connect(at::BrokerEvents& events) override {
    replied_at_ = events.now();
    std::promise<std::string> address;
    address_ = address.get_future();
    std::thread([address = std::move(address), host = config_.host, waker = *waker_]() mutable {
      try {
        address.set_value(look_up(host));
      } catch (...) {
        address.set_exception(std::current_exception());
      }
      waker.wake();
    }).detach();
  }

  std::size_t send(std::span<const at::OutboundMessage* const> batch, at::BrokerEvents& events) override {
    if (held_.empty()) replied_at_ = events.now();
    std::size_t taken = 0;
    while (taken < batch.size() && takes_more()) {
      unwritten_ += append_message(*connection_, *batch[taken]);
      held_.push_back(batch[taken]);
      ++taken;
    }
    write();
    if (taken < batch.size()) events.full();
    return taken;
  }

  void poll(at::BrokerEvents& events) override {
    if (address_.valid() && address_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) open(events);
    if (connection_) {
      write();
      read(events);
    }
    if (waits_for_reply() && events.now() - replied_at_ >= patience) {
      lose({at::StatusCode::unavailable, name() + " has not answered for 10 s"}, events);
    }
  }

  [[nodiscard]] at::WaitRequest wait_request() const override {
    at::WaitRequest request;
    if (waits_for_reply()) request.at = replied_at_ + patience;
    if (!connection_) return request;
    request.fd = connection_->fd;
    request.writable = !all_written_;
    if (connection_->err != 0) request.at = replied_at_;  // now
    return request;
  }

  void close(at::BrokerEvents& /*events*/, std::chrono::milliseconds /*timeout*/) override {
    held_.clear();  // the lane reports them
    connection_.reset();
  }

 private:
  [[nodiscard]] std::string name() const { return config_.host + ":" + std::to_string(config_.port); }
  [[nodiscard]] bool waits_for_reply() const { return address_.valid() || greetings_ > 0 || !held_.empty(); }
  [[nodiscard]] bool takes_more() const {
    return connection_ && connection_->err == 0 && greetings_ == 0 && leaves_.ok() && unwritten_ < most_unwritten;
  }

  /// Begins to connect to the address, and to log in.
  void open(at::BrokerEvents& events) {
    std::string address;
    try {
      address = std::exchange(address_, {}).get();
    } catch (const std::exception& error) {
      return events.disconnected({at::StatusCode::unavailable, error.what()});
    }
    connection_.reset(redisConnectNonBlock(address.c_str(), config_.port));
    if (!connection_) throw std::bad_alloc();
    leaves_ = {};
    if (config_.password) {
      Command login;
      login << "AUTH";
      if (!config_.user.empty()) login << config_.user;
      login << config_.password->reveal();
      login.append_to(*connection_);
      ++greetings_;
    }
    (Command() << "PING").append_to(*connection_);  // what does not serve yet says so
    ++greetings_;
  }

  void write() {
    int all_written = 1;
    if (connection_ && connection_->err == 0) redisBufferWrite(connection_.get(), &all_written);
    all_written_ = all_written != 0;
    if (all_written_) unwritten_ = 0;
  }

  void read(at::BrokerEvents& events) {
    if (connection_->err == 0) redisBufferRead(connection_.get());
    void* next = nullptr;
    while (connection_ && redisGetReplyFromReader(connection_.get(), &next) == REDIS_OK && next != nullptr) {
      const std::unique_ptr<redisReply, decltype(&freeReplyObject)> reply(static_cast<redisReply*>(next),
                                                                          freeReplyObject);
      replied_at_ = events.now();
      const bool failed = reply->type == REDIS_REPLY_ERROR;
      on_reply(failed ? status_of({reply->str, reply->len}) : at::Status(), events);
    }
    if (connection_ && connection_->err != 0) {
      lose({at::StatusCode::unavailable, name() + ": " + std::string(connection_->errstr)}, events);
    }
  }

  /// Replies come in the order of the commands: first those of the login.
  void on_reply(const at::Status& status, at::BrokerEvents& events) {
    if (greetings_ > 0) {
      if (!status.ok()) return lose(status, events);
      if (--greetings_ == 0) events.connected();
      return;
    }
    if (held_.empty()) return lose({at::StatusCode::unavailable, name() + " sent what nobody asked for"}, events);
    const at::OutboundMessage& message = *held_.front();
    held_.pop_front();
    // A refusal says that there is no entry.
    events.complete(message, status.ok() ? at::Outcome::persisted() : at::Outcome::failed(status));
    if (status.code() == at::StatusCode::unavailable) leaves_ = status;
    if (!leaves_.ok() && held_.empty()) lose(leaves_, events);  // nothing is unknown then
  }

  /// What Redis has not answered may be in the stream or not: only Redis knows.
  void lose(const at::Status& why, at::BrokerEvents& events) {
    connection_.reset();
    address_ = {};
    greetings_ = 0;
    for (const at::OutboundMessage* message : std::exchange(held_, {})) {
      events.complete(*message, at::Outcome::failed({at::StatusCode::unavailable, why.message()},
                                                    at::Persistence::possibly_persisted));
    }
    events.disconnected(why);
  }

  struct Free {
    void operator()(redisContext* connection) const { redisFree(connection); }
  };

  const RedisConfig config_;
  std::optional<at::Waker> waker_;
  std::future<std::string> address_;  // valid while it is looked up
  std::unique_ptr<redisContext, Free> connection_;
  int greetings_ = 0;  // replies to the login that are to come; 0: logged in
  at::Status leaves_;  // not ok: why the connection is given up as soon as all replies are there
  bool all_written_ = true;
  std::size_t unwritten_ = 0;                    // bytes since all was written
  std::deque<const at::OutboundMessage*> held_;  // sent and not answered, the oldest first
  at::TimePoint replied_at_;                     // or since when there is something to answer
};

}  // namespace

at::BrokerType redis_streams_type() {
  return {.name = "redis_streams", .parse = parse, .make = [](const at::BrokerConfig& config) {
            return std::make_unique<RedisStreamsBroker>(at::config_as<RedisConfig>(config));
          }};
}
