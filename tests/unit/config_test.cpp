// What a correct configuration becomes, and how errors are told. Malformed ones: config_problems_test.cpp.
#include "action_triggers/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/kafka.hpp"
#include "action_triggers/memory.hpp"
#include "action_triggers/rabbitmq.hpp"

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

/// The only broker of a configuration, of type memory with these params.
Config memory_with(const std::string& params, const std::string& settings = "{}") {
  return parse_config(R"({"brokers": {"b": {"broker_type": "memory", "params": )" + params + R"(}}, "settings": )" +
                      settings + "}");
}
[[maybe_unused]] Config rabbit_with(const std::string& conn_details, const ConfigOptions& options = {}) {
  return parse_config(R"({"brokers": {"b": {"broker_type": "rabbitmq", "conn_details": )" + conn_details +
                          R"(, "params": {"queue": "q"}}}})",
                      BrokerRegistry::builtin(), options);
}
[[maybe_unused]] Config kafka_with(const std::string& conn_details) {
  return parse_config(R"({"brokers": {"b": {"broker_type": "kafka", "conn_details": )" + conn_details +
                      R"(, "params": {"topic": "t"}}}})");
}
std::vector<std::string> texts_of(const ConfigError& error) {
  std::vector<std::string> texts;
  for (const ConfigProblem& problem : error.problems()) texts.push_back(problem.text);
  return texts;
}
/// The texts of everything that is wrong; empty if nothing is.
template <class Parse>
std::vector<std::string> problems_of(Parse parse) {
  try {
    static_cast<void>(parse());
  } catch (const ConfigError& error) {
    return texts_of(error);
  }
  return {};
}

class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() { ::unsetenv(name_); }

 private:
  const char* name_;
};

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content) {
    std::string name = (std::filesystem::temp_directory_path() / "action_triggers_XXXXXX").string();
    const int descriptor = ::mkstemp(name.data());
    if (descriptor < 0) throw std::runtime_error("no temporary file");
    ::close(descriptor);
    path = name;
    std::ofstream(path, std::ios::binary) << content;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove(path); }

  std::filesystem::path path;
};

// ------------------------------------------------------------------------------------------------ the reference's
// shape

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

TEST(ConfigTest, TheMapMayBeSpelledThreeWays) {
  for (const char* text : {R"({"brokers": {"b": {"broker_type": "memory"}}})",
                           R"({"ACTION_TRIGGERS": {"brokers": {"b": {"broker_type": "memory"}}}})",
                           R"({"ACTION_BROKERS": {"b": {"broker_type": "memory"}}})"}) {
    EXPECT_NE(parse_config(text).find_as<MemoryConfig>("b"), nullptr) << text;
  }
  const Config together = parse_config(R"({"brokers": {"a": {"broker_type": "memory"}},
    "ACTION_TRIGGERS": {"brokers": {"b": {"broker_type": "memory"}}, "settings": {"MAX_BROKER_TIMEOUT": 2}},
    "ACTION_BROKERS": {"c": {"broker_type": "memory"}}})");
  EXPECT_THAT(together.brokers, SizeIs(3));
  EXPECT_EQ(together.find("c")->timeout, 2s);
  EXPECT_EQ(together.find("d"), nullptr);
}

TEST(ConfigTest, CommentsOfThreeKinds) {
  const Config config = parse_config(R"(# one
{ // two
  "brokers": { /* three
   { */ "b": {"broker_type": "memory", "conn_details": {"server": "a # b // c /* d */ \" // e"}} # four
}})");
  EXPECT_EQ(config.find_as<MemoryConfig>("b")->server, "a # b // c /* d */ \" // e");
}

TEST(ConfigTest, ByteOrderMarkAndLineEndsOfWindows) {
  EXPECT_NE(parse_config("\xEF\xBB\xBF{\r\n\"brokers\": {\"b\": {\"broker_type\": \"memory\"}}\r\n}").find("b"),
            nullptr);
}

TEST(ConfigTest, BrokerTypeIgnoresCase) {
  EXPECT_EQ(parse_config(R"({"brokers": {"b": {"broker_type": "MeMoRy"}}})").find("b")->broker_type, "memory");
}

TEST(ConfigTest, NullSectionsAreEmpty) {
  const Config config =
      parse_config(R"({"brokers": {"b": {"broker_type": "memory", "conn_details": null, "params": null}}})");
  EXPECT_EQ(config.find_as<MemoryConfig>("b")->server, "default");
}

TEST(ConfigTest, NoBrokersAtAllIsAConfiguration) { EXPECT_THAT(parse_config(R"({"brokers": {}})").brokers, IsEmpty()); }

TEST(ConfigTest, NamesAreWhateverJsonCanHold) {
  EXPECT_NE(parse_config(R"({"brokers": {"a/b~c é \" ": {"broker_type": "memory"}}})").find("a/b~c é \" "), nullptr);
}

// -------------------------------------------------------------------------------------------------------- common
// params

TEST(ConfigTest, CommonParamsAreRead) {
  const Config config = memory_with(R"({"timeout_secs": 1.5, "max_in_flight": 7, "max_queued_messages": 8,
    "max_queued_bytes": 9, "overflow": "block", "max_block_ms": 10,
    "retry": {"max_attempts": 3, "initial_backoff_ms": 4, "max_backoff_ms": 5}})");
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
  EXPECT_EQ(memory_with(R"({"overflow": "drop_oldest"})").find("b")->overflow, Overflow::drop_oldest);
}

TEST(ConfigTest, TheSmallerTimeoutCountsAndZeroIsLegal) {
  const auto timeout = [](const std::string& params, const std::string& settings) {
    return memory_with(params, settings).find("b")->timeout;
  };
  EXPECT_EQ(timeout("{}", "{}"), 30s);
  EXPECT_EQ(timeout(R"({"timeout_secs": 90})", "{}"), 90s);
  EXPECT_EQ(timeout("{}", R"({"max_broker_timeout": 60})"), 60s);
  EXPECT_EQ(timeout(R"({"timeout_secs": 90})", R"({"max_broker_timeout": 60})"), 60s);
  EXPECT_EQ(timeout(R"({"timeout_secs": 5})", R"({"max_broker_timeout": 60})"), 5s);
  EXPECT_EQ(timeout(R"({"timeout_secs": 0})", R"({"max_broker_timeout": 60})"), 0s);
  EXPECT_EQ(timeout(R"({"timeout_secs": 5})", R"({"max_broker_timeout": 0})"), 0s);
}

// ---------------------------------------------------------------------------------------------------------- RabbitMQ

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
  EXPECT_THAT(quorum->declare->integer_arguments, ElementsAre(Pair("x-max-length", 5)));
  EXPECT_THAT(quorum->declare->string_arguments, ElementsAre(Pair("x-overflow", "reject-publish")));
  EXPECT_THAT(quorum->declare->boolean_arguments, ElementsAre(Pair("x-single-active-consumer", true)));
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

TEST(ConfigTest, PlaintextToARemoteHostIsAWarningOrAnErrorWhereTlsIsRequired) {
  const Config config = rabbit_with(R"({"host": "mq.example.org"})");
  ASSERT_THAT(config.warnings, SizeIs(1));
  EXPECT_THAT(config.warnings[0].text, HasSubstr("mq.example.org"));
  const std::string text = R"({"settings": {"require_tls": true}, "brokers": {"b": {"broker_type": "rabbitmq",
                               "conn_details": {"host": "mq.example.org"}, "params": {"queue": "q"}}}})";
  EXPECT_THAT(problems_of([&] { return parse_config(text); }), ElementsAre(config.warnings[0].text));
}
#endif

// -------------------------------------------------------------------------------------------------------------- Kafka

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

// ------------------------------------------------------------------------------------------------------- substitution

/// conn_details.server of a memory broker, substituted.
std::string server_of(const std::string& value, const ConfigOptions& options = {}) {
  return parse_config(R"({"brokers": {"b": {"broker_type": "memory", "conn_details": {"server": )" +
                          nlohmann::json(value).dump() + "}}}}",
                      BrokerRegistry::builtin(), options)
      .find_as<MemoryConfig>("b")
      ->server;
}

TEST(ConfigSubstitutionTest, EnvironmentAndDefaults) {
  const Environment set("ACTION_TRIGGERS_TEST_SET", "value");
  const Environment empty("ACTION_TRIGGERS_TEST_EMPTY", "");
  EXPECT_EQ(server_of("${ACTION_TRIGGERS_TEST_SET}"), "value");
  EXPECT_EQ(server_of("a-${ACTION_TRIGGERS_TEST_SET}-${ACTION_TRIGGERS_TEST_SET}-b"), "a-value-value-b");
  EXPECT_EQ(server_of("${ACTION_TRIGGERS_TEST_SET:-other}"), "value");
  EXPECT_EQ(server_of("${ACTION_TRIGGERS_TEST_EMPTY:-other}"), "other");
  EXPECT_EQ(server_of("${ACTION_TRIGGERS_TEST_MISSING:-a default}"), "a default");
  EXPECT_EQ(server_of("$${HOME} costs 5$"), "${HOME} costs 5$");
  EXPECT_THAT(problems_of([] { return server_of("${ACTION_TRIGGERS_TEST_MISSING}"); }),
              ElementsAre("The environment variable 'ACTION_TRIGGERS_TEST_MISSING' is not set; set it, or write "
                          "${ACTION_TRIGGERS_TEST_MISSING:-default}."));
}

TEST(ConfigSubstitutionTest, HappensAfterParsingAndOnce) {
  // What a variable holds is a value: it cannot add keys, comments or further placeholders.
  const Environment hostile("ACTION_TRIGGERS_TEST_SET", R"(x", "other": "${HOME} {{ y }} // )");
  EXPECT_EQ(server_of("${ACTION_TRIGGERS_TEST_SET}"), R"(x", "other": "${HOME} {{ y }} // )");
}

TEST(ConfigSubstitutionTest, Files) {
  const TemporaryFile secret("s3cret\n");
  EXPECT_EQ(server_of("${file:" + secret.path.string() + "}"), "s3cret");  // without the line end that editors add
  EXPECT_THAT(problems_of([] { return server_of("${file:/nonexistent/secret}"); }),
              ElementsAre("The file '/nonexistent/secret' cannot be read."));
}

TEST(ConfigSubstitutionTest, ResolversOfTheApplication) {
  ConfigOptions options;
  options.resolvers["vault"] = [](std::string_view path) -> std::optional<std::string> {
    if (path == "broken") throw std::runtime_error("the vault is sealed");
    if (path != "mq/password") return std::nullopt;
    return "s3cret";
  };
  EXPECT_EQ(server_of("${vault:mq/password}", options), "s3cret");
  EXPECT_THAT(problems_of([&] { return server_of("${vault:other}", options); }),
              ElementsAre("The resolver 'vault' knows nothing of 'other'."));
  EXPECT_THAT(problems_of([&] { return server_of("${vault:broken}", options); }),
              ElementsAre("The resolver 'vault' failed: the vault is sealed"));
  EXPECT_THAT(problems_of([&] { return server_of("${safe:x}", options); }),
              ElementsAre("There is no resolver 'safe'. Known resolvers: file, vault."));
}

TEST(ConfigSubstitutionTest, NamesOfTheReference) {
  ConfigOptions options;
  options.names["app.settings.host"] = [] { return "h"; };
  options.names["n"] = [] { return "{{ n }}"; };
  EXPECT_EQ(server_of("{{ app.settings.host }}", options), "h");
  EXPECT_EQ(server_of("{{app.settings.host}}-{{  app.settings.host  }}!", options), "h-h!");
  EXPECT_EQ(server_of("{{ n }}", options), "{{ n }}");
  EXPECT_EQ(server_of("{{ not closed", options), "{{ not closed");
  EXPECT_THAT(problems_of([&] { return server_of("{{ os.system }}", options); }),
              ElementsAre("Path 'os.system' not allowed."));
}

TEST(ConfigSubstitutionTest, ReachesNestedValuesButNotKeysNorNamesInLists) {
  BrokerRegistry registry = BrokerRegistry::builtin();
  registry.add("mine", [](const BrokerConfig&) { return std::unique_ptr<Broker>(); });
  ConfigOptions options;
  options.names["n"] = [] { return "v"; };
  const Environment set("ACTION_TRIGGERS_TEST_SET", "e");
  const Config config = parse_config(R"({"brokers": {"b": {"broker_type": "mine", "params":
      {"{{ n }}": "{{ n }}", "deep": {"er": "{{ n }}"}, "list": ["{{ n }}", "${ACTION_TRIGGERS_TEST_SET}"]}}}})",
                                     registry, options);
  const auto* broker = config.find_as<GenericConfig>("b");
  ASSERT_NE(broker, nullptr);
  EXPECT_THAT(broker->params,
              ElementsAre(Pair("deep.er", "v"), Pair("list", R"(["{{ n }}","e"])"), Pair("{{ n }}", "v")));
}

TEST(ConfigSubstitutionTest, NumbersMayComeFromTheEnvironment) {
  const Environment port("ACTION_TRIGGERS_TEST_SET", "12");
  EXPECT_EQ(memory_with(R"({"timeout_secs": "${ACTION_TRIGGERS_TEST_SET}"})").find("b")->timeout, 12s);
  EXPECT_THAT(problems_of([] { return memory_with(R"({"timeout_secs": "12"})"); }), SizeIs(1));
}

// ----------------------------------------------------------------------------------------------------- shared
// connections

TEST(ConfigTest, EqualConnDetailsAreOneConnectionHoweverTheyAreWritten) {
  const Environment server("ACTION_TRIGGERS_TEST_SET", "s");
  const Config config = parse_config(R"({"brokers": {
    "a": {"broker_type": "memory", "conn_details": {"server": "s"}, "params": {"timeout_secs": 1}},
    "b": {"broker_type": "Memory", "conn_details": { "server" : "${ACTION_TRIGGERS_TEST_SET}" }},
    "c": {"broker_type": "memory", "conn_details": {"server": "t"}}}})");
  EXPECT_EQ(config.find("a")->connection_key, config.find("b")->connection_key);
  EXPECT_NE(config.find("a")->connection_key, config.find("c")->connection_key);
}

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

// ---------------------------------------------------------------------------------------------------------- own types

struct PigeonConfig : BrokerConfig {
  std::string loft;
  std::int64_t birds = 0;
};

TEST(ConfigTest, AnApplicationsTypeReadsItsOwnSections) {
  BrokerRegistry registry = BrokerRegistry::builtin();
  registry.add(
      "Pigeon",
      [](BrokerSection& section) {
        auto config = std::make_unique<PigeonConfig>();
        config->loft = section.conn_details.required_string("loft");
        config->birds = section.params.integer("birds", 1, 9).value_or(1);
        return config;
      },
      [](const BrokerConfig&) { return std::unique_ptr<Broker>(); });
  const std::string head = R"({"brokers": {"p": {"broker_type": "PIGEON", "conn_details": )";
  const Config config =
      parse_config(head + R"({"loft": "roof"}, "params": {"birds": 3, "timeout_secs": 7}}}})", registry);
  const auto* pigeon = config.find_as<PigeonConfig>("p");
  ASSERT_NE(pigeon, nullptr);
  EXPECT_EQ(pigeon->loft, "roof");
  EXPECT_EQ(pigeon->birds, 3);
  EXPECT_EQ(pigeon->timeout, 7s);  // the common keys come for nothing
  EXPECT_THAT(
      problems_of([&] { return parse_config(head + R"({"lofts": "roof"}, "params": {"birds": 10}}}})", registry); }),
      ElementsAre("The field 'loft' must be provided.", "Unknown field 'lofts'. Did you mean 'loft'?",
                  "The field 'birds' must be between 1 and 9, not 10."));
}

TEST(ConfigTest, AParserThatThrowsIsAProblemOfItsBroker) {
  BrokerRegistry registry;
  registry.add(
      "broken", [](BrokerSection&) -> std::unique_ptr<BrokerConfig> { throw std::runtime_error("out of luck"); },
      [](const BrokerConfig&) { return std::unique_ptr<Broker>(); });
  EXPECT_THAT(problems_of([&] { return parse_config(R"({"brokers": {"b": {"broker_type": "broken"}}})", registry); }),
              ElementsAre("The broker's configuration cannot be read: out of luck"));
}

TEST(ConfigTest, ABackendThatIsCompiledOutSaysSo) {
  BrokerRegistry registry = BrokerRegistry::builtin();
  registry.add_unavailable(
      "carrier", [](BrokerSection&) { return std::make_unique<BrokerConfig>(); }, "Built without carriers.");
  const std::string text = R"({"brokers": {"b": {"broker_type": "carrier"}}})";
  EXPECT_THAT(problems_of([&] { return parse_config(text, registry); }), ElementsAre("Built without carriers."));
  registry.add("carrier", [](const BrokerConfig&) { return std::unique_ptr<Broker>(); });  // a double will do
  EXPECT_NE(parse_config(text, registry).find("b"), nullptr);
#if !defined(ACTION_TRIGGERS_WITH_KAFKA)
  EXPECT_THAT(problems_of([] { return kafka_with(R"({"bootstrap_servers": "localhost:9092"})"); }),
              ElementsAre(HasSubstr("ACTION_TRIGGERS_WITH_KAFKA")));
#endif
}

// -------------------------------------------------------------------------------------------------------------- errors

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
              at + "3:36: b.conn_details.server: The field 'server' must be of type str.\n" +              //
                  at + "4:36: b.params.timeout_secs: The field 'timeout_secs' must be of type float.\n" +  //
                  at +
                  "4:58: b.params.max_in_flight: The field 'max_in_flight' must be between 1 and 10000000, not 0.\n" +
                  at + "5:8: c.broker_type: `broker_type` not set for broker c\n" +  //
                  at + "6:2: oops: Unknown field 'oops'. Known: ACTION_BROKERS, ACTION_TRIGGERS, brokers, settings.");
    EXPECT_EQ(nlohmann::json::parse(error.to_json()), nlohmann::json::parse(R"({
      "": {"": {"oops": ["Unknown field 'oops'. Known: ACTION_BROKERS, ACTION_TRIGGERS, brokers, settings."]}},
      "b": {"connection_params": {"server": ["The field 'server' must be of type str."]},
            "params": {"timeout_secs": ["The field 'timeout_secs' must be of type float."],
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
  EXPECT_EQ(what("/nonexistent/brokers.json"), "/nonexistent/brokers.json: The file cannot be read.");
  EXPECT_EQ(what("/tmp"), "/tmp: The file cannot be read.");
  const TemporaryFile large("{\"brokers\": {}}" + std::string(max_config_bytes, ' '));
  EXPECT_THAT(what(large.path), HasSubstr("larger than 1 MiB"));
  const TemporaryFile endless(
      R"({"brokers": {"b": {"broker_type": "memory", "params": {"queue": "${file:/dev/zero}"}}}})");
  EXPECT_THAT(what(endless.path), HasSubstr("The file '/dev/zero' is larger than 1 MiB."));
}

TEST(ConfigErrorTest, AMillionBracketsAreOneProblem) {
  EXPECT_THAT(problems_of([] { return parse_config(std::string(1'000'000, '[')); }),
              ElementsAre("Nested deeper than 64 levels."));
  std::string deep;
  for (int i = 0; i < 150'000; ++i) deep += "{\"a\":";
  EXPECT_THAT(problems_of([&] { return parse_config(deep); }), ElementsAre("Nested deeper than 64 levels."));
}

TEST(ConfigErrorTest, SixtyFourLevelsAreFine) {
  BrokerRegistry registry;
  registry.add("mine", [](const BrokerConfig&) { return std::unique_ptr<Broker>(); });
  const auto text = [](std::size_t lists) {  // params is the fourth level
    return R"({"brokers": {"b": {"broker_type": "mine", "params": {"k": )" + std::string(lists, '[') +
           std::string(lists, ']') + "}}}}";
  };
  EXPECT_THAT(problems_of([&] { return parse_config(text(60), registry); }), IsEmpty());
  EXPECT_THAT(problems_of([&] { return parse_config(text(61), registry); }),
              ElementsAre("Nested deeper than 64 levels."));
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
