// SPDX-License-Identifier: MIT
// What correct configurations of each type become, and how errors are told. Malformed ones: config_problems_test.cpp.
#include "action_triggers/config.hpp"
#include "action_triggers/host_port.hpp"
#include "action_triggers/kafka.hpp"
#include "action_triggers/rabbitmq.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "action_triggers/broker_registry.hpp"
#include "unit/config_support.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using tests::Environment;
using tests::memory_with;
using tests::problems_of;
using tests::TemporaryFile;

[[maybe_unused]] Config rabbit_with(const std::string& conn_details, const ConfigOptions& options = {}) {
  return parse_config(R"({"brokers": {"b": {"broker_type": "rabbitmq", "conn_details": )" + conn_details +
                          R"(, "params": {"queue": "q"}}}})",
                      BrokerRegistry::builtin(), options);
}
[[maybe_unused]] Config kafka_with(const std::string& conn_details) {
  return parse_config(R"({"brokers": {"b": {"broker_type": "kafka", "conn_details": )" + conn_details +
                      R"(, "params": {"topic": "t"}}}})");
}
// The reference's shape, and the common params.

#ifdef ACTION_TRIGGERS_WITH_RABBITMQ
TEST(ConfigTest, TheReferencesExampleLoadsUnchanged) {
  // Its comments, its trailing spaces, and its second spelling of the map.
  const Config config = parse_config(R"({"ACTION_BROKERS": {
    "my_rabbit_mq_broker": {
      "broker_type": "rabbitmq",
      "conn_details": {
        "host": "localhost",
        "port": 5672,
        "username": "guest",
        "password": "guest",
        "virtual_host": "/"
      },
      "params": {
        "queue": "my_queue"  # The name of the queue to which messages will be sent
      }
    }
  }})");
  const auto* broker = config.find_as<RabbitMqConfig>("my_rabbit_mq_broker");
  ASSERT_NE(broker, nullptr);
  EXPECT_EQ(broker->name, "my_rabbit_mq_broker");
  EXPECT_EQ(broker->broker_type, "rabbitmq");
  EXPECT_THAT(broker->hosts, ElementsAre(HostPort{"localhost", 5672}));
  EXPECT_EQ(broker->username, "guest");
  EXPECT_EQ(broker->password, Secret("guest"));
  EXPECT_EQ(broker->virtual_host, "/");
  EXPECT_EQ(broker->queue, "my_queue");
  EXPECT_THAT(config.warnings, IsEmpty());
  // What nobody said is safe.
  EXPECT_TRUE(broker->mandatory);
  EXPECT_TRUE(broker->persistent);
  EXPECT_EQ(broker->timeout, 30s);
  EXPECT_EQ(broker->max_in_flight, 1'000U);
  EXPECT_EQ(broker->max_queued_messages, 100'000U);
  EXPECT_EQ(broker->max_queued_bytes, 64U << 20U);
  EXPECT_EQ(broker->overflow, Overflow::reject);
  EXPECT_EQ(broker->retry.initial_backoff, 100ms);
  EXPECT_EQ(broker->retry.max_backoff, 5s);
  EXPECT_EQ(broker->retry.max_attempts, std::nullopt);
}
#endif

TEST(ConfigTest, CommonParamsAreRead) {
  const Config config = memory_with(R"({"timeout_secs": 1.5, "max_in_flight": 7, "max_queued_messages": 8,
    "max_queued_bytes": 9, "overflow": "block", "max_block_ms": 10,
    "retry": {"max_attempts": 3, "initial_backoff_ms": 4, "max_backoff_ms": 5, "on": ["unroutable", "not_found"]}})");
  const BrokerConfig& broker = *config.find("b");
  EXPECT_EQ(broker.timeout, 1500ms);
  EXPECT_EQ(broker.max_in_flight, 7U);
  EXPECT_EQ(broker.max_queued_messages, 8U);
  EXPECT_EQ(broker.max_queued_bytes, 9U);
  EXPECT_EQ(broker.overflow, Overflow::block);
  EXPECT_EQ(broker.max_block, 10ms);
  EXPECT_EQ(broker.retry.max_attempts, 3U);
  EXPECT_EQ(broker.retry.initial_backoff, 4ms);
  EXPECT_EQ(broker.retry.max_backoff, 5ms);
  EXPECT_EQ(broker.retry.on, (std::vector<StatusCode>{StatusCode::unroutable, StatusCode::not_found}));
  EXPECT_EQ(memory_with(R"({"retry": {"on": "unroutable"}})").find("b")->retry.on,
            std::vector<StatusCode>{StatusCode::unroutable});
  EXPECT_EQ(memory_with(R"({"overflow": "drop_oldest"})").find("b")->overflow, Overflow::drop_oldest);
}

// RabbitMQ.

#ifdef ACTION_TRIGGERS_WITH_RABBITMQ
TEST(ConfigTest, RabbitMqPortsAreNumbersOrNumericStrings) {
  const auto hosts = [](const std::string& conn) { return rabbit_with(conn).find_as<RabbitMqConfig>("b")->hosts; };
  EXPECT_THAT(hosts("{}"), ElementsAre(HostPort{"localhost", 5672}));
  EXPECT_THAT(hosts(R"({"port": "5673"})"), ElementsAre(HostPort{"localhost", 5673}));
  EXPECT_THAT(hosts(R"({"port": 5673, "host": "::1"})"), ElementsAre(HostPort{"::1", 5673}));
  EXPECT_THAT(hosts(R"({"ssl": true})"), ElementsAre(HostPort{"localhost", 5671}));
  EXPECT_THAT(hosts(R"({"hosts": ["localhost", "127.0.0.1:1", "[::1]:2"], "port": 3})"),
              ElementsAre(HostPort{"localhost", 3}, HostPort{"127.0.0.1", 1}, HostPort{"::1", 2}));
}

TEST(ConfigTest, RabbitMqAliasesOfTheReference) {
  const Config config = rabbit_with(R"({"login": "u", "password": "p", "virtualhost": "v"})");
  const auto* broker = config.find_as<RabbitMqConfig>("b");
  EXPECT_EQ(broker->username, "u");
  EXPECT_EQ(broker->password.reveal(), "p");
  EXPECT_EQ(broker->virtual_host, "v");
}

TEST(ConfigTest, RabbitMqUrls) {
  const auto at = [](const std::string& url) {
    return *rabbit_with("{\"url\": \"" + url + "\"}").find_as<RabbitMqConfig>("b");
  };
  const RabbitMqConfig full = at("amqp://us%40er:p%2Fw:d@127.0.0.1:1234/v%2Fh");
  EXPECT_EQ(full.username, "us@er");
  EXPECT_EQ(full.password.reveal(), "p/w:d");
  EXPECT_THAT(full.hosts, ElementsAre(HostPort{"127.0.0.1", 1234}));
  EXPECT_EQ(full.virtual_host, "v/h");
  EXPECT_FALSE(full.tls);
  EXPECT_EQ(at("amqp://localhost").virtual_host, "/");
  EXPECT_EQ(at("amqp://localhost/").virtual_host, "/");
  EXPECT_EQ(at("amqp://localhost").username, "guest");
  EXPECT_THAT(at("amqps://example.org/v").hosts, ElementsAre(HostPort{"example.org", 5671}));
  EXPECT_TRUE(at("amqps://example.org/v").tls);
}

TEST(ConfigTest, RabbitMqExchangesAndDeclarations) {
  const Config config = parse_config(R"({"brokers": {
    "e": {"broker_type": "rabbitmq", "params": {"exchange": "x", "routing_key": "k", "key_as_routing_key": true}},
    "q": {"broker_type": "rabbitmq", "params": {"queue": "q", "declare": {"type": "quorum",
          "arguments": {"x-max-length": 5, "x-overflow": "reject-publish", "x-single-active-consumer": true}}}},
    "d": {"broker_type": "rabbitmq", "params": {"queue": "q", "declare": true, "mandatory": false, "persistent": false,
          "content_type": "text/plain", "expiration_ms": 5, "priority": 9}}}})");
  const auto* exchange = config.find_as<RabbitMqConfig>("e");
  EXPECT_EQ(exchange->exchange, "x");
  EXPECT_EQ(exchange->routing_key, "k");
  EXPECT_TRUE(exchange->key_as_routing_key);
  EXPECT_FALSE(exchange->declare);
  const auto* quorum = config.find_as<RabbitMqConfig>("q");
  ASSERT_TRUE(quorum->declare);
  EXPECT_TRUE(quorum->declare->durable);
  EXPECT_EQ(quorum->declare->queue_type, "quorum");
  EXPECT_THAT(quorum->declare->arguments,
              ElementsAre(RabbitMqArgument{"x-max-length", {5}}, RabbitMqArgument{"x-overflow", {"reject-publish"}},
                          RabbitMqArgument{"x-single-active-consumer", {true}}));
  const auto* declared = config.find_as<RabbitMqConfig>("d");
  ASSERT_TRUE(declared->declare);
  EXPECT_EQ(*declared->declare, QueueDeclaration());
  EXPECT_FALSE(declared->mandatory);
  EXPECT_FALSE(declared->persistent);
  EXPECT_EQ(declared->content_type, "text/plain");
  EXPECT_EQ(declared->expiration, 5ms);
  EXPECT_EQ(declared->priority, 9);
  ASSERT_THAT(config.warnings, SizeIs(1));  // mandatory: false
  EXPECT_EQ(config.warnings[0].broker, "d");
  EXPECT_EQ(config.warnings[0].key, "mandatory");
}

TEST(ConfigTest, RabbitMqTakesEmptyKeysWhereTheyMeanSomething) {
  const Config config = parse_config(R"({"brokers": {
    "fanout": {"broker_type": "rabbitmq", "params": {"exchange": "x", "routing_key": ""}},
    "dead": {"broker_type": "rabbitmq", "params": {"queue": "q", "declare": {
      "arguments": {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "d", "x-mine": "m"}}}}}})");
  EXPECT_EQ(config.find_as<RabbitMqConfig>("fanout")->routing_key, "");
  EXPECT_THAT(config.find_as<RabbitMqConfig>("dead")->declare->arguments,
              ElementsAre(RabbitMqArgument{"x-dead-letter-exchange", {""}},
                          RabbitMqArgument{"x-dead-letter-routing-key", {"d"}}, RabbitMqArgument{"x-mine", {"m"}}));
}

TEST(ConfigTest, RabbitMqArgumentsMayComeFromVariables) {
  const Environment ttl("ACTION_TRIGGERS_TEST_SET", "60000");
  const Config config = parse_config(R"({"brokers": {"b": {"broker_type": "rabbitmq", "params": {"queue": "q",
    "declare": {"arguments": {"x-message-ttl": "${ACTION_TRIGGERS_TEST_SET}"}}}}}})");
  EXPECT_THAT(config.find_as<RabbitMqConfig>("b")->declare->arguments,
              ElementsAre(RabbitMqArgument{"x-message-ttl", {60000}}));
}

TEST(ConfigTest, AnEmptyVariableIsSaidToBeEmpty) {
  const Environment empty("ACTION_TRIGGERS_TEST_SET", "");
  try {
    static_cast<void>(rabbit_with(R"({"port": "${ACTION_TRIGGERS_TEST_SET}"})"));
    FAIL() << "no ConfigError";
  } catch (const ConfigError& error) {
    ASSERT_THAT(error.problems(), SizeIs(1));
    EXPECT_EQ(error.problems()[0].text, "The field 'port' must be an integer.");
    EXPECT_EQ(error.problems()[0].hint, "It is empty: so is what its placeholder stands for.");
  }
}

TEST(ConfigTest, PlaintextToARemoteHostIsAWarningOrAnErrorWhereTlsIsRequired) {
  const Config config = rabbit_with(R"({"host": "mq.example.org"})");
  ASSERT_THAT(config.warnings, SizeIs(1));
  EXPECT_THAT(config.warnings[0].text, HasSubstr("mq.example.org"));
  const std::string text = R"({"settings": {"require_tls": true}, "brokers": {"b": {"broker_type": "rabbitmq",
                               "conn_details": {"host": "mq.example.org"}, "params": {"queue": "q"}}}})";
  EXPECT_THAT(problems_of([&] { return parse_config(text); }), ElementsAre(config.warnings[0].text));
}
#endif

// Kafka.

#ifdef ACTION_TRIGGERS_WITH_KAFKA
TEST(ConfigTest, KafkaIsSafeUnlessTheFileSaysOtherwise) {
  const Config config = kafka_with(R"({"bootstrap_servers": "localhost:9092"})");
  const auto* broker = config.find_as<KafkaConfig>("b");
  ASSERT_NE(broker, nullptr);
  EXPECT_EQ(broker->topic, "t");
  EXPECT_EQ(broker->message_id_header, "message-id");
  EXPECT_THAT(broker->properties, Contains(Pair("acks", "all")));
  EXPECT_THAT(broker->properties, Contains(Pair("enable.idempotence", "true")));
  EXPECT_THAT(broker->properties, Contains(Pair("socket.nagle.disable", "true")));
  EXPECT_THAT(broker->properties, Contains(Pair("partitioner", "murmur2_random")));
  EXPECT_THAT(broker->properties, Not(Contains(::testing::Key(::testing::StartsWith("sasl.")))));
  EXPECT_THAT(config.warnings, IsEmpty());
}

TEST(ConfigTest, KafkaTakesTheReferencesNamesAndDottedOnes) {
  const Config config = kafka_with(R"({"bootstrap_servers": ["127.0.0.1:1", "localhost:2"], "client_id": "c",
    "acks": "all", "compression_type": "gzip", "linger_ms": 5, "request_timeout_ms": 4000, "enable_idempotence": true,
    "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "sasl_plain_username": "u",
    "sasl_plain_password": "p", "socket.keepalive.enable": true, "metadata.max.age.ms": 900000})");
  const auto* broker = config.find_as<KafkaConfig>("b");
  EXPECT_EQ(broker->bootstrap_servers, "127.0.0.1:1,localhost:2");
  for (const auto& [property, value] : std::map<std::string, std::string>{{"client.id", "c"},
                                                                          {"acks", "all"},
                                                                          {"compression.type", "gzip"},
                                                                          {"linger.ms", "5"},
                                                                          {"request.timeout.ms", "4000"},
                                                                          {"sasl.username", "u"},
                                                                          {"socket.keepalive.enable", "true"},
                                                                          {"metadata.max.age.ms", "900000"}}) {
    EXPECT_THAT(broker->properties, Contains(Pair(property, value)));
  }
  EXPECT_THAT(broker->secret_properties, ElementsAre(Pair("sasl.password", Secret("p"))));
}

TEST(ConfigTest, KafkaOverTlsAllowsNoCipherOfOlderVersions) {
  const Config config = kafka_with(R"({"bootstrap_servers": "localhost:9093", "security_protocol": "SSL"})");
  EXPECT_THAT(config.find_as<KafkaConfig>("b")->properties,
              Contains(Pair("ssl.cipher.suites", "HIGH:!aNULL:!SSLv3:!TLSv1")));
  const Config chosen = kafka_with(
      R"({"bootstrap_servers": "localhost:9093", "security_protocol": "SSL", "ssl.cipher.suites": "DEFAULT"})");
  EXPECT_THAT(chosen.find_as<KafkaConfig>("b")->properties,
              Contains(Pair("ssl.cipher.suites", "DEFAULT:!SSLv3:!TLSv1")));
}

TEST(ConfigTest, KafkaWithoutAcksAllIsWarnedOf) {
  const Config config = kafka_with(R"({"bootstrap_servers": "localhost:9092", "acks": 1})");
  ASSERT_THAT(config.warnings, SizeIs(1));
  EXPECT_EQ(config.warnings[0].key, "acks");
  EXPECT_THAT(config.find_as<KafkaConfig>("b")->properties, Contains(Pair("enable.idempotence", "false")));
}

TEST(ConfigTest, KafkaWithoutAnIdHeader) {
  const auto header = [](const std::string& value) {
    return parse_config(
               R"({"brokers": {"b": {"broker_type": "kafka", "conn_details": {"bootstrap_servers": "localhost"},
                         "params": {"topic": "t", "message_id_header": )" +
               value + "}}}}")
        .find_as<KafkaConfig>("b")
        ->message_id_header;
  };
  EXPECT_EQ(header("null"), std::nullopt);
  EXPECT_EQ(header("\"x\""), "x");
}
#endif

#ifdef ACTION_TRIGGERS_WITH_RABBITMQ
TEST(ConfigTest, DefaultsSpelledOutAreTheSameConnection) {
  const Config config = parse_config(R"({"brokers": {
    "a": {"broker_type": "rabbitmq", "params": {"queue": "a"}},
    "b": {"broker_type": "rabbitmq", "conn_details": {"host": "localhost", "port": "5672", "login": "guest"},
          "params": {"queue": "b"}},
    "c": {"broker_type": "rabbitmq", "conn_details": {"url": "amqp://guest:guest@localhost"}, "params": {"queue": "c"}},
    "d": {"broker_type": "rabbitmq", "conn_details": {"password": "other"}, "params": {"queue": "d"}}}})");
  EXPECT_EQ(config.find("a")->connection_key, config.find("b")->connection_key);
  EXPECT_EQ(config.find("a")->connection_key, config.find("c")->connection_key);
  EXPECT_NE(config.find("a")->connection_key, config.find("d")->connection_key);
}
#endif

// Warnings.

TEST(ConfigTest, WhatIsNoPlaceholderIsAWarning) {
  BrokerRegistry registry;
  registry.add("mine", [](const BrokerConfig&) { return std::unique_ptr<Broker>(); });
  const auto keys = [&](const std::string& params) {
    std::vector<std::string> found;
    const std::string head = R"({"brokers": {"b": {"broker_type": "mine", "params": )";
    for (const ConfigProblem& warning : parse_config(head + params + "}}}", registry).warnings) {
      EXPECT_EQ(warning.text, "This is not substituted; an environment variable is written ${NAME}.");
      found.push_back(warning.key);
    }
    return found;
  };
  EXPECT_THAT(keys(R"({"a": "$QUEUE", "b": "$", "c": "$queue", "d": "$QUEUE-x", "e": "x$QUEUE", "f": "$Q_1"})"),
              ElementsAre("a", "f"));
  const Environment set("ACTION_TRIGGERS_TEST_SET", "$QUEUE");
  EXPECT_THAT(keys(R"({"a": "${ACTION_TRIGGERS_TEST_SET}"})"), IsEmpty());
}

TEST(ConfigTest, NoBrokersAreAWarning) {
  const Config config = parse_config(R"({"brokers": {}})");
  ASSERT_THAT(config.warnings, SizeIs(1));
  EXPECT_EQ(config.warnings[0].text, "No broker is given.");
  EXPECT_EQ(config.warnings[0].column, 13U);
}

// Errors.

TEST(ConfigErrorTest, ReadsLikeACompilersMessagesAndDumpsInTheReferencesShape) {
  const TemporaryFile file(R"({"brokers": {
  "b": {"broker_type": "memory",
        "conn_details": {"server": 5},
        "params": {"timeout_secs": "x", "max_in_flight": 0}},
  "c": {}},
 "oops": 1})");
  try {
    static_cast<void>(load_config(file.path));
    FAIL() << "no ConfigError";
  } catch (const ConfigError& error) {
    const std::string path = file.path.string();
    const std::string at = file.path.string() + ":";
    EXPECT_EQ(error.what(),
              at + "3:36: b.conn_details.server: The field 'server' must be of type str.\n" +         //
                  at + "4:36: b.params.timeout_secs: The field 'timeout_secs' must be a number.\n" +  //
                  at +
                  "4:58: b.params.max_in_flight: The field 'max_in_flight' must be between 1 and 10000000, not 0.\n" +
                  at + "5:8: c.broker_type: `broker_type` not set for broker c\n" +  //
                  at +
                  "6:2: oops: Unknown field 'oops'. Known: ACTION_BROKERS, ACTION_TRIGGERS, brokers, capture, outbox, "
                  "settings, triggers.");
    EXPECT_EQ(nlohmann::json::parse(error.to_json()), nlohmann::json::parse(R"({
      "": {"": {"oops": ["Unknown field 'oops'. Known: ACTION_BROKERS, ACTION_TRIGGERS, brokers, capture, outbox, settings, triggers."]}},
      "b": {"connection_params": {"server": ["The field 'server' must be of type str."]},
            "params": {"timeout_secs": ["The field 'timeout_secs' must be a number."],
                       "max_in_flight": ["The field 'max_in_flight' must be between 1 and 10000000, not 0."]}},
      "c": {"": {"broker_type": ["`broker_type` not set for broker c"]}}})"));
    const ConfigError copy = error;  // NOLINT(performance-unnecessary-copy-initialization): copies share, and stay
    EXPECT_EQ(copy.problems(), error.problems());
  }
}

TEST(ConfigErrorTest, FilesThatCannotBeRead) {
  const auto what = [](const std::filesystem::path& path) -> std::string {
    try {
      static_cast<void>(load_config(path));
    } catch (const ConfigError& error) {
      return error.what();
    }
    return {};
  };
  EXPECT_EQ(what("/nonexistent/brokers.json"),
            "/nonexistent/brokers.json: The file cannot be read: No such file or directory.");
  EXPECT_EQ(what("/tmp"), "/tmp: The file cannot be read: Is a directory.");
  const TemporaryFile large("{\"brokers\": {}}" + std::string(max_config_bytes, ' '));
  EXPECT_THAT(what(large.path), HasSubstr("larger than 1 MiB"));
  const TemporaryFile endless(
      R"({"brokers": {"b": {"broker_type": "memory", "params": {"queue": "${file:/dev/zero}"}}}})");
  EXPECT_THAT(what(endless.path), HasSubstr("The file '/dev/zero' is larger than 1 MiB."));
}

#if defined(ACTION_TRIGGERS_WITH_KAFKA) && defined(ACTION_TRIGGERS_WITH_RABBITMQ)
TEST(ConfigErrorTest, SecretsAreInNoError) {
  // Every value that may be a secret is wrong in every way that comes to mind; none of them is repeated.
  const Environment secret("ACTION_TRIGGERS_TEST_SECRET", "hunter2");
  ConfigOptions options;
  options.resolvers["vault"] = [](std::string_view) { return std::optional<std::string>("hunter2"); };
  options.names["password"] = [] { return "hunter2"; };
  std::size_t errors = 0;
  for (const std::string value : {"\"hunter2\"", "[\"hunter2\"]", "{\"hunter2\": 1}",
                                  "\"${ACTION_TRIGGERS_TEST_SECRET}\"", "\"${vault:x}\"", "\"{{ password }}\""}) {
    for (const std::string key :
         {"sasl_plain_password", "sasl.password", "ssl.key.password", "linger_ms", "acks", "compression_type",
          "security_protocol", "sasl_mechanism", "enable_idempotence", "port", "heartbeat", "ssl", "password"}) {
      const bool is_secret_key = key.find("password") != std::string::npos;
      if (!is_secret_key && value.find('$') == std::string::npos && value.find('{') == std::string::npos) continue;
      if (!is_secret_key && value.starts_with("{")) continue;
      for (const std::string type : {"kafka", "rabbitmq", "memory"}) {
        try {
          static_cast<void>(parse_config(R"({"brokers": {"b": {"broker_type": ")" + type + R"(", "conn_details": {")" +
                                             key + "\": " + value + R"(, "x": 1}, "params": {}}}})",
                                         BrokerRegistry::builtin(), options));
          ADD_FAILURE() << "no error: " << type << " " << key;
        } catch (const ConfigError& error) {
          ++errors;
          EXPECT_THAT(error.what(), Not(HasSubstr("hunter2"))) << type << " " << key << " " << value;
          EXPECT_THAT(error.to_json(), Not(HasSubstr("hunter2"))) << type << " " << key << " " << value;
        }
      }
    }
  }
  EXPECT_GT(errors, 100U);
}
#endif

TEST(SecretTest, PrintsAsStars) {
  std::ostringstream out;
  out << Secret("hunter2") << "|" << Secret();
  EXPECT_EQ(out.str(), "***|");
  EXPECT_EQ(::testing::PrintToString(Secret("hunter2")), "***");
}

}  // namespace
}  // namespace action_triggers
