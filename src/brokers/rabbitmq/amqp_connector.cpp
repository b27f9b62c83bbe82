// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/amqp_connector.hpp"

#include <mutex>
#include <optional>
#include <utility>

#include "brokers/rabbitmq/amqp_login.hpp"

namespace action_triggers::detail {

struct AmqpConnector::Attempt {
  RabbitMqConfig config;
  std::size_t first_host;
  std::function<void()> done;

  std::mutex mutex;
  std::optional<Result> result;

  void run() {
    Result outcome;
    std::string failures;
    for (std::size_t i = 0; i < config.hosts.size(); ++i) {
      outcome.host_index = (first_host + i) % config.hosts.size();
      outcome.status = open_amqp_connection(config, config.hosts[outcome.host_index], outcome.connection);
      if (outcome.status.ok() || !outcome.status.retryable()) break;  // credentials are the same everywhere
      failures += (failures.empty() ? "" : "; ") + outcome.status.message();
    }
    if (outcome.status.retryable()) outcome.status = Status(outcome.status.code(), failures);
    {
      const std::lock_guard lock(mutex);
      result = std::move(outcome);
    }
    done();
  }
};

AmqpConnector::AmqpConnector(const RabbitMqConfig& config, std::size_t first_host, std::function<void()> done)
    : attempt_(std::make_shared<Attempt>()) {
  attempt_->config = config;
  attempt_->first_host = first_host;
  attempt_->done = std::move(done);
  thread_ = Thread("at-connect", [attempt = attempt_] { attempt->run(); });
}

AmqpConnector::~AmqpConnector() {
  bool ended = false;
  {
    const std::lock_guard lock(attempt_->mutex);
    ended = attempt_->result.has_value();
  }
  if (!ended) thread_.detach();
}

bool AmqpConnector::take(Result& result) {
  const std::lock_guard lock(attempt_->mutex);
  if (!attempt_->result) return false;
  result = std::move(*attempt_->result);
  return true;
}

}  // namespace action_triggers::detail
