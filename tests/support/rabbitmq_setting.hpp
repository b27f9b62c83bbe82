// SPDX-License-Identifier: MIT
/// Settings of the private RabbitMQ that a test changes for a while.
#pragma once

#include <string>

#include "live/servers.hpp"

namespace action_triggers::tests {

/// Another value for the connections that are made in its lifetime, and then the usual one again.
class RabbitMqSetting {
 public:
  RabbitMqSetting(const std::string& name, int value, int usual) : name_(name), usual_(usual) { set(value); }
  ~RabbitMqSetting() { set(usual_); }
  RabbitMqSetting(const RabbitMqSetting&) = delete;
  RabbitMqSetting& operator=(const RabbitMqSetting&) = delete;

 private:
  /// RabbitMQ 4 reads some settings when it boots, max_message_size among them, and keeps them as persistent terms.
  void set(int value) const {
    const std::string arguments = name_ + ", " + std::to_string(value);
    Servers::rabbitmqctl("-q eval 'application:set_env(rabbit, " + arguments + "), case persistent_term:get(" + name_ +
                         ", none) of none -> ok; _ -> persistent_term:put(" + arguments + ") end.'");
  }

  const std::string name_;
  const int usual_;
};

/// What is larger closes the channel. scripts/servers sets the usual value.
class MaxMessageSize : public RabbitMqSetting {
 public:
  explicit MaxMessageSize(int bytes) : RabbitMqSetting("max_message_size", bytes, 128 * 1024 * 1024) {}
};

}  // namespace action_triggers::tests
