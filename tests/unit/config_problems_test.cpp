// SPDX-License-Identifier: MIT
// Malformed configurations, each with exactly what a user is told: where, and what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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
         (problem.pointer.empty() ? "-" : problem.pointer) + " " + problem.text +
         (problem.hint.empty() ? "" : " " + problem.hint);
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
const std::string url_shape = "amqp://user:password@host:port/vhost (or amqps://), %-encoded.";

class ConfigProblemsTest : public ::testing::TestWithParam<Case> {};

TEST_P(ConfigProblemsTest, AreAllReportedExactly) {
  RecordProperty("configuration", GetParam().text);  // for tests/cli/schema_test.py
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
      {"BrokersIsAList", "{\"brokers\": []}", {"1:13 ..brokers /brokers The field 'brokers' must be an object."}},
      {"ActionTriggersIsAString",
       "{\"ACTION_TRIGGERS\": \"x\"}",
       {"1:1 .. - " + missing_map,
        "1:21 ..ACTION_TRIGGERS /ACTION_TRIGGERS The field 'ACTION_TRIGGERS' must be an object."}},
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
       {"1:19 b.. /brokers/b A broker must be an object with broker_type, conn_details and params."}},
      {"SettingsIsAList",
       "{\"brokers\": {}, \"settings\": []}",
       {"1:29 ..settings /settings The field 'settings' must be an object."}},
      {"UnknownSetting",
       "{\"brokers\": {}, \"settings\": {\"require_tsl\": true}}",
       {"1:45 .settings.require_tsl /settings/require_tsl Unknown field 'require_tsl'. Did you mean 'require_tls'?"}},
      {"NegativeMaxTimeout",
       "{\"brokers\": {}, \"settings\": {\"max_broker_timeout\": -1}}",
       {"1:52 .settings.max_broker_timeout /settings/max_broker_timeout The field 'max_broker_timeout' must be at "
        "least 0.001 seconds, not -1."}},
      {"RequireTlsIsAString",
       "{\"brokers\": {}, \"settings\": {\"require_tls\": \"yes\"}}",
       {"1:45 .settings.require_tls /settings/require_tls The field 'require_tls' must be true or false."}},
      // A broker
      {"NoType", "{\"brokers\":{\"b\":{}}}", {"1:17 b..broker_type /brokers/b `broker_type` not set for broker b"}},
      {"NullType",
       "{\"brokers\":{\"b\":{\"broker_type\":null}}}",
       {"1:17 b..broker_type /brokers/b `broker_type` not set for broker b"}},
      {"UnknownType",
       one("rediss", "\"params\":{}"),
       {"1:32 b..broker_type /brokers/b/broker_type Invalid `broker_type` provided for broker b: rediss. Valid broker "
        "types are: [kafka, memory, rabbitmq]"}},
      {"NumericType",
       "{\"brokers\":{\"b\":{\"broker_type\":5}}}",
       {"1:32 b..broker_type /brokers/b/broker_type The field 'broker_type' must be of type str."}},
      {"UnknownKeyOfABroker",
       one("memory", "\n\"param\":{}"),
       {"2:1 b..param /brokers/b/param Unknown field 'param'. Did you mean 'params'?"}},
      {"ParamsIsAList",
       one("memory", "\n\"params\":[]"),
       {"2:10 b.params. /brokers/b/params The field 'params' must be an object."}},
      {"ConnDetailsIsAString",
       one("memory", "\n\"conn_details\":\"x\""),
       {"2:16 b.conn_details. /brokers/b/conn_details The field 'conn_details' must be an object."}},
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
        "The field 'timeout_secs' must be at least 0.001 seconds, not -1.");
  param("TimeoutIsAString", R"("timeout_secs":"5s")", 26, "timeout_secs", "The field 'timeout_secs' must be a number.");
  param("ZeroMessages", R"("max_queued_messages":0)", 33, "max_queued_messages",
        "The field 'max_queued_messages' must be between 1 and 10000000, not 0.");
  param("FractionalMessages", R"("max_queued_messages":1.5)", 33, "max_queued_messages",
        "The field 'max_queued_messages' must be an integer.");
  param("HugeBytes", R"("max_queued_bytes":99999999999999999999)", 30, "max_queued_bytes",
        "The field 'max_queued_bytes' must be an integer.");
  param("ZeroWindow", R"("max_in_flight":0)", 27, "max_in_flight",
        "The field 'max_in_flight' must be between 1 and 10000000, not 0.");
  param("UnknownOverflow", R"("overflow":"drop")", 22, "overflow",
        "The field 'overflow' must be one of 'reject', 'block', 'drop_oldest'.");
  param("BlockWithoutBudget", R"("overflow":"block")", 10, "max_block_ms", "The field 'max_block_ms' must be provided.",
        "-");
  param("BudgetWithoutBlock", R"("max_block_ms":5)", 26, "max_block_ms",
        R"(The field 'max_block_ms' goes with "overflow": "block" only.)");
  param("RetryIsANumber", R"("retry":5)", 19, "retry", "The field 'retry' must be an object.");
  param("ZeroAttempts", R"("retry":{"max_attempts":0})", 35, "retry.max_attempts",
        "The field 'max_attempts' must be between 1 and 1000000, not 0.", "retry/max_attempts");
  param("UnknownRetryKey", R"("retry":{"attempts":3})", 31, "retry.attempts",
        "Unknown field 'attempts'. Did you mean 'max_attempts'?", "retry/attempts");
  param("RetryOnAPermanentStatus", R"("retry":{"on":["unroutable","too_large"]})", 25, "retry.on",
        "The field 'on' must have some of 'not_found', 'unroutable', 'unauthenticated', 'permission_denied'.",
        "retry/on");
  param("RetryOnWhatIsAlwaysRetried", R"("retry":{"on":"rejected"})", 25, "retry.on",
        "The field 'on' need not have 'rejected': it is always retried.", "retry/on");
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
  conn("PortZero", R"("port":0)", 24, "port", "The field 'port' must be between 1 and 65535, not 0.");
  conn("PortTooLarge", R"("port":"65536")", 24, "port", "The field 'port' must be between 1 and 65535, not 65536.");
  conn("PortIsAWord", R"("port":"amqp")", 24, "port", "The field 'port' must be an integer.");
  conn("PortIsAList", R"("port":[5672])", 24, "port", "The field 'port' must be of type str.");
  conn("TwoUserNames", R"("username":"a","login":"b")", 40, "login",
       "The field 'login' is another name of 'username'; give one of them.");
  conn("PasswordIsANumber", R"("password":5)", 28, "password", "The field 'password' must be of type str.");
  conn("LongUserName", R"("username":")" + std::string(256, 'u') + "\"", 28, "username",
       "The field 'username' has 256 bytes; AMQP allows 255.");
  conn("HostAndHosts", R"("host":"a","hosts":["localhost"])", 24, "host", "Give 'host' or 'hosts', not both.");
  conn("HostsIsEmpty", R"("hosts":[])", 25, "hosts", "The field 'hosts' must not be empty.");
  conn("HostsHasANumber", R"("hosts":[5])", 25, "hosts", "The field 'hosts' must be a string or a list of strings.");
  conn("HostsHasABadPort", R"("hosts":["localhost:x"])", 25, "hosts", "'localhost:x' is not host or host:port.");
  conn("UrlIsHttp", R"("url":"http://localhost")", 23, "url",
       "The field 'url' must begin with amqp:// or amqps://. It is " + url_shape);
  conn("UrlIsBadlyEncoded", R"("url":"amqp://u:%zz@localhost")", 23, "url",
       "The field 'url' has a user or password with a '%' that begins no %-encoding; it is written %25. It is " +
           url_shape);
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
                  "both 'cert_file' and 'key_file'.",
                  "2:36 b.conn_details.ssl.cert_file /brokers/b/conn_details/ssl/cert_file The file 'c.pem' cannot be "
                  "read: No such file or directory."}});

  const auto rabbit_param = [&](const char* name, const std::string& params, int column, const std::string& key,
                                const std::string& text, bool at_section = false) {
    all.push_back({name,
                   rabbit("", params),
                   {"3:" + std::to_string(column) + " b.params." + key + " " + in_b + "/params" +
                    (at_section ? "" : "/" + key) + " " + text}});
  };
  rabbit_param("NoQueue", "", 10, "queue", "The field 'queue' must be provided. Or give 'exchange' and 'routing_key'.",
               true);
  rabbit_param("QueueIsNull", R"("queue":null)", 19, "queue",
               "The field 'queue' must be provided. Or give 'exchange' and 'routing_key'.");
  rabbit_param("QueueIsANumber", R"("queue":7)", 19, "queue", "The field 'queue' must be of type str.");
  rabbit_param("QueueAndExchange", R"("queue":"q","exchange":"e")", 34, "exchange",
               "Give 'queue' or 'exchange', not both: a queue is reached through the default exchange.");
  rabbit_param("ExchangeWithoutKey", R"("exchange":"e")", 10, "routing_key",
               "The field 'routing_key' must be provided.", true);
  rabbit_param("RoutingKeyWithQueue", R"("queue":"q","routing_key":"k")", 37, "routing_key",
               "The field 'routing_key' goes with 'exchange' only.");
  rabbit_param("DeclareIsAString", R"("queue":"q","declare":"yes")", 33, "declare",
               "The field 'declare' must be true, false or an object.");
  all.push_back(
      {"ArgumentsLargerThanAFrame",
       rabbit("", R"("queue":"q","declare":{"arguments":{"a":")" + std::string(131'072, 'x') + R"("}})"),
       {"3:46 b.params.declare.arguments " + in_b +
        "/params/declare/arguments The field 'arguments' has about 132110 bytes; it must fit one frame of 131072."}});
  rabbit_param("PriorityTooLarge", R"("queue":"q","priority":256)", 34, "priority",
               "The field 'priority' must be between 0 and 255, not 256.");
  rabbit_param("NegativeExpiration", R"("queue":"q","expiration_ms":-1)", 39, "expiration_ms",
               "The field 'expiration_ms' must be between 0 and 31536000000, not -1.");
  rabbit_param("MandatoryIsANumber", R"("queue":"q","mandatory":1)", 35, "mandatory",
               "The field 'mandatory' must be true or false.");

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
  kafka_conn("WeakCiphers", R"("ssl.cipher.suites":"DEFAULT@SECLEVEL=0","security_protocol":"SSL")", 74,
             "ssl.cipher.suites", "'@SECLEVEL=0' lets broken ciphers and protocols in.");
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
  // The text, as people really write it. A destination in it begins in line 2.
  const auto text = [&](const char* name, const std::string& written, const std::string& problem) {
    all.push_back({name, written, {problem}});
  };
  const auto syntax = [&](const char* name, const std::string& written, const std::string& at,
                          const std::string& problem) { text(name, written, at + " .. - Not valid JSON: " + problem); };
  const std::string in_params = "{\"brokers\":{\"b\":{\"broker_type\":\"memory\",\"params\":\n{";  // a key is at 2:2
  syntax("CommaMissingBetweenKeys", "{\"brokers\": {}\n \"settings\": {}}", "1:15", "A comma is missing here.");
  syntax("CommaMissingInAList", "{\"a\": [1 2]}", "1:9", "A comma is missing here.");
  syntax("CommaTooManyInAList", "{\"a\": [1,2,]}", "1:11", "There is a comma too many before this ']'.");
  syntax("CommaTwice", "{\"a\": 1,, \"b\": 2}", "1:8", "There is a comma too many before this ','.");
  syntax("CommaFirst", "{, \"a\": 1}", "1:2", "There is a comma too many here.");
  syntax("ColonMissing", "{\"brokers\" {}}", "1:11", "A ':' is missing here, after the key.");
  syntax("EqualsSign", "{\"brokers\" = {}}", "1:12", "Between a key and its value stands ':', not '='.");
  syntax("ValueMissing", "{\"brokers\": }", "1:13", "A value is missing here.");
  syntax("KeyMissing", "{: 1}", "1:2", "A key is missing here.");
  syntax("KeyWithoutQuotes", "{brokers: {}}", "1:2", "A key stands in double quotes: \"…\".");
  syntax("SingleQuotes", "{'brokers': {}}", "1:2", "Keys and strings stand in double quotes (\"), not in single ones.");
  syntax("SingleQuotesAroundAValue", "{\"brokers\": 'x'}", "1:13",
         "Keys and strings stand in double quotes (\"), not in single ones.");
  syntax("TypographicQuotes", "{“brokers”: {}}", "1:2",
         "Keys and strings stand in plain double quotes (\"), not in typographic ones.");
  syntax("TextWithoutQuotes", "{\"host\": localhost}", "1:10", "A text stands in double quotes: \"…\".");
  syntax("AddressWithoutQuotes", "{\"host\": 127.0.0.1}", "1:10",
         "This is no number as JSON writes it; any other text stands in double quotes.");
  syntax("DurationWithoutQuotes", "{\"timeout_secs\": 5s}", "1:18",
         "This is no number as JSON writes it; any other text stands in double quotes.");
  syntax("LeadingZero", "{\"port\": 05672}", "1:10",
         "This is no number as JSON writes it; any other text stands in double quotes.");
  syntax("LeadingPlus", "{\"port\": +5672}", "1:10",
         "This is no number as JSON writes it; any other text stands in double quotes.");
  syntax("PythonTrue", "{\"ssl\": True}", "1:9", "JSON writes true, not True.");
  syntax("PythonNone", "{\"ssl\": None}", "1:9", "JSON writes null, not None.");
  syntax("YamlYes", "{\"ssl\": yes}", "1:9", "JSON writes true, not yes.");
  syntax("NotANumber", "{\"port\": NaN}", "1:10", "JSON has no NaN.");
  syntax("PlaceholderWithoutQuotes", "{\"port\": ${PORT}}", "1:10", "A placeholder stands in double quotes: \"${…}\".");
  syntax("NameWithoutQuotes", "{\"port\": {{ port }}}", "1:10", "A placeholder stands in double quotes: \"{{ … }}\".");
  syntax("Yaml", "brokers:\n  b:\n", "1:1", "A configuration begins with '{'.");
  syntax("PythonSettings", "ACTION_TRIGGERS = {\"brokers\": {}}", "1:1", "A configuration begins with '{'.");
  syntax("Xml", "<brokers/>", "1:1", "A configuration begins with '{'.");
  syntax("BraceTooMany", "{\"brokers\": {}}}", "1:16", "This '}' is one too many.");
  syntax("WrongBrace", "{\"brokers\": {]}", "1:14", "This ']' does not close the '{' of line 1.");
  syntax("ListClosedByABrace", "{\"brokers\":\n[1}", "2:3", "This '}' does not close the '[' of line 2.");
  syntax("KeyInAList", "[\"brokers\": {}]", "1:11", "A list has no keys; an object stands in '{' and '}'.");
  syntax("EndsInTheMiddle", "{\"brokers\":\n {\"b\": ", "2:8", "The file ends, and the '{' of line 2 is not closed.");
  syntax("StringDoesNotEnd", "{\"brokers\": \"x}", "1:13", "This string does not end.");
  syntax("StringOverTwoLines", "{\"host\": \"x\n\"}", "1:10",
         "This string does not end in its line; a line break inside a string is written '\\n'.");
  syntax("TabInAString", "{\"host\": \"a\tb\"}", "1:12",
         "A tab or other control character inside a string is written as an escape, such as '\\t'.");
  syntax("QuoteInAString", R"({"password": "a"b"})", "1:16",
         "The string ends here, and more follows; a '\"' inside a string is written '\\\"'.");
  syntax("PathOfWindows", R"({"ca_file": "C:\certs"})", "1:16", "A '\\' inside a string is written '\\\\'.");
  syntax("ShortEscape", R"({"host": "\u00e"})", "1:11", "After '\\u' stand four hexadecimal digits.");
  syntax("HalfASurrogatePair", R"({"host": "\ud83d"})", "1:11",
         "This '\\u' begins a surrogate pair, and its second half is missing.");
  syntax("Latin1", "{\"host\": \"f\xFCr\"}", "1:12", "This byte is not UTF-8; save the file as UTF-8.");
  syntax("Latin1Outside", "{\"host\": \xFC}", "1:10", "This byte is not UTF-8; save the file as UTF-8.");
  syntax("NoBreakSpace", "{\xC2\xA0\"host\": 1}", "1:2",
         "There is an invisible character here, such as a no-break space; replace it by a plain space.");
  syntax("ControlCharacter", "{\x1B}", "1:2", "There is a control character here.");
  syntax("AfterANulCharacter", std::string("{\"brokers\": {}}") + '\0' + "garbage", "1:16",
         "There is a NUL character here.");
  syntax("LongKey", "{\"" + std::string(1025, 'k') + "\": 1}", "1:2", "This key is longer than 1024 bytes.");
  text("Utf16", std::string("\xFF\xFE{\0}\0", 6), "1:1 .. - The file is written in UTF-16; save it as UTF-8.");
  text("Utf16WithoutAMark", std::string("\0{\0}", 4), "1:1 .. - The file is written in UTF-16; save it as UTF-8.");
  text("NumberBeyondADouble", in_params + "\"timeout_secs\":1e400}}}}",
       "2:17 b.params.timeout_secs /brokers/b/params/timeout_secs This number is too large.");
  text("NameWithAnEscapeSequence", "{\"brokers\":{\"\\u001b[31mred\":{\"broker_type\":\"memory\"}}}",
       "1:13 .. /brokers/\x1B[31mred The name of a broker must not have control characters.");
  text("NameWithAControlCharacterOfTwoBytes", "{\"brokers\":{\"\\u009b31mred\":{\"broker_type\":\"memory\"}}}",
       "1:13 .. /brokers/\xC2\x9B"
       "31mred The name of a broker must not have control characters.");
  text("SettingsInTwoPlaces",
       "{\"settings\": {}, \"ACTION_TRIGGERS\": {\"brokers\": {},\n\"settings\": {\"require_tls\": true}}}",
       "2:1 ..settings /ACTION_TRIGGERS/settings The section 'settings' stands in two places; it is /settings too.");
  text("MaximumTimeoutInBothSpellings",
       "{\"brokers\": {}, \"settings\": {\"max_broker_timeout\": 5, \"MAX_BROKER_TIMEOUT\": 60}}",
       "1:77 .settings.MAX_BROKER_TIMEOUT /settings/MAX_BROKER_TIMEOUT The field 'MAX_BROKER_TIMEOUT' is another name "
       "of "
       "'max_broker_timeout'; give one of them.");
  for (const char* type : {"redis", "aws_sqs", "AWS_SNS", "gcp_pubsub"}) {
    text(type, one(type, "\"params\":{}"),
         std::string("1:32 b..broker_type /brokers/b/broker_type The broker type '") + type +
             "' is known, but not built in. Add one of your own with BrokerRegistry::add (docs/adding-a-broker.md).");
  }
  param("ZeroTimeout", R"("timeout_secs":0)", 26, "timeout_secs",
        "The field 'timeout_secs' must be at least 0.001 seconds, not 0.");
  param("TinyTimeout", R"("timeout_secs":0.0001)", 26, "timeout_secs",
        "The field 'timeout_secs' must be at least 0.001 seconds, not 0.0001.");
  param("TimeoutOfAThousandYears", R"("timeout_secs":31536001)", 26, "timeout_secs",
        "The field 'timeout_secs' must be at most 31536000 seconds, not 31536001.");
  param("TimeoutInCamelCase", R"("timeoutSecs":5)", 25, "timeoutSecs",
        "Unknown field 'timeoutSecs'. Did you mean 'timeout_secs'?");
  param("KeyOfTheOtherSection", R"("server":"s")", 20, "server",
        "Unknown field 'server'. It belongs into 'conn_details'.");

  // Hosts, URLs, TLS files
  conn("HostIsAUrl", R"("host":"http://localhost:5672")", 24, "host",
       "The field 'host' holds a URL; give the name alone.");
  conn("HostWithAPort", R"("host":"127.0.0.1:5672")", 24, "host",
       "The field 'host' holds a ':'; the port has a field of its own.");
  conn("HostWithBlanks", R"("host":" 127.0.0.1 ")", 24, "host", "The field 'host' holds a blank.");
  conn("HostInBrackets", R"("host":"[::1]")", 24, "host",
       "The field 'host' holds brackets, which go with a port only.");
  conn("HostWithAVirtualHost", R"("host":"localhost/shop")", 24, "host",
       "The field 'host' holds a '/'; give the name alone.");
  conn("HostWithCredentials", R"("host":"app:s3cret@localhost")", 24, "host",
       "The field 'host' holds an '@'; give the name alone.");
  conn("TwoHostsInOneString", R"("host":"a,b")", 24, "host",
       "The field 'host' holds a comma; several servers stand in a list.");
  conn("HostsWithCredentials", R"("hosts":["app:s3cret@localhost"])", 25, "hosts", "'***' is not host or host:port.");
  conn("HostsWithANulCharacter", R"("hosts":["localhost\u0000.example.com"])", 25, "hosts",
       "The field 'hosts.0' must not contain a NUL character.");
  conn("HostsWithAnEmptyOne", R"("hosts":["localhost",""])", 25, "hosts", "The field 'hosts.1' must not be empty.");
  conn("PortIsEmpty", R"("port":"")", 24, "port", "The field 'port' must be an integer.");
  conn("PortIsNegative", R"("port":-1)", 24, "port", "The field 'port' must be between 1 and 65535, not -1.");
  conn("PortIsHuge", R"("port":"99999999999999999999")", 24, "port",
       "The field 'port' must be between 1 and 65535, not 99999999999999999999.");
  conn("PortIsAFraction", R"("port":5672.5)", 24, "port", "The field 'port' must be an integer.");
  const auto url = [&](const char* name, const std::string& value, const std::string& mistake) {
    conn(name, R"("url":")" + value + "\"", 23, "url", "The field 'url' " + mistake + ". It is " + url_shape);
  };
  const std::string unencoded = "has an '@' or '/' in its user, password or virtual host; they are written %40 and %2F";
  url("UrlWithASlashInThePassword", "amqp://app:s3/cret@localhost/v", unencoded);
  url("UrlWhosePasswordLooksLikeAPort", "amqp://app:12/34@localhost", unencoded);
  url("UrlWithAnAtInThePassword", "amqp://app:s3@cret@localhost", unencoded);
  url("UrlWithAnAtInTheVirtualHost", "amqp://localhost/v@h", unencoded);
  url("UrlWithAHashInThePassword", "amqp://app:s3#cret@localhost",
      "has a '?' or '#' where it cannot be; in a name or password they are written %3F and %23");
  url("UrlWithAQuestionMarkInThePassword", "amqp://app:s3?cret@localhost",
      "has a '?' or '#' where it cannot be; in a name or password they are written %3F and %23");
  url("UrlWithAPercentSignInThePassword", "amqp://app:100%@localhost",
      "has a user or password with a '%' that begins no %-encoding; it is written %25");
  url("UrlWithABadVirtualHost", "amqp://localhost/100%",
      "has a virtual host with a '%' that begins no %-encoding; it is written %25");
  url("UrlWithoutAHost", "amqp://app:pw@", "has no host or no port from 1 to 65535 where they belong");
  url("UrlWithABadPort", "amqp://localhost:70000", "has no host or no port from 1 to 65535 where they belong");
  url("UrlWithoutAScheme", "app:pw@localhost", "must begin with amqp:// or amqps://");
  conn("SslIsAString", R"("ssl":"yes")", 23, "ssl", "The field 'ssl' must be true, false or an object.");
  conn("SslIsANumber", R"("ssl":1)", 23, "ssl", "The field 'ssl' must be true, false or an object.");
  const auto tls = [&](const char* name, const std::string& options, int column, const std::string& key,
                       const std::string& problem) {
    all.push_back({name,
                   rabbit(R"("ssl":{)" + options + "}"),
                   {"2:" + std::to_string(column) + " b.conn_details.ssl." + key + " " + in_b + "/conn_details/ssl/" +
                    key + " " + problem}});
  };
  tls("AuthorityFileByAnotherName", R"("ca":"x")", 29, "ca", "Unknown field 'ca'. Did you mean 'ca_file'?");
  tls("AuthorityFileAsOthersSpellIt", R"("cacertfile":"x")", 37, "cacertfile",
      "Unknown field 'cacertfile'. Did you mean 'ca_file'?");
  tls("AuthorityFileIsTrue", R"("ca_file":true)", 34, "ca_file", "The field 'ca_file' must be of type str.");
  tls("AuthorityFileIsEmpty", R"("ca_file":"")", 34, "ca_file", "The field 'ca_file' must not be empty.");
  tls("KeyWithoutCertificate", R"("key_file":")" ACTION_TRIGGERS_SOURCE_DIR R"(/LICENSE")", 35, "key_file",
      "A client certificate needs both 'cert_file' and 'key_file'.");
  tls("AuthorityFileIsMissing", R"("ca_file":"/nowhere/ca.pem")", 34, "ca_file",
      "The file '/nowhere/ca.pem' cannot be read: No such file or directory.");
  tls("AuthorityFileIsAFolder", R"("ca_file":"/")", 34, "ca_file", "The file '/' cannot be read: Is a directory.");
  tls("AuthorityFileIsADevice", R"("cafile":"/dev/null")", 33, "cafile",
      "The file '/dev/null' cannot be read: Not a regular file.");
  tls("AuthorityFileHoldsSomethingElse", R"("ca_file":")" ACTION_TRIGGERS_SOURCE_DIR R"(/LICENSE")", 34, "ca_file",
      "The file '" ACTION_TRIGGERS_SOURCE_DIR "/LICENSE' holds no certificate in PEM.");
  // Names
  conn("VirtualHostByItsShortName", R"("vhost":"/")", 25, "vhost",
       "Unknown field 'vhost'. Did you mean 'virtual_host'?");
  conn("UserByItsShortName", R"("user":"u")", 24, "user", "Unknown field 'user'. Did you mean 'username'?");
  conn("PasswordByItsShortName", R"("pwd":"p")", 23, "pwd", "Unknown field 'pwd'. Did you mean 'password'?");
  conn("HostInCapitals", R"("HOSTNAME":"p")", 28, "HOSTNAME", "Unknown field 'HOSTNAME'. Did you mean 'host'?");
  conn("UriForUrl", R"("uri":"amqp://localhost")", 23, "uri", "Unknown field 'uri'. Did you mean 'url'?");
  conn("QueueAmongTheConnectionsKeys", R"("queue":"q")", 25, "queue",
       "Unknown field 'queue'. It belongs into 'params'.");
  kafka_conn("UserNameAsRabbitMqHasIt", R"("username":"u")", 65, "username",
             "Unknown field 'username'. Did you mean 'sasl_plain_username'?");
  kafka_conn("PasswordAsRabbitMqHasIt", R"("password":"p")", 65, "password",
             "Unknown field 'password'. Did you mean 'sasl_plain_password'?");
  kafka_conn("KeyInCamelCase", R"("clientId":"c")", 65, "clientId",
             "Unknown field 'clientId'. Did you mean 'client_id'?");
  kafka_conn("AuthorityFileByAShortName", R"("ca":"c")", 59, "ca", "Unknown field 'ca'. Did you mean 'ssl_cafile'?");
  // Destinations and arguments. An argument's value begins at 3:50 and the length of its key.
  rabbit_param("DefaultExchange", R"("exchange":"","routing_key":"q")", 22, "exchange",
               "The field 'exchange' must not be empty: the default exchange is used with 'queue'.");
  rabbit_param("TimeoutByItsShortName", R"("queue":"q","timeout":5)", 33, "timeout",
               "Unknown field 'timeout'. Did you mean 'timeout_secs'? Or does it belong into 'conn_details'?");
  rabbit_param("QueueIsEmpty", R"("queue":"")", 19, "queue", "The field 'queue' must not be empty.");
  const auto argument = [&](const char* name, const std::string& key, const std::string& value,
                            const std::string& problem) {
    all.push_back({name,
                   rabbit("", R"("queue":"q","declare":{"arguments":{")" + key + "\":" + value + "}}"),
                   {"3:" + std::to_string(50 + key.size()) + " b.params.declare.arguments." + key + " " + in_b +
                    "/params/declare/arguments/" + key + " " + problem}});
  };
  argument("TtlIsAString", "x-message-ttl", "\"60s\"", "The field 'x-message-ttl' must be an integer.");
  argument("TtlIsAFraction", "x-message-ttl", "1.5", "The field 'x-message-ttl' must be an integer.");
  argument("LengthIsAString", "x-max-length", "\"many\"", "The field 'x-max-length' must be an integer.");
  argument("OverflowIsANumber", "x-overflow", "1", "The field 'x-overflow' must be of type str.");
  argument("SingleConsumerIsAString", "x-single-active-consumer", "\"yes\"",
           "The field 'x-single-active-consumer' must be true or false.");
  argument("ArgumentHoldsNull", "x-mine", "{\"a\":[1,null]}",
           "The argument 'x-mine' holds null, which no argument is.");
  argument("ArgumentHoldsWhatHasNoName", "x-mine", "[{\"\":1}]",
           "The argument 'x-mine' holds a name that has not 1 to 255 bytes.");
  argument("AlternateExchangeIsANumber", "alternate-exchange", "1",
           "The field 'alternate-exchange' must be of type str.");
  all.push_back({"TwoTypesOfAQueue",
                 rabbit("", R"("queue":"q","declare":{"type":"quorum","arguments":{"x-queue-type":"classic"}})"),
                 {"3:78 b.params.declare.arguments.x-queue-type /brokers/b/params/declare/arguments/x-queue-type The "
                  "argument 'x-queue-type' differs from 'type'; give one of them."}});
  all.push_back(
      {"StreamThatIsNotDurable",
       rabbit("", R"("queue":"q","declare":{"type":"stream","durable":false})"),
       {"3:60 b.params.declare.durable /brokers/b/params/declare/durable A stream queue is always durable."}});

  // What is declared. With a queue the value of the first key in `declare` stands at 3:34 and the length of "key":,
  // with an exchange at 3:55 and that.
  const auto declared = [&](const char* name, bool exchange, const std::string& declare, int column,
                            const std::string& key, const std::string& problem) {
    std::string pointer = "declare." + key;
    std::replace(pointer.begin(), pointer.end(), '.', '/');
    all.push_back({name,
                   rabbit("", std::string(exchange ? R"("exchange":"e","routing_key":"k",)" : R"("queue":"q",)") +
                                  R"("declare":{)" + declare + "}"),
                   {"3:" + std::to_string(column) + " b.params.declare." + key + " " + in_b + "/params/" + pointer +
                    " " + problem}});
  };
  const auto of_queue = [&](const char* name, const std::string& declare, int column, const std::string& key,
                            const std::string& problem) { declared(name, false, declare, column, key, problem); };
  const auto of_exchange = [&](const char* name, const std::string& declare, int column, const std::string& key,
                               const std::string& problem) { declared(name, true, declare, column, key, problem); };
  of_queue("ExclusiveQueue", R"("exclusive":true)", 46, "exclusive",
           "Only the connection that declares an exclusive queue can read it, and this one only publishes. For a queue "
           "that goes away by itself there are 'auto_delete' and the argument 'x-expires'.");
  of_queue("DurableIsAString", R"("durable":"yes")", 44, "durable", "The field 'durable' must be true or false.");
  of_queue("QueueOfAnExchangesType", R"("type":"topic")", 41, "type",
           "The field 'type' must be one of 'classic', 'quorum', 'stream'.");
  of_queue("QuorumQueueThatDeletesItself", R"("type":"quorum","auto_delete":true)", 64, "auto_delete",
           "A quorum queue cannot be 'auto_delete'.");
  of_queue("QuorumQueueByArgumentThatIsNotDurable", R"("durable":false,"arguments":{"x-queue-type":"quorum"})", 44,
           "durable", "A quorum queue is always durable.");
  of_queue("ArgumentsAreAList", R"("arguments":[])", 46, "arguments", "The field 'arguments' must be an object.");
  of_queue("ArgumentBesideTheOthers", R"("x-max-length":5)", 49, "x-max-length",
           "The field 'x-max-length' stands in 'arguments'.");
  of_queue("NameByAnotherName", R"("name":"q")", 41, "name",
           "Unknown field 'name'. Known: arguments, auto_delete, durable, exclusive, type.");
  of_queue("BindingOfAQueue", R"("bind":["k"])", 41, "bind",
           "The field 'bind' does not go with params.queue, which is reached through the default exchange. An exchange "
           "is declared, and queues are bound to it, where params.exchange names it.");
  const std::string exchange_types =
      "The field 'type' must be one of 'direct', 'fanout', 'topic', 'headers', or one that begins with 'x-', which a "
      "plugin of the broker brings.";
  of_exchange("ExchangeOfAQueuesType", R"("type":"quorum")", 62, "type", exchange_types);
  of_exchange("ExchangeInCapitals", R"("type":"TOPIC")", 62, "type", exchange_types);
  of_exchange("InternalExchange", R"("internal":true)", 66, "internal", "Nobody can publish to an internal exchange.");
  of_exchange("AutoDeleteByAnotherName", R"("autoDelete":true)", 68, "autoDelete",
              "Unknown field 'autoDelete'. Did you mean 'auto_delete'?");
  of_exchange("QueuesAreAString", R"("queues":"audit")", 64, "queues",
              "The field 'queues' must be a list of strings and objects.");
  of_exchange("QueueWithoutAName", R"("queues":[{}])", 65, "queues.0.queue", "The field 'queue' must be provided.");
  all.back().problems[0].replace(all.back().problems[0].find("/0/queue"), 8, "/0");  // there is no such key
  of_exchange("QueueIsNoName", R"("queues":[5])", 65, "queues.0",
              "The field 'queues.0' must be a string or an object.");
  of_exchange("BindingsBesideTheQueues", R"("bind":["k"])", 62, "bind",
              "The field 'bind' stands in an element of 'queues'.");
  of_exchange("BindingsAreAnObject", R"("queues":[{"queue":"a","bind":{"routing_key":"k"}}])", 85, "queues.0.bind",
              "The field 'bind' must be a list of strings and objects.");
  of_exchange("BindingKeyIsANumber", R"("queues":[{"queue":"a","bind":[{"routing_key":5}]}])", 101,
              "queues.0.bind.0.routing_key", "The field 'routing_key' must be of type str.");
  of_exchange("BindingKeyByAnotherName", R"("queues":[{"queue":"a","bind":[{"key":"k"}]}])", 93, "queues.0.bind.0.key",
              "Unknown field 'key'. Did you mean 'routing_key'?");
  of_exchange("LongBindingKey", R"("queues":[{"queue":"a","bind":[")" + std::string(256, 'k') + "\"]}]", 86,
              "queues.0.bind.0", "A routing key has at most 255 bytes, not 256.");
  of_exchange("ExclusiveBoundQueue", R"("queues":[{"queue":"a","exclusive":true}])", 90, "queues.0.exclusive",
              "Only the connection that declares an exclusive queue can read it, and this one only publishes. For a "
              "queue that goes away by itself there are 'auto_delete' and the argument 'x-expires'.");
  rabbit_param("DeclareIsAnExchangesType", R"("exchange":"e","routing_key":"k","declare":"topic")", 54, "declare",
               "The field 'declare' must be true, false or an object.");
  rabbit_param("DurableBesideTheQueue", R"("queue":"q","durable":true)", 33, "durable",
               "The field 'durable' stands in 'declare', as 'durable'.");
  rabbit_param("TypeBesideTheExchange", R"("exchange":"e","routing_key":"k","exchange_type":"topic")", 60,
               "exchange_type", "The field 'exchange_type' stands in 'declare', as 'type'.");
  rabbit_param("BindingsBesideTheExchange", R"("exchange":"e","routing_key":"k","bindings":["k"])", 55, "bindings",
               "The field 'bindings' stands in 'declare', as 'queues'.");
  rabbit_param("PersistenceByItsNumber", R"("queue":"q","delivery_mode":2)", 39, "delivery_mode",
               "Unknown field 'delivery_mode'. Did you mean 'persistent'?");
  rabbit_param("ExpirationByAShortName", R"("queue":"q","ttl":5000)", 29, "ttl",
               "Unknown field 'ttl'. Did you mean 'expiration_ms'?");
  // How a connection logs in, and what the query of a URL may say
  conn("UnknownMechanism", R"("auth_mechanism":"AMQPLAIN")", 34, "auth_mechanism",
       "The field 'auth_mechanism' must be one of 'PLAIN', 'EXTERNAL'.");
  conn("MechanismAsKafkaHasIt", R"("sasl_mechanism":"PLAIN")", 34, "sasl_mechanism",
       "Unknown field 'sasl_mechanism'. Did you mean 'auth_mechanism'?");
  const std::string needs_certificate =
      "The mechanism EXTERNAL needs TLS with a client's certificate: 'cert_file' and 'key_file' in 'ssl_options'.";
  conn("ExternalWithoutTls", R"("auth_mechanism":"external")", 34, "auth_mechanism", needs_certificate);
  conn("ExternalWithoutACertificate", R"("auth_mechanism":"EXTERNAL","ssl":true)", 34, "auth_mechanism",
       needs_certificate);
  all.push_back({"ExternalWithAPassword",
                 rabbit(R"("auth_mechanism":"EXTERNAL","password":"p")"),
                 {"2:34 b.conn_details.auth_mechanism /brokers/b/conn_details/auth_mechanism " + needs_certificate,
                  "2:56 b.conn_details.password /brokers/b/conn_details/password The field 'password' goes with PLAIN "
                  "only: with EXTERNAL the user is the one that the certificate names."}});
  const std::string known_parameters =
      "known are auth_mechanism, cacertfile, certfile, connection_timeout, heartbeat, keyfile, server_name_indication "
      "and verify";
  url("UrlWithAnUnknownParameter", "amqp://localhost?heartbeat=5&channel_max=5",
      "has the parameter 'channel_max', not known here; " + known_parameters);
  url("UrlWithAnEmptyParameter", "amqp://localhost?=5", "has the parameter '', not known here; " + known_parameters);
  url("UrlWithoutVerification", "amqps://localhost?verify=verify_none",
      "has a 'verify' that is not verify_peer: certificates and host names are always verified");
  url("UrlWithAHeartbeatInWords", "amqp://localhost?heartbeat=60s",
      "has a 'heartbeat' that is no number of seconds from 0 to 3600");
  url("UrlWithATimeoutOfZero", "amqp://localhost?connection_timeout=0",
      "has a 'connection_timeout' that is no number of milliseconds from 1 to 3600000");
  url("UrlWithAFileWithoutTls", "amqp://localhost?cacertfile=/ca.pem",
      "has 'cacertfile', which goes with amqps:// only");
  url("UrlWithAnotherServerName", "amqps://localhost?server_name_indication=example.org",
      "has a 'server_name_indication' that is not its host: the certificate must be for the host");
  url("UrlWithAParameterTwice", "amqp://localhost?heartbeat=5&heartbeat=6", "has 'heartbeat' twice");
  url("UrlWithAParameterWithoutAValue", "amqp://localhost?heartbeat", "has 'heartbeat' without a value");
  url("UrlWithABadlyEncodedParameter", "amqps://localhost?certfile=100%",
      "has a '%' in 'certfile' that begins no %-encoding; it is written %25");
  url("UrlWithHalfACertificate", "amqps://localhost?certfile=/c.pem",
      "has one of 'certfile' and 'keyfile'; a client certificate needs both");
  url("UrlWithAnUnknownMechanism", "amqp://localhost?auth_mechanism=amqplain",
      "has an 'auth_mechanism' that is neither plain nor external");
  url("UrlWithAUserAndExternal", "amqp://app@localhost?auth_mechanism=external",
      "has a user, but with EXTERNAL the user is the one that the certificate names");
  all.back().problems.push_back("2:23 b.conn_details.url /brokers/b/conn_details/url " + needs_certificate);
  conn("UrlWithAMissingFile", R"("url":"amqps://localhost?cacertfile=/nowhere/ca.pem")", 23, "url",
       "The file '/nowhere/ca.pem' cannot be read: No such file or directory.");
  conn("UrlAndHeartbeat", R"("url":"amqp://localhost?heartbeat=5","heartbeat":5)", 66, "heartbeat",
       "The field 'heartbeat' is part of 'url'; give one of them.");
  conn("UrlAndTimeout", R"("url":"amqp://localhost?connection_timeout=5","timeout":5)", 73, "timeout",
       "The field 'timeout' is part of 'url'; give one of them.");
  // Names and values as other programs have them
  conn("TlsByAnotherName", R"("use_ssl":true)", 27, "use_ssl", "Unknown field 'use_ssl'. Did you mean 'ssl'?");
  conn("HeartbeatInWords", R"("heartbeat":"60s")", 29, "heartbeat", "The field 'heartbeat' must be an integer.");
  conn("HeartbeatByAnotherName", R"("requestedHeartbeat":60)", 38, "requestedHeartbeat",
       "Unknown field 'requestedHeartbeat'. Did you mean 'heartbeat'?");
  conn("TimeoutByAnotherName", R"("connection_timeout":10)", 38, "connection_timeout",
       "Unknown field 'connection_timeout'. Did you mean 'connect_timeout'?");
  conn("VirtualHostIsEmpty", R"("virtual_host":"")", 32, "virtual_host", "The field 'virtual_host' must not be empty.");

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
       {"2:38 .settings.max_broker_timeout /settings/max_broker_timeout The field 'max_broker_timeout' must be a "
        "number.",
        "4:26 a..broker_type /brokers/a/broker_type Invalid `broker_type` provided for broker a: kafak. Valid broker "
        "types are: [kafka, memory, rabbitmq] Did you mean 'kafka'?",
        "5:63 b.conn_details.port /brokers/b/conn_details/port The field 'port' must be an integer.",
        "5:77 b.conn_details.prot /brokers/b/conn_details/prot Unknown field 'prot'. Did you mean 'port'?",
        "5:104 b.params.queue /brokers/b/params/queue The field 'queue' must be of type str.",
        "6:59 c.params.overflow /brokers/c/params/overflow The field 'overflow' must be one of 'reject', 'block', "
        "'drop_oldest'.",
        "6:83 c.params.timeout_secs /brokers/c/params/timeout_secs The field 'timeout_secs' must be at least 0.001 "
        "seconds, not -5.",
        "7:10 d.. /brokers/d A broker must be an object with broker_type, conn_details and params."}});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Malformed, ConfigProblemsTest, ::testing::ValuesIn(cases()),
                         [](const auto& subject) { return subject.param.name; });

TEST(ConfigProblems, AreMoreThanTwoHundredKinds) { EXPECT_GE(cases().size(), 200U); }

}  // namespace
}  // namespace action_triggers
