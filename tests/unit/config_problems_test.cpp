// SPDX-License-Identifier: MIT
// Malformed configurations, each with exactly what a user is told: where, and what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"

namespace action_triggers {
namespace {

struct Case {
  const char* name;
  std::string text;
  /// "line:column broker.section.key pointer text"
  std::vector<std::string> problems;

  friend void PrintTo(const Case& value, std::ostream* out) { *out << value.name; }
};

std::string rendered(const ConfigProblem& problem) {
  const std::string path = problem.broker + "." + problem.section + "." + problem.key;
  return std::to_string(problem.line) + ":" + std::to_string(problem.column) + " " + path + " " +
         (problem.pointer.empty() ? "-" : problem.pointer) + " " + problem.text;
}

/// One destination "b" in one line: {"brokers":{"b":{"broker_type":"…",…}}}. The broker's object begins at 1:17.
std::string one(const std::string& type, const std::string& rest) {
  return R"({"brokers":{"b":{"broker_type":")" + type + "\"," + rest + "}}}";
}
std::string rabbit(const std::string& conn, const std::string& params = R"("queue":"q")") {
  return one("rabbitmq", "\n\"conn_details\":{" + conn + "},\n\"params\":{" + params + "}");
}
std::string kafka(const std::string& conn, const std::string& params = R"("topic":"t")") {
  const std::string servers = R"("bootstrap_servers":"localhost:9092")";
  return one("kafka",
             "\n\"conn_details\":{" + servers + (conn.empty() ? "" : "," + conn) + "},\n\"params\":{" + params + "}");
}
std::string memory(const std::string& params) { return one("memory", "\n\"params\":{" + params + "}"); }
std::string nested(int levels) {
  std::string text = R"({"brokers":)";
  for (int i = 0; i < levels; ++i) text += "[";
  return text;
}

// In rabbit() and kafka() conn_details begins at 2:16, its first key's value follows; params begins at 3:10.
const std::string missing_map =
    "There is no brokers map. Expected {\"brokers\": {…}}, {\"ACTION_TRIGGERS\": {\"brokers\": {…}}} or "
    "{\"ACTION_BROKERS\": {…}}.";
const std::string in_b = "/brokers/b";

class ConfigProblemsTest : public ::testing::TestWithParam<Case> {};

TEST_P(ConfigProblemsTest, AreAllReportedExactly) {
  std::vector<std::string> found;
  try {
    static_cast<void>(parse_config(GetParam().text));
  } catch (const ConfigError& error) {
    for (const ConfigProblem& problem : error.problems()) found.push_back(rendered(problem));
  }
  EXPECT_EQ(found, GetParam().problems) << GetParam().text;
}

std::vector<Case> cases() {
  std::vector<Case> all{
      // The text itself
      {"Empty", "", {"1:1 .. - The configuration is empty."}},
      {"OnlyComments", "# nothing\n/* here */", {"1:1 .. - The configuration is empty."}},
      {"NotAnObject", "[]", {"1:1 .. - The configuration must be a JSON object with a 'brokers' map."}},
      {"Null", "null", {"1:1 .. - The configuration must be a JSON object with a 'brokers' map."}},
      {"MissingBrace",
       "{\"brokers\": {}",
       {"1:15 .. - Not valid JSON: The file ends, and the '{' of line 1 is not closed."}},
      {"TrailingComma",
       "{\"brokers\": {},\n}",
       {"1:15 .. - Not valid JSON: There is a comma too many before this '}'."}},
      {"SecondValue",
       "{\"brokers\": {}} {}",
       {"1:17 .. - Not valid JSON: Something stands after the end of the configuration."}},
      {"UnendedComment", "{\n  /* \"brokers\": {}}", {"2:3 .. - This comment does not end."}},
      {"DuplicateKey",
       "{\"brokers\": {},\n \"brokers\": {}}",
       {"2:2 .. /brokers The key \"brokers\" stands here twice; it was given first in line 1."}},
      {"DuplicateBroker",
       "{\"brokers\": {\"b\": {\"broker_type\": \"memory\"},\n \"b\": {\"broker_type\": \"memory\"}}}",
       {"2:2 .. /brokers/b The key \"b\" stands here twice; it was given first in line 1."}},
      {"TooDeep",
       nested(64),
       {"1:75 .. "
        "/brokers" +
        [] {
          std::string p;
          for (int i = 0; i < 62; ++i) p += "/0";
          return p;
        }() +
        "/0 Nested deeper than 64 levels."}},
      {"TooLarge",
       "{\"brokers\": {}}" + std::string(max_config_bytes, ' '),
       {"1:1 .. - The configuration is larger than 1 MiB."}},
      // The outer shape
      {"NoBrokersMap", "{}", {"1:1 .. - " + missing_map}},
      {"MisspelledBrokers",
       "{\"broker\": {}}",
       {"1:1 .. - " + missing_map, "1:2 ..broker /broker Unknown field 'broker'. Did you mean 'brokers'?"}},
      {"BrokersIsAList", "{\"brokers\": []}", {"1:13 ..brokers /brokers The field 'brokers' must be of type dict."}},
      {"ActionTriggersIsAString",
       "{\"ACTION_TRIGGERS\": \"x\"}",
       {"1:1 .. - " + missing_map,
        "1:21 ..ACTION_TRIGGERS /ACTION_TRIGGERS The field 'ACTION_TRIGGERS' must be of type dict."}},
      {"UnknownInActionTriggers",
       "{\"ACTION_TRIGGERS\": {\"brokers\": {}, \"setting\": {}}}",
       {"1:37 ..setting /ACTION_TRIGGERS/setting Unknown field 'setting'. Did you mean 'settings'?"}},
      {"NameTwiceAcrossMaps",
       "{\"brokers\": {\"b\": {\"broker_type\": \"memory\"}}, \"ACTION_BROKERS\": {\"b\": {\"broker_type\": "
       "\"memory\"}}}",
       {"1:66 b.. /ACTION_BROKERS/b The broker name 'b' is used twice."}},
      {"EmptyName",
       "{\"brokers\": {\"\": {\"broker_type\": \"memory\"}}}",
       {"1:14 .. /brokers/ A broker needs a name."}},
      {"BrokerIsAString",
       "{\"brokers\": {\"b\": \"memory\"}}",
       {"1:19 b.. /brokers/b A broker must be of type dict, with broker_type, conn_details and params."}},
      {"SettingsIsAList",
       "{\"brokers\": {}, \"settings\": []}",
       {"1:29 ..settings /settings The field 'settings' must be of type dict."}},
      {"UnknownSetting",
       "{\"brokers\": {}, \"settings\": {\"require_tsl\": true}}",
       {"1:45 .settings.require_tsl /settings/require_tsl Unknown field 'require_tsl'. Did you mean 'require_tls'?"}},
      {"NegativeMaxTimeout",
       "{\"brokers\": {}, \"settings\": {\"max_broker_timeout\": -1}}",
       {"1:52 .settings.max_broker_timeout /settings/max_broker_timeout The field 'max_broker_timeout' must be between "
        "0 and 31536000, not -1."}},
      {"RequireTlsIsAString",
       "{\"brokers\": {}, \"settings\": {\"require_tls\": \"yes\"}}",
       {"1:45 .settings.require_tls /settings/require_tls The field 'require_tls' must be of type bool."}},
      // A broker
      {"NoType", "{\"brokers\":{\"b\":{}}}", {"1:17 b..broker_type /brokers/b `broker_type` not set for broker b"}},
      {"NullType",
       "{\"brokers\":{\"b\":{\"broker_type\":null}}}",
       {"1:17 b..broker_type /brokers/b `broker_type` not set for broker b"}},
      {"UnknownType",
       one("redis", "\"params\":{}"),
       {"1:32 b..broker_type /brokers/b/broker_type Invalid `broker_type` provided for broker b: redis. Valid broker "
        "types are: [kafka, memory, rabbitmq]"}},
      {"NumericType",
       "{\"brokers\":{\"b\":{\"broker_type\":5}}}",
       {"1:32 b..broker_type /brokers/b/broker_type The field 'broker_type' must be of type str."}},
      {"UnknownKeyOfABroker",
       one("memory", "\n\"param\":{}"),
       {"2:1 b..param /brokers/b/param Unknown field 'param'. Did you mean 'params'?"}},
      {"ParamsIsAList",
       one("memory", "\n\"params\":[]"),
       {"2:10 b.params. /brokers/b/params The field 'params' must be of type dict."}},
      {"ConnDetailsIsAString",
       one("memory", "\n\"conn_details\":\"x\""),
       {"2:16 b.conn_details. /brokers/b/conn_details The field 'conn_details' must be of type dict."}},
  };
  const auto param = [&](const char* name, const std::string& params, int column, const std::string& key,
                         const std::string& text, const std::string& pointer_key = {}) {
    all.push_back({name,
                   memory(params),
                   {"2:" + std::to_string(column) + " b.params." + key + " " + in_b + "/params" +
                    (pointer_key == "-" ? "" : "/" + (pointer_key.empty() ? key : pointer_key)) + " " + text}});
  };
  // Common keys; params begins at 2:10 and "k":v puts v at 2:10 + 1 + length of "k":
  param("NegativeTimeout", R"("timeout_secs":-1)", 26, "timeout_secs",
        "The field 'timeout_secs' must be between 0 and 31536000, not -1.");
  param("TimeoutIsAString", R"("timeout_secs":"5")", 26, "timeout_secs",
        "The field 'timeout_secs' must be of type float.");
  param("ZeroMessages", R"("max_queued_messages":0)", 33, "max_queued_messages",
        "The field 'max_queued_messages' must be between 1 and 10000000, not 0.");
  param("FractionalMessages", R"("max_queued_messages":1.5)", 33, "max_queued_messages",
        "The field 'max_queued_messages' must be of type int.");
  param("HugeBytes", R"("max_queued_bytes":99999999999999999999)", 30, "max_queued_bytes",
        "The field 'max_queued_bytes' must be of type int.");
  param("ZeroWindow", R"("max_in_flight":0)", 27, "max_in_flight",
        "The field 'max_in_flight' must be between 1 and 10000000, not 0.");
  param("UnknownOverflow", R"("overflow":"drop")", 22, "overflow",
        "The field 'overflow' must be one of 'reject', 'block', 'drop_oldest'.");
  param("BlockWithoutBudget", R"("overflow":"block")", 10, "max_block_ms", "The field 'max_block_ms' must be provided.",
        "-");
  param("BudgetWithoutBlock", R"("max_block_ms":5)", 26, "max_block_ms",
        R"(The field 'max_block_ms' goes with "overflow": "block" only.)");
  param("RetryIsANumber", R"("retry":5)", 19, "retry", "The field 'retry' must be of type dict.");
  param("ZeroAttempts", R"("retry":{"max_attempts":0})", 35, "retry.max_attempts",
        "The field 'max_attempts' must be between 1 and 1000000, not 0.", "retry/max_attempts");
  param("UnknownRetryKey", R"("retry":{"attempts":3})", 31, "retry.attempts",
        "Unknown field 'attempts'. Known: initial_backoff_ms, max_attempts, max_backoff_ms.", "retry/attempts");
  param("BackoffsCrossed", R"("retry":{"initial_backoff_ms":9000})", 41, "retry.initial_backoff_ms",
        "The field 'initial_backoff_ms' (9000) must not be larger than 'max_backoff_ms' (5000).",
        "retry/initial_backoff_ms");
  param("MisspelledParam", R"("timeout_sec":5)", 25, "timeout_sec",
        "Unknown field 'timeout_sec'. Did you mean 'timeout_secs'?");
  param("MissingVariable", R"("overflow":"${AT_NO_SUCH_VARIABLE}")", 22, "overflow",
        "The environment variable 'AT_NO_SUCH_VARIABLE' is not set; set it, or write ${AT_NO_SUCH_VARIABLE:-default}.");

  const auto conn = [&](const char* name, const std::string& details, int column, const std::string& key,
                        const std::string& text, bool at_section = false) {
    all.push_back({name,
                   rabbit(details),
                   {"2:" + std::to_string(column) + " b.conn_details." + key + " " + in_b + "/conn_details" +
                    (at_section ? "" : "/" + key) + " " + text}});
  };
  // RabbitMQ: conn_details begins at 2:16.
  conn("HostIsANumber", R"("host":5)", 24, "host", "The field 'host' must be of type str.");
  conn("EmptyHost", R"("host":"")", 24, "host", "The field 'host' must not be empty.");
  conn("PortZero", R"("port":0)", 24, "port", "The field 'port' must be between 1 and 65535.");
  conn("PortTooLarge", R"("port":"65536")", 24, "port", "The field 'port' must be between 1 and 65535.");
  conn("PortIsAWord", R"("port":"amqp")", 24, "port", "The field 'port' must be of type int.");
  conn("PortIsAList", R"("port":[5672])", 24, "port", "The field 'port' must be of type str.");
  conn("TwoUserNames", R"("username":"a","login":"b")", 40, "login",
       "The field 'login' is another name of 'username'; give one of them.");
  conn("PasswordIsANumber", R"("password":5)", 28, "password", "The field 'password' must be of type str.");
  conn("LongUserName", R"("username":")" + std::string(256, 'u') + "\"", 28, "username",
       "The field 'username' has 256 bytes; AMQP allows 255.");
  conn("HostAndHosts", R"("host":"a","hosts":["localhost"])", 24, "host", "Give 'host' or 'hosts', not both.");
  conn("HostsIsEmpty", R"("hosts":[])", 25, "hosts", "The field 'hosts' must not be empty.");
  conn("HostsHasANumber", R"("hosts":[5])", 25, "hosts", "The field 'hosts' must be of type str or list of str.");
  conn("HostsHasABadPort", R"("hosts":["localhost:x"])", 25, "hosts", "'localhost:x' is not host or host:port.");
  conn("UrlIsHttp", R"("url":"http://localhost")", 23, "url",
       "The field 'url' must be amqp://user:password@host:port/vhost (or amqps://), %-encoded.");
  conn("UrlIsBadlyEncoded", R"("url":"amqp://u:%zz@localhost")", 23, "url",
       "The field 'url' must be amqp://user:password@host:port/vhost (or amqps://), %-encoded.");
  conn("UrlAndPort", R"("url":"amqp://localhost","port":5672)", 49, "port",
       "The field 'port' is part of 'url'; give one of them.");
  conn("NegativeHeartbeat", R"("heartbeat":-1)", 29, "heartbeat",
       "The field 'heartbeat' must be between 0 and 3600, not -1.");
  conn("ZeroConnectTimeout", R"("connect_timeout":0)", 35, "connect_timeout",
       "The field 'connect_timeout' must be between 0.001 and 3600, not 0.");
  conn("UnverifiedTls", R"("no_verify_ssl":true)", 33, "no_verify_ssl",
       "Certificates and host names are always verified.");
  conn("MisspelledHost", R"("hots":"localhost")", 24, "hots", "Unknown field 'hots'. Did you mean 'host'?");
  all.push_back({"CertificateWithoutKey",
                 rabbit(R"("ssl":{"cert_file":"c.pem"})"),
                 {"2:36 b.conn_details.ssl.cert_file /brokers/b/conn_details/ssl/cert_file A client certificate needs "
                  "both 'cert_file' and 'key_file'."}});

  const auto rabbit_param = [&](const char* name, const std::string& params, int column, const std::string& key,
                                const std::string& text, bool at_section = false) {
    all.push_back({name,
                   rabbit("", params),
                   {"3:" + std::to_string(column) + " b.params." + key + " " + in_b + "/params" +
                    (at_section ? "" : "/" + key) + " " + text}});
  };
  rabbit_param("NoQueue", "", 10, "queue", "The field 'queue' must be provided.", true);
  rabbit_param("QueueIsNull", R"("queue":null)", 19, "queue", "The field 'queue' must be provided.");
  rabbit_param("QueueIsANumber", R"("queue":7)", 19, "queue", "The field 'queue' must be of type str.");
  rabbit_param("QueueAndExchange", R"("queue":"q","exchange":"e")", 34, "exchange",
               "Give 'queue' or 'exchange', not both: a queue is reached through the default exchange.");
  rabbit_param("ExchangeWithoutKey", R"("exchange":"e")", 10, "routing_key",
               "The field 'routing_key' must be provided.", true);
  rabbit_param("RoutingKeyWithQueue", R"("queue":"q","routing_key":"k")", 37, "routing_key",
               "The field 'routing_key' goes with 'exchange' only.");
  rabbit_param("DeclareIsAString", R"("queue":"q","declare":"yes")", 33, "declare",
               "The field 'declare' must be of type dict.");
  rabbit_param("PriorityTooLarge", R"("queue":"q","priority":256)", 34, "priority",
               "The field 'priority' must be between 0 and 255, not 256.");
  rabbit_param("NegativeExpiration", R"("queue":"q","expiration_ms":-1)", 39, "expiration_ms",
               "The field 'expiration_ms' must be between 0 and 31536000000, not -1.");
  rabbit_param("MandatoryIsANumber", R"("queue":"q","mandatory":1)", 35, "mandatory",
               "The field 'mandatory' must be of type bool.");

  const auto kafka_conn = [&](const char* name, const std::string& details, int column, const std::string& key,
                              const std::string& text) {
    all.push_back({name,
                   kafka(details),
                   {"2:" + std::to_string(column) + " b.conn_details." + key + " " + in_b + "/conn_details/" + key +
                    " " + text}});
  };
  // Kafka: bootstrap_servers takes the columns 17 to 52, the next key begins at 54.
  kafka_conn("UnknownAcks", R"("acks":"some")", 61, "acks", "The field 'acks' must be one of 'all', -1, 1, 0.");
  kafka_conn("IdempotenceWithoutAcks", R"("acks":1,"enable_idempotence":true)", 61, "acks",
             "The field 'enable_idempotence' needs acks 'all'.");
  kafka_conn("UnknownCompression", R"("compression_type":"rar")", 73, "compression_type",
             "The field 'compression_type' must be one of 'none', 'gzip', 'snappy', 'lz4', 'zstd'.");
  kafka_conn("NegativeLinger", R"("linger_ms":-1)", 66, "linger_ms",
             "The field 'linger_ms' must be between 0 and 900000, not -1.");
  kafka_conn("LoadsCode", R"("plugin.library.paths":"x.so")", 77, "plugin.library.paths",
             "The property 'plugin.library.paths' may not be set. It loads code into the process.");
  kafka_conn("SwitchesVerificationOff", R"("enable.ssl.certificate.verification":false)", 92,
             "enable.ssl.certificate.verification",
             "The property 'enable.ssl.certificate.verification' may not be set. Certificates and host names are "
             "always verified; name a private CA in 'ssl_cafile'.");
  kafka_conn("WeakCiphers", R"("ssl.cipher.suites":"DEFAULT@SECLEVEL=0")", 74, "ssl.cipher.suites",
             "'@SECLEVEL=0' lets broken ciphers and protocols in.");
  kafka_conn("TimeoutOfTheClient", R"("message.timeout.ms":5)", 75, "message.timeout.ms",
             "The property 'message.timeout.ms' may not be set. Use params.timeout_secs.");
  kafka_conn("TwoSpellings", R"("linger_ms":5,"linger.ms":6)", 80, "linger.ms",
             "The property 'linger.ms' is given under another name too; give one of them.");
  kafka_conn("CredentialsInPlain", R"("sasl_plain_username":"u","security_protocol":"PLAINTEXT")", 100,
             "security_protocol", "SASL credentials are given, but 'security_protocol' is PLAINTEXT; use SASL_SSL.");
  all.push_back({"NoServersNoTopic",
                 one("kafka", "\n\"params\":{}"),
                 {"1:17 b.conn_details.bootstrap_servers /brokers/b The field 'bootstrap_servers' must be provided.",
                  "2:10 b.params.topic /brokers/b/params The field 'topic' must be provided."}});
  all.push_back({"BadServers",
                 one("kafka", "\n\"conn_details\":{\"bootstrap_servers\":[\"a:b\"]},\n\"params\":{\"topic\":\"t\"}"),
                 {"2:37 b.conn_details.bootstrap_servers /brokers/b/conn_details/bootstrap_servers 'a:b' is not host "
                  "or host:port."}});
  all.push_back({"TopicWithASpace",
                 kafka("", R"("topic":"a b")"),
                 {"3:19 b.params.topic /brokers/b/params/topic The field 'topic' must have 1 to 249 letters, digits, "
                  "'.', '_' or '-', and not be '.' or '..'."}});
  // Several at once, in every part of one file
  all.push_back(
      {"ManyAtOnce",
       "{\n"
       "  \"settings\": {\"max_broker_timeout\": \"x\"},\n"
       "  \"brokers\": {\n"
       "    \"a\": {\"broker_type\": \"kafak\"},\n"
       "    \"b\": {\"broker_type\": \"RabbitMQ\", \"conn_details\": {\"port\": true, \"prot\": 5672}, \"params\": "
       "{\"queue\": 1}},\n"
       "    \"c\": {\"broker_type\": \"memory\", \"params\": {\"overflow\": \"drop\", \"timeout_secs\": -5}},\n"
       "    \"d\": 5\n"
       "  }\n"
       "}\n",
       {"2:38 .settings.max_broker_timeout /settings/max_broker_timeout The field 'max_broker_timeout' must be of type "
        "float.",
        "4:26 a..broker_type /brokers/a/broker_type Invalid `broker_type` provided for broker a: kafak. Valid broker "
        "types are: [kafka, memory, rabbitmq]",
        "5:63 b.conn_details.port /brokers/b/conn_details/port The field 'port' must be of type int.",
        "5:77 b.conn_details.prot /brokers/b/conn_details/prot Unknown field 'prot'. Did you mean 'port'?",
        "5:104 b.params.queue /brokers/b/params/queue The field 'queue' must be of type str.",
        "6:59 c.params.overflow /brokers/c/params/overflow The field 'overflow' must be one of 'reject', 'block', "
        "'drop_oldest'.",
        "6:83 c.params.timeout_secs /brokers/c/params/timeout_secs The field 'timeout_secs' must be between 0 and "
        "31536000, not -5.",
        "7:10 d.. /brokers/d A broker must be of type dict, with broker_type, conn_details and params."}});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Malformed, ConfigProblemsTest, ::testing::ValuesIn(cases()),
                         [](const auto& subject) { return subject.param.name; });

TEST(ConfigProblems, AreMoreThanSixtyKinds) { EXPECT_GE(cases().size(), 60U); }

}  // namespace
}  // namespace action_triggers
