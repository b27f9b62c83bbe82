// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_properties.hpp"

#include <algorithm>

namespace action_triggers::detail {
namespace {

constexpr std::string_view loads_code = "It loads code into the process.";
constexpr std::string_view always_verified =
    "Certificates and host names are always verified; name a private CA in 'ssl_cafile'.";
constexpr std::string_view dispatcher_needs_it = "The dispatcher depends on it.";
constexpr std::string_view has_own_timeout = "Use params.timeout_secs.";

constexpr KafkaProperty allowed(std::string_view name, std::string_view canonical = {}) {
  return {name, canonical.empty() ? name : canonical, KafkaPropertyRule::allowed, {}};
}
constexpr KafkaProperty secret(std::string_view name) { return {name, name, KafkaPropertyRule::secret, {}}; }
constexpr KafkaProperty refused(std::string_view name, std::string_view why, std::string_view canonical = {}) {
  return {name, canonical.empty() ? name : canonical, KafkaPropertyRule::refused, why};
}

/// By name, for the binary search.
constexpr KafkaProperty table[] = {
    allowed("acks"),
    allowed("batch.num.messages"),
    allowed("batch.size"),
    allowed("bootstrap.servers"),
    allowed("broker.address.family"),
    allowed("broker.address.ttl"),
    allowed("broker.version.fallback"),
    allowed("client.id"),
    allowed("client.rack"),
    allowed("compression.codec", "compression.type"),
    allowed("compression.level"),
    allowed("compression.type"),
    allowed("connections.max.idle.ms"),
    allowed("debug"),
    refused("delivery.report.only.error", dispatcher_needs_it),
    refused("delivery.timeout.ms", has_own_timeout, "message.timeout.ms"),
    refused("enable.gapless.guarantee", dispatcher_needs_it),
    allowed("enable.idempotence"),
    refused("enable.ssl.certificate.verification", always_verified),
    allowed("linger.ms"),
    refused("log.queue", dispatcher_needs_it),
    allowed("log_level"),
    allowed("max.in.flight", "max.in.flight.requests.per.connection"),
    allowed("max.in.flight.requests.per.connection"),
    allowed("message.copy.max.bytes"),
    allowed("message.max.bytes"),
    allowed("message.send.max.retries"),
    refused("message.timeout.ms", has_own_timeout),
    allowed("metadata.max.age.ms"),
    allowed("metadata.recovery.strategy"),
    allowed("partitioner"),
    refused("plugin.library.paths", loads_code),
    refused("produce.offset.report", dispatcher_needs_it),
    allowed("queue.buffering.backpressure.threshold"),
    allowed("queue.buffering.max.kbytes"),
    allowed("queue.buffering.max.messages"),
    allowed("queue.buffering.max.ms", "linger.ms"),
    allowed("queuing.strategy"),
    allowed("receive.message.max.bytes"),
    allowed("reconnect.backoff.max.ms"),
    allowed("reconnect.backoff.ms"),
    allowed("request.required.acks", "acks"),
    allowed("request.timeout.ms"),
    allowed("retries", "message.send.max.retries"),
    allowed("retry.backoff.max.ms"),
    allowed("retry.backoff.ms"),
    allowed("sasl.kerberos.keytab"),
    refused("sasl.kerberos.kinit.cmd", "It runs a command."),
    allowed("sasl.kerberos.principal"),
    allowed("sasl.kerberos.service.name"),
    allowed("sasl.mechanism"),
    allowed("sasl.mechanisms", "sasl.mechanism"),
    refused("sasl.oauthbearer.config", "OAUTHBEARER is not supported yet."),
    secret("sasl.password"),
    allowed("sasl.username"),
    allowed("security.protocol"),
    allowed("socket.connection.setup.timeout.ms"),
    allowed("socket.keepalive.enable"),
    allowed("socket.max.fails"),
    allowed("socket.nagle.disable"),
    allowed("socket.receive.buffer.bytes"),
    allowed("socket.send.buffer.bytes"),
    allowed("socket.timeout.ms"),
    allowed("ssl.ca.location"),
    allowed("ssl.ca.pem"),
    allowed("ssl.certificate.location"),
    allowed("ssl.certificate.pem"),
    allowed("ssl.cipher.suites"),
    allowed("ssl.crl.location"),
    allowed("ssl.curves.list"),
    refused("ssl.endpoint.identification.algorithm", always_verified),
    refused("ssl.engine.id", loads_code),
    refused("ssl.engine.location", loads_code),
    allowed("ssl.key.location"),
    secret("ssl.key.password"),
    secret("ssl.key.pem"),
    allowed("ssl.keystore.location"),
    secret("ssl.keystore.password"),
    refused("ssl.providers", loads_code),
    allowed("ssl.sigalgs.list"),
    allowed("statistics.interval.ms"),
    allowed("sticky.partitioning.linger.ms"),
    allowed("topic.metadata.propagation.max.ms"),
    allowed("topic.metadata.refresh.fast.interval.ms"),
    allowed("topic.metadata.refresh.interval.ms"),
    allowed("topic.metadata.refresh.sparse"),
    refused("transactional.id", "Transactions are not supported."),
};

constexpr bool is_before(const KafkaProperty& property, std::string_view name) { return property.name < name; }

}  // namespace

std::span<const KafkaProperty> kafka_properties() noexcept { return table; }

const KafkaProperty* find_kafka_property(std::string_view name) noexcept {
  const auto* const found = std::lower_bound(std::begin(table), std::end(table), name, is_before);
  return found != std::end(table) && found->name == name ? found : nullptr;
}

}  // namespace action_triggers::detail
