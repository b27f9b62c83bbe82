// SPDX-License-Identifier: MIT
#include "appending_broker.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "action_triggers/broker.hpp"
#include "action_triggers/broker_type.hpp"

namespace action_triggers::tests {
namespace {

struct AppendingConfig : BrokerConfig {
  std::string path;
};

std::unique_ptr<BrokerConfig> read_section(BrokerSection& section) {
  auto config = std::make_unique<AppendingConfig>();
  config->path = section.conn_details.required_string("path");
  return config;
}

class AppendingBroker final : public Broker {
 public:
  explicit AppendingBroker(std::string path) : path_(std::move(path)) {}
  ~AppendingBroker() override {
    if (file_ >= 0) ::close(file_);
  }

  void connect(BrokerEvents& events) override {
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file_ >= 0) return events.connected();
    events.disconnected({StatusCode::unavailable, path_ + ": " + std::strerror(errno)});
  }

  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override {
    for (const OutboundMessage* const message : batch) events.complete(*message, take(*message));
    return batch.size();
  }

 private:
  Outcome take(const OutboundMessage& message) const {
    if (message.body().starts_with("poison")) ::kill(::getpid(), SIGKILL);
    if (message.body().starts_with("dead")) {
      return Outcome::failed({StatusCode::invalid_argument, "such a body is refused"});
    }
    const std::string line =
        std::string(message.id()) + "\t" + std::string(message.key()) + "\t" + std::string(message.body()) + "\n";
    if (::write(file_, line.data(), line.size()) == static_cast<ssize_t>(line.size())) return Outcome::persisted();
    return Outcome::failed({StatusCode::unavailable, std::strerror(errno)}, Persistence::possibly_persisted);
  }

  const std::string path_;
  int file_ = -1;
};

}  // namespace

BrokerRegistry registry_with_appending() {
  BrokerRegistry registry = BrokerRegistry::builtin();
  registry.add("appending", read_section, [](const BrokerConfig& config) {
    return std::make_unique<AppendingBroker>(config_as<AppendingConfig>(config).path);
  });
  return registry;
}

}  // namespace action_triggers::tests
