// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_client.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <future>
#include <mutex>
#include <stdexcept>
#include <system_error>

#include "base/thread.hpp"

namespace action_triggers::detail {
namespace {

std::string milliseconds_of(std::chrono::milliseconds pause) {
  constexpr std::chrono::milliseconds most = std::chrono::hours(1);  // librdkafka's CONFIGURATION.md
  return std::to_string(std::min(pause, most).count());
}

constexpr const char* interceptor = "action_triggers";

void count_cuts(KafkaSigns& signs, std::int32_t broker, rd_kafka_resp_err_t error) {
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR && error != RD_KAFKA_RESP_ERR__TRANSPORT) return;
  constexpr std::chrono::milliseconds same{20};  // several requests are lost with one connection
  const std::lock_guard lock(signs.mutex);
  KafkaSigns::Cut& cut = signs.cuts_by_broker[broker];
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    cut = {};
  } else if (const TimePoint now = Clock::now(); now - cut.at >= same) {
    ++cut.times;
    cut.at = now;
  }
  std::uint32_t most = 0;
  for (const auto& [id, one] : signs.cuts_by_broker) most = std::max(most, one.times);
  signs.cuts.store(most, std::memory_order_relaxed);
}

/// On a thread of the client's. A request that got no answer comes by here, too, with an error.
extern "C" rd_kafka_resp_err_t action_triggers_kafka_answer(rd_kafka_t* /*client*/, int /*socket*/,
                                                            const char* /*broker*/, std::int32_t broker_id,
                                                            std::int16_t request, std::int16_t /*version*/,
                                                            std::int32_t /*correlation*/, std::size_t /*size*/,
                                                            std::int64_t /*round_trip*/, rd_kafka_resp_err_t error,
                                                            void* signs_of_client) {
  constexpr std::int16_t sasl_handshake = 17;
  constexpr std::int16_t api_versions = 18;
  constexpr std::int16_t sasl_authenticate = 36;
  constexpr std::int16_t produce = 0;
  auto& signs = *static_cast<KafkaSigns*>(signs_of_client);
  if (request == produce) count_cuts(signs, broker_id, error);
  const bool belongs_to_login = request == sasl_handshake || request == api_versions || request == sasl_authenticate;
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR && !(signs.logs_in && belongs_to_login)) {
    const std::lock_guard lock(signs.mutex);
    signs.latest_answers[broker_id] = signs.answers.fetch_add(1, std::memory_order_relaxed) + 1;
  }
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

extern "C" rd_kafka_resp_err_t action_triggers_kafka_made(rd_kafka_t* client, const rd_kafka_conf_t* /*conf*/,
                                                          void* signs, char* /*reason*/, std::size_t /*size*/) {
  return rd_kafka_interceptor_add_on_response_received(client, interceptor, action_triggers_kafka_answer, signs);
}

}  // namespace

std::string set_kafka_property(rd_kafka_conf_t* conf, const std::string& property, const std::string& value) {
  std::array<char, 512> reason{};
  if (rd_kafka_conf_set(conf, property.c_str(), value.c_str(), reason.data(), reason.size()) == RD_KAFKA_CONF_OK)
    return {};
  std::string text = reason.data();
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

void destroy_elsewhere(rd_kafka_t* client, std::chrono::milliseconds patience, const std::shared_ptr<void>& kept) {
  try {
    auto freed = std::make_shared<std::promise<void>>();
    const std::future<void> is_freed = freed->get_future();
    Thread thread("at-kafka-free", [client, freed, kept] {
      rd_kafka_destroy(client);
      freed->set_value();
    });
    if (is_freed.wait_for(patience) != std::future_status::ready) thread.detach();  // otherwise joined
  } catch (const std::system_error&) {
    rd_kafka_destroy(client);  // no thread to be had: then here
  }
}

rd_kafka_resp_err_t kafka_fatal_error(rd_kafka_t* client, std::string& reason) {
  std::array<char, 512> text{};
  const rd_kafka_resp_err_t error = rd_kafka_fatal_error(client, text.data(), text.size());
  reason = text.data();
  return error;
}

std::size_t kafka_servers(const KafkaConfig& config) {
  const std::string& servers = config.bootstrap_servers;
  return static_cast<std::size_t>(std::count(servers.begin(), servers.end(), ',')) + 1;
}

std::string kafka_unreachable(const KafkaConfig& config, const std::string& last_error) {
  return "no broker of " + config.bootstrap_servers + " can be reached" + (last_error.empty() ? "" : ": " + last_error);
}

void watch_signs(rd_kafka_conf_t* conf, KafkaSigns& signs) {
  rd_kafka_conf_interceptor_add_on_new(conf, interceptor, action_triggers_kafka_made, &signs);
}

KafkaConf make_kafka_conf(const KafkaConfig& config) {
  KafkaConf conf(rd_kafka_conf_new());
  const auto set = [&](const std::string& property, const std::string& value, bool is_secret) {
    const std::string reason = set_kafka_property(conf.get(), property, value);
    if (!reason.empty()) {
      throw std::runtime_error("librdkafka does not accept " + property + (is_secret ? "" : ": " + reason));
    }
  };
  // The client reconnects automatically; it pauses as a lane would, unless properties of these names follow.
  set("reconnect.backoff.ms", milliseconds_of(config.retry.initial_backoff), false);
  set("reconnect.backoff.max.ms", milliseconds_of(config.retry.max_backoff), false);
  // Each topic has its own, of its destinations' timeouts. None here, or linger.ms would have to be less than that.
  set("message.timeout.ms", "0", false);
  for (const auto& [property, value] : config.properties) set(property, value, false);
  for (const auto& [property, value] : config.secret_properties) set(property, value.reveal(), true);
  // Since 2.3.0 that is the first pause, which doubles up to a maximum of 1 s, and is cut to it.
  const auto backoff = config.properties.find("retry.backoff.ms");
  constexpr int knows_maximum = 0x02030000;
  if (rd_kafka_version() >= knows_maximum && backoff != config.properties.end() &&
      std::strtol(backoff->second.c_str(), nullptr, 10) > 1'000 &&
      !config.properties.contains("retry.backoff.max.ms")) {
    set("retry.backoff.max.ms", backoff->second, false);
  }
  set("bootstrap.servers", config.bootstrap_servers, false);
  set("log.queue", "true", false);  // otherwise it logs from its own threads, to stderr
  rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
  return conf;
}

}  // namespace action_triggers::detail
