// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/amqp_connector.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <utility>

#include "brokers/rabbitmq/amqp_login.hpp"

namespace action_triggers::detail {

AmqpConnectorResult connect_to_any_host(RabbitMqConfig config, std::size_t first_host, TimePoint deadline) {
  const std::chrono::milliseconds each_at_most = config.connect_timeout;
  const auto hosts = static_cast<int>(config.hosts.size());
  AmqpConnectorResult outcome;
  std::string failures;
  for (int i = 0; i < hosts; ++i) {
    outcome.host_index = (first_host + static_cast<std::size_t>(i)) % config.hosts.size();
    const auto share = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()) / (hosts - i);
    config.connect_timeout = std::max(std::min(share, each_at_most), std::chrono::milliseconds(1));
    outcome.status = open_amqp_connection(config, config.hosts[outcome.host_index], outcome.connection);
    if (outcome.status.ok() || !outcome.status.retryable()) return outcome;  // credentials are the same everywhere
    failures += (failures.empty() ? "" : "; ") + outcome.status.message();
  }
  outcome.status = Status(outcome.status.code(), failures);
  return outcome;
}

struct AmqpConnector::Attempt {
  RabbitMqConfig config;
  std::size_t first_host;
  std::function<void()> done;

  std::mutex mutex;
  std::optional<Result> result;

  void run() {
    Result outcome = connect_to_any_host(config, first_host);
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
