// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_properties.hpp"

#include <algorithm>
#include <iterator>

namespace action_triggers::detail {
namespace {

constexpr std::string_view loads_code = "It loads code into the process.";
constexpr std::string_view always_verified =
    "Certificates and host names are always verified; name a private CA in 'ssl_cafile'.";
constexpr std::string_view dispatcher_needs_it = "The dispatcher depends on it.";
constexpr std::string_view has_own_timeout = "Use params.timeout_secs.";
// librdkafka puts the principal and the like, unquoted, into a command that it gives to a shell.
constexpr std::string_view no_kerberos = "Kerberos is not supported.";
constexpr std::string_view all_addresses =
    "All addresses of a host are tried anyway (use_all_dns_ips); the other value is for Kerberos, which is not "
    "supported.";
constexpr std::string_view no_oauth = "OAUTHBEARER is not supported.";
constexpr std::string_view no_transactions = "Transactions are not supported.";
constexpr std::string_view set_in_code = "It has no value that a file could give.";
constexpr std::string_view not_used = "librdkafka does not use it any more.";

constexpr KafkaProperty allowed(std::string_view name, std::string_view canonical = {}) {
  return {name, canonical.empty() ? name : canonical, KafkaPropertyRule::allowed, {}};
}
constexpr KafkaProperty secret(std::string_view name) { return {name, name, KafkaPropertyRule::secret, {}}; }
constexpr KafkaProperty refused(std::string_view name, std::string_view why, std::string_view canonical = {}) {
  return {name, canonical.empty() ? name : canonical, KafkaPropertyRule::refused, why};
}

/// By name, for the binary search.
constexpr KafkaProperty property_table[] = {
    allowed("acks"),
    allowed("allow.auto.create.topics"),
    refused("api.version.fallback.ms", dispatcher_needs_it),
    refused("api.version.request", dispatcher_needs_it),
    allowed("api.version.request.timeout.ms"),
    refused("background_event_cb", set_in_code),
    allowed("batch.num.messages"),
    allowed("batch.size"),
    allowed("bootstrap.servers"),
    allowed("broker.address.family"),
    allowed("broker.address.ttl"),
    allowed("broker.version.fallback"),
    refused("builtin.features", "It describes the library."),
    refused("client.dns.lookup", all_addresses),
    allowed("client.id"),
    allowed("client.rack"),
    refused("closesocket_cb", set_in_code),
    allowed("compression.codec", "compression.type"),
    allowed("compression.level"),
    allowed("compression.type"),
    refused("connect_cb", set_in_code),
    allowed("connections.max.idle.ms"),
    allowed("debug"),
    refused("default_topic_conf", set_in_code),
    refused("delivery.report.only.error", dispatcher_needs_it),
    refused("delivery.timeout.ms", has_own_timeout, "message.timeout.ms"),
    refused("dr_cb", set_in_code),
    refused("dr_msg_cb", set_in_code),
    refused("enable.gapless.guarantee", dispatcher_needs_it),
    allowed("enable.idempotence"),
    allowed("enable.metrics.push"),
    refused("enable.random.seed", dispatcher_needs_it),
    refused("enable.sasl.oauthbearer.unsecure.jwt", no_oauth),
    refused("enable.ssl.certificate.verification", always_verified),
    refused("enabled_events", dispatcher_needs_it),
    refused("error_cb", set_in_code),
    refused("https.ca.location", no_oauth),
    refused("https.ca.pem", no_oauth),
    refused("interceptors", set_in_code),
    refused("internal.termination.signal", dispatcher_needs_it),
    allowed("linger.ms"),
    allowed("log.connection.close"),
    refused("log.queue", dispatcher_needs_it),
    allowed("log.thread.name"),
    refused("log_cb", set_in_code),
    allowed("log_level"),
    allowed("max.in.flight", "max.in.flight.requests.per.connection"),
    allowed("max.in.flight.requests.per.connection"),
    allowed("message.copy.max.bytes"),
    allowed("message.max.bytes"),
    allowed("message.send.max.retries"),
    refused("message.timeout.ms", has_own_timeout),
    refused("metadata.broker.list", "Use bootstrap_servers."),
    allowed("metadata.max.age.ms"),
    allowed("metadata.recovery.rebootstrap.trigger.ms"),
    allowed("metadata.recovery.strategy"),
    refused("msg_order_cmp", set_in_code),
    refused("oauthbearer_token_refresh_cb", set_in_code),
    refused("opaque", set_in_code),
    refused("open_cb", set_in_code),
    allowed("partitioner"),
    refused("partitioner_cb", set_in_code),
    refused("plugin.library.paths", loads_code),
    refused("produce.offset.report", dispatcher_needs_it),
    allowed("queue.buffering.backpressure.threshold"),
    allowed("queue.buffering.max.kbytes"),
    allowed("queue.buffering.max.messages"),
    allowed("queue.buffering.max.ms", "linger.ms"),
    allowed("queuing.strategy"),
    allowed("receive.message.max.bytes"),
    refused("reconnect.backoff.jitter.ms", not_used),
    allowed("reconnect.backoff.max.ms"),
    allowed("reconnect.backoff.ms"),
    allowed("request.required.acks", "acks"),
    allowed("request.timeout.ms"),
    refused("resolve_cb", set_in_code),
    allowed("retries", "message.send.max.retries"),
    allowed("retry.backoff.max.ms"),
    allowed("retry.backoff.ms"),
    refused("sasl.kerberos.keytab", no_kerberos),
    refused("sasl.kerberos.kinit.cmd", no_kerberos),
    refused("sasl.kerberos.min.time.before.relogin", no_kerberos),
    refused("sasl.kerberos.principal", no_kerberos),
    refused("sasl.kerberos.service.name", no_kerberos),
    allowed("sasl.mechanism"),
    allowed("sasl.mechanisms", "sasl.mechanism"),
    refused("sasl.oauthbearer.assertion.algorithm", no_oauth),
    refused("sasl.oauthbearer.assertion.claim.aud", no_oauth),
    refused("sasl.oauthbearer.assertion.claim.exp.seconds", no_oauth),
    refused("sasl.oauthbearer.assertion.claim.iss", no_oauth),
    refused("sasl.oauthbearer.assertion.claim.jti.include", no_oauth),
    refused("sasl.oauthbearer.assertion.claim.nbf.seconds", no_oauth),
    refused("sasl.oauthbearer.assertion.claim.sub", no_oauth),
    refused("sasl.oauthbearer.assertion.file", no_oauth),
    refused("sasl.oauthbearer.assertion.jwt.template.file", no_oauth),
    refused("sasl.oauthbearer.assertion.private.key.file", no_oauth),
    refused("sasl.oauthbearer.assertion.private.key.passphrase", no_oauth),
    refused("sasl.oauthbearer.assertion.private.key.pem", no_oauth),
    refused("sasl.oauthbearer.client.credentials.client.id", no_oauth),
    refused("sasl.oauthbearer.client.credentials.client.secret", no_oauth),
    refused("sasl.oauthbearer.client.id", no_oauth),
    refused("sasl.oauthbearer.client.secret", no_oauth),
    refused("sasl.oauthbearer.config", no_oauth),
    refused("sasl.oauthbearer.extensions", no_oauth),
    refused("sasl.oauthbearer.grant.type", no_oauth),
    refused("sasl.oauthbearer.metadata.authentication.type", no_oauth),
    refused("sasl.oauthbearer.method", no_oauth),
    refused("sasl.oauthbearer.scope", no_oauth),
    refused("sasl.oauthbearer.sub.claim.name", no_oauth),
    refused("sasl.oauthbearer.token.endpoint.url", no_oauth),
    secret("sasl.password"),
    allowed("sasl.username"),
    allowed("security.protocol"),
    refused("socket.blocking.max.ms", not_used),
    allowed("socket.connection.setup.timeout.ms"),
    allowed("socket.keepalive.enable"),
    allowed("socket.max.fails"),
    allowed("socket.nagle.disable"),
    allowed("socket.receive.buffer.bytes"),
    allowed("socket.send.buffer.bytes"),
    allowed("socket.timeout.ms"),
    refused("socket_cb", set_in_code),
    refused("ssl.ca.certificate.stores", "It exists on Windows only."),
    allowed("ssl.ca.location"),
    allowed("ssl.ca.pem"),
    allowed("ssl.certificate.location"),
    allowed("ssl.certificate.pem"),
    refused("ssl.certificate.verify_cb", set_in_code),
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
    refused("ssl_ca", set_in_code),
    refused("ssl_certificate", set_in_code),
    refused("ssl_engine_callback_data", set_in_code),
    refused("ssl_key", set_in_code),
    allowed("statistics.interval.ms"),
    refused("stats_cb", set_in_code),
    allowed("sticky.partitioning.linger.ms"),
    refused("throttle_cb", set_in_code),
    refused("topic.blacklist", dispatcher_needs_it),
    allowed("topic.metadata.propagation.max.ms"),
    refused("topic.metadata.refresh.fast.cnt", not_used),
    allowed("topic.metadata.refresh.fast.interval.ms"),
    allowed("topic.metadata.refresh.interval.ms"),
    allowed("topic.metadata.refresh.sparse"),
    refused("transaction.timeout.ms", no_transactions),
    refused("transactional.id", no_transactions),
};

/// What other clients call things that are not librdkafka's properties, with dots.
struct ForeignKey {
  std::string_view name;
  std::string_view advice;
};
constexpr std::string_view servers = "Did you mean 'bootstrap_servers'?";
constexpr std::string_view consumers = "It is a consumer's.";
constexpr std::string_view sent_as_they_are = "Bodies and keys are sent as they are.";
constexpr std::string_view always_modern = "TLS 1.2 or newer is used, always.";
constexpr std::string_view pem_authorities = "Name a PEM file of the authorities to trust in 'ssl_cafile'.";
constexpr ForeignKey foreign_keys[] = {
    {"auto.offset.reset", consumers},
    {"brokers", servers},
    {"buffer.memory", "Use params.max_queued_bytes."},
    {"enable.auto.commit", consumers},
    {"group.id", consumers},
    {"host", servers},
    {"hosts", servers},
    {"interceptor.classes", loads_code},
    {"key.serializer", sent_as_they_are},
    {"max.block.ms", "Use params.max_block_ms."},
    {"max.request.size", "Did you mean 'max_request_size'?"},
    {"partitioner.class", "Did you mean 'partitioner'?"},
    {"password", "Did you mean 'sasl_plain_password'?"},
    {"receive.buffer.bytes", "Did you mean 'socket.receive.buffer.bytes'?"},
    {"sasl.jaas.config", "Use 'sasl_plain_username' and 'sasl_plain_password'."},
    {"sasl.kerberos.domain.name", no_kerberos},
    {"sasl.kerberos.name", no_kerberos},
    {"sasl.oauth.token.provider", no_oauth},
    {"send.buffer.bytes", "Did you mean 'socket.send.buffer.bytes'?"},
    {"servers", servers},
    {"ssl", "Use \"security_protocol\": \"SSL\"."},
    {"ssl.check.hostname", always_verified},
    {"ssl.ciphers", "Did you mean 'ssl.cipher.suites'?"},
    {"ssl.context", set_in_code},
    {"ssl.crlfile", "Did you mean 'ssl.crl.location'?"},
    {"ssl.enabled.protocols", always_modern},
    {"ssl.protocol", always_modern},
    {"ssl.truststore.certificates", pem_authorities},
    {"ssl.truststore.location", pem_authorities},
    {"ssl.truststore.password", pem_authorities},
    {"timeout", has_own_timeout},
    {"timeout.secs", has_own_timeout},
    {"topic", "It belongs to params."},
    {"user", "Did you mean 'sasl_plain_username'?"},
    {"username", "Did you mean 'sasl_plain_username'?"},
    {"value.serializer", sent_as_they_are},
};

constexpr bool is_before(const KafkaProperty& property, std::string_view name) { return property.name < name; }

}  // namespace

std::span<const KafkaProperty> kafka_properties() noexcept { return property_table; }

const KafkaProperty* find_kafka_property(std::string_view name) noexcept {
  const auto* const found = std::lower_bound(std::begin(property_table), std::end(property_table), name, is_before);
  return found != std::end(property_table) && found->name == name ? found : nullptr;
}

std::string advice_on_foreign_key(std::string_view key) {
  std::string dotted(key);
  std::replace(dotted.begin(), dotted.end(), '_', '.');
  const auto* const found = std::find_if(std::begin(foreign_keys), std::end(foreign_keys),
                                         [&](const ForeignKey& foreign) { return foreign.name == dotted; });
  if (found != std::end(foreign_keys)) return std::string(found->advice);
  const KafkaProperty* property = find_kafka_property(dotted);
  if (property == nullptr) return {};
  return property->rule == KafkaPropertyRule::refused ? std::string(property->why) : "Did you mean '" + dotted + "'?";
}

}  // namespace action_triggers::detail
