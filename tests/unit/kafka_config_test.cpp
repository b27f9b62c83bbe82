// SPDX-License-Identifier: MIT
// What the loader says of a Kafka section that librdkafka would not make a client of, or that gives a secret away.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "action_triggers/kafka.hpp"
#include "brokers/kafka/kafka_properties.hpp"
#include "brokers/kafka/kafka_type.hpp"
#include "support/kafka_lane.hpp"
#include "support/refusing_kafka_server.hpp"
#include "unit/config_support.hpp"

namespace action_triggers {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using tests::Environment;
using tests::TemporaryFile;

Config kafka(const std::string& conn, const std::string& params = {}, const std::string& settings = {}) {
  const std::string servers = conn.find("bootstrap") == std::string::npos ? R"("bootstrap_servers": "localhost")" : "";
  return parse_config(R"({"brokers": {"b": {"broker_type": "kafka", "conn_details": {)" + servers +
                      (servers.empty() || conn.empty() ? "" : ", ") + conn + R"(}, "params": {"topic": "t")" +
                      (params.empty() ? "" : ", ") + params + R"(}}}, "settings": {)" + settings + "}}");
}

using Problems = std::vector<std::pair<std::string, std::string>>;

/// Key and text of everything that is wrong.
Problems problems(const std::string& conn, const std::string& params = {}, const std::string& settings = {}) {
  Problems found;
  try {
    static_cast<void>(kafka(conn, params, settings));
  } catch (const ConfigError& error) {
    for (const ConfigProblem& problem : error.problems()) found.emplace_back(problem.key, problem.text);
  }
  return found;
}

// A certificate of its own, and its key, which wants the password "hunter2".
constexpr const char* certificate = R"(-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUZ8y1rPxhCmejPeQsht7X6nKXslkwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjYwNDM4NDBaGA8yMTI2MTEwMjA0Mzg0
MFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABITz
DIrLOwJ0WFqRUglE5rhtOCBNxGuN67Lfja/TCaytfHfV4CKs/9tAp/71VHQZLf/f
93zQm9wlkrdEKQ2urS+jUzBRMB0GA1UdDgQWBBQ5Q0V7g92fmfZB2c0ih/01SyBR
fDAfBgNVHSMEGDAWgBQ5Q0V7g92fmfZB2c0ih/01SyBRfDAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIQCUzIbelHvgeC050bjZfPAumSmairiFOWIA
yPVSKdAWNAIgCiTJIiFLhEaktzBLL/k1bZVE8Ned1N3HaQHJRPz8YwM=
-----END CERTIFICATE-----
)";
constexpr const char* encrypted_key = R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHrMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAjM9gkfbibNqQIBATAM
BggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQwYJqS4JsxykIjFgpfdb58QSBkCyP
S5w6+6D7BFqodR4e3A/sJdH4/q60W8wHXbDNryQHDlPFLhFTyGDaLtwMuSs7AgNk
8DHKZd3cKoilHNg5kbaQeShZGNvfzXlPhkmOUFri/sc8L+g7Hu12iVGW/7p1EhDh
KsQIu5E9dryyaXevC6D/++LTzEWtWTtcak6SMXfbl6HD7XzF2k2T+mPnzpO+nA==
-----END ENCRYPTED PRIVATE KEY-----
)";

std::string quoted(const std::filesystem::path& path) { return '"' + path.string() + '"'; }

// -----------------------------------------------------------------------------------------------------------------
// what goes together

TEST(KafkaConfigTest, PropertiesThatDoNotGoTogetherAreAProblem) {
  const std::vector<std::tuple<std::string, std::string, std::string>> cases{
      {R"("max.in.flight": 10)", "max.in.flight", "5"},
      {R"("max.in.flight.requests.per.connection": 6)", "max.in.flight.requests.per.connection", "5"},
      {R"("retries": 0)", "retries", ">= 1"},
      {R"("message.send.max.retries": 0)", "message.send.max.retries", ">= 1"},
      {R"("queuing.strategy": "lifo")", "queuing.strategy", "fifo"},
      {R"("queue.buffering.backpressure.threshold": 10)", "queue.buffering.backpressure.threshold", "set to 1"},
      {R"("reconnect.backoff.ms": 10000)", "reconnect.backoff.ms", "params.retry.max_backoff_ms"},
      {R"("reconnect.backoff.max.ms": 50)", "reconnect.backoff.max.ms", "params.retry.initial_backoff_ms"},
      {R"("security_protocol": "SSL", "ssl.cipher.suites": "NONSENSE")", "ssl.cipher.suites", "ssl.cipher.suites"},
      {R"("security_protocol": "SSL", "ssl.curves.list": "NONSENSE")", "ssl.curves.list", "ssl.curves.list"},
  };
  for (const auto& [conn, key, text] : cases) {
    EXPECT_THAT(problems(conn), ElementsAre(Pair(key, HasSubstr(text)))) << conn;
  }
}

TEST(KafkaConfigTest, WhatGoesTogetherIsAccepted) {
  EXPECT_THAT(problems(R"("max.in.flight": 10, "acks": 1)"), IsEmpty());
  EXPECT_THAT(problems(R"("retries": 0, "queuing.strategy": "lifo", "enable_idempotence": false)"), IsEmpty());
  EXPECT_THAT(problems(R"("reconnect.backoff.ms": 10000, "reconnect.backoff.max.ms": 10000)"), IsEmpty());
  EXPECT_THAT(problems(R"("reconnect.backoff.ms": 10000)", R"("retry": {"max_backoff_ms": 20000})"), IsEmpty());
  EXPECT_THAT(problems("", R"("retry": {"initial_backoff_ms": 80000000, "max_backoff_ms": 86400000})"), IsEmpty());
  EXPECT_THAT(problems(R"("linger_ms": 400000)", R"("timeout_secs": 600)"), IsEmpty());
}

TEST(KafkaConfigTest, LingerMustEndBeforeTheDeadline) {
  const auto refused = ElementsAre(Pair("linger_ms", HasSubstr("params.timeout_secs")));
  EXPECT_THAT(problems(R"("linger_ms": 30000)"), refused);
  EXPECT_THAT(problems(R"("linger_ms": 29999)"), IsEmpty());
  EXPECT_THAT(problems(R"("linger.ms": 600.5)", R"("timeout_secs": 0.6)"),
              ElementsAre(Pair("linger.ms", ::testing::_)));
  EXPECT_THAT(problems("", R"("timeout_secs": 0.001)"), IsEmpty());
  EXPECT_THAT(problems(R"("linger_ms": 500)", R"("timeout_secs": 0.5)"), refused);
  EXPECT_THAT(problems(R"("linger_ms": 8000)", R"("timeout_secs": 20)", R"("max_broker_timeout": 5)"), refused);
  EXPECT_THAT(problems(R"("queue.buffering.max.ms": 500)", R"("timeout_secs": 0.5)"),
              ElementsAre(Pair("queue.buffering.max.ms", HasSubstr("params.timeout_secs"))));
}

TEST(KafkaConfigTest, WhatIsWrongOnItsOwnIsNotJudgedTogether) {
  EXPECT_THAT(problems(R"("linger_ms": 8000, "retries": 0)", R"("timeout_secs": "soon")"),
              ElementsAre(Pair("timeout_secs", HasSubstr("must be a number"))));
}

TEST(KafkaConfigTest, TheClientsQueueHasRoomForAMessage) {
  const auto refused = [](const char* least) {
    return ElementsAre(
        Pair("queue.buffering.max.kbytes", HasSubstr("max_request_size'): at least " + std::string(least))));
  };
  EXPECT_THAT(problems(R"("queue.buffering.max.kbytes": 976)"), refused("977"));
  EXPECT_THAT(problems(R"("queue.buffering.max.kbytes": 977)"), IsEmpty());
  EXPECT_THAT(problems(R"("queue.buffering.max.kbytes": 977, "max_request_size": 2000000)"), refused("1954"));
  EXPECT_THAT(problems(R"("queue.buffering.max.kbytes": 10, "max_request_size": 10240)"), IsEmpty());
}

// -----------------------------------------------------------------------------------------------------------------
// files

TEST(KafkaConfigTest, FilesThatCannotBeReadAreAProblem) {
  for (const char* key : {"ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl.ca.location", "ssl.certificate.location",
                          "ssl.key.location", "ssl.crl.location"}) {
    EXPECT_THAT(problems(R"("security_protocol": "SSL", ")" + std::string(key) + R"(": "/nowhere/x.pem")"),
                Contains(Pair(key, "The file '/nowhere/x.pem' cannot be read: No such file or directory.")));
  }
  EXPECT_THAT(problems(R"("security_protocol": "SSL", "ssl_keyfile": "/tmp")"),
              ElementsAre(Pair("ssl_keyfile", "The file '/tmp' cannot be read: Is a directory.")));
  EXPECT_THAT(problems(R"("security_protocol": "SSL", "ssl.keystore.location": "/nowhere/x.p12",
                           "ssl.keystore.password": "x")"),
              ElementsAre(Pair("ssl.keystore.location", HasSubstr("No such file"))));
}

TEST(KafkaConfigTest, APipeOrADeviceIsNoFile) {
  const std::string pipe =
      (std::filesystem::temp_directory_path() / ("action_triggers_pipe" + std::to_string(::getpid()))).string();
  ::unlink(pipe.c_str());
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {pipe, std::string("/dev/zero")}) {
    for (const char* key : {"ssl_cafile", "ssl_keyfile"}) {
      EXPECT_THAT(problems(R"("security_protocol": "SSL", ")" + std::string(key) + R"(": ")" + path + '"'),
                  ElementsAre(Pair(key, HasSubstr("cannot be read: Not a regular file."))));
    }
  }
  ::unlink(pipe.c_str());
}

TEST(KafkaConfigTest, TlsFilesWithoutTlsAreAProblem) {
  const TemporaryFile file(certificate);
  EXPECT_THAT(problems(R"("ssl_cafile": )" + quoted(file.path)),
              ElementsAre(Pair("ssl_cafile",
                               "The field 'ssl_cafile' is for TLS, but 'security_protocol' is PLAINTEXT; "
                               "use SSL or SASL_SSL.")));
}

TEST(KafkaConfigTest, FilesThatHoldSomethingElseAreAProblem) {
  const TemporaryFile file("nothing of the kind");
  for (const char* key : {"ssl_cafile", "ssl_keyfile", "ssl.crl.location"}) {
    EXPECT_THAT(problems(R"("security_protocol": "SSL", ")" + std::string(key) + "\": " + quoted(file.path)),
                ElementsAre(Pair(key, HasSubstr("librdkafka does not accept"))));
  }
  EXPECT_THAT(problems(R"("security_protocol": "SSL", "ssl_certfile": )" + quoted(file.path) + R"(, "ssl_keyfile": )" +
                       quoted(file.path)),
              ElementsAre(Pair("ssl_certfile", HasSubstr("librdkafka does not accept"))));
  EXPECT_THAT(problems(R"("security_protocol": "SSL", "ssl.keystore.location": )" + quoted(file.path)),
              ElementsAre(Pair(::testing::_, HasSubstr("ssl.keystore.password"))));
}

TEST(KafkaConfigTest, ACertificateAndAKeyNeedEachOther) {
  const TemporaryFile cert(certificate);
  const TemporaryFile key(encrypted_key);
  EXPECT_THAT(problems(R"("security_protocol": "SSL", "ssl_certfile": )" + quoted(cert.path)),
              ElementsAre(Pair("ssl_certfile", HasSubstr("needs 'ssl_keyfile'"))));
  EXPECT_THAT(problems(R"("security_protocol": "SSL", "ssl_password": "hunter2", "ssl_keyfile": )" + quoted(key.path)),
              ElementsAre(Pair(::testing::_, HasSubstr("Private key check failed"))));
}

/// Standard input as a pipe with one line in it, for as long as it lives.
class OneLineOfInput {
 public:
  OneLineOfInput() : saved_(::dup(STDIN_FILENO)) {
    int ends[2];
    if (::pipe(ends) != 0 || ::write(ends[1], "line\n", 5) != 5) throw std::runtime_error("no pipe");
    ::dup2(ends[0], STDIN_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
  }
  OneLineOfInput(const OneLineOfInput&) = delete;
  OneLineOfInput& operator=(const OneLineOfInput&) = delete;
  ~OneLineOfInput() {
    ::dup2(saved_, STDIN_FILENO);
    ::close(saved_);
  }

  [[nodiscard]] static std::string rest() {
    char text[16];
    const ssize_t size = ::read(STDIN_FILENO, text, sizeof text);
    return {text, size < 0 ? 0 : static_cast<std::size_t>(size)};
  }

 private:
  const int saved_;
};

TEST(KafkaConfigTest, AnEncryptedKeyWantsItsPasswordFromTheFileAndFromNobodyElse) {
  const TemporaryFile cert(certificate);
  const TemporaryFile key(encrypted_key);
  const std::string conn =
      R"("security_protocol": "SSL", "ssl_certfile": )" + quoted(cert.path) + R"(, "ssl_keyfile": )" + quoted(key.path);
  EXPECT_THAT(problems(conn + R"(, "ssl_password": "hunter2")"), IsEmpty());
  const OneLineOfInput input;
  ::testing::internal::CaptureStderr();
  EXPECT_THAT(problems(conn), ElementsAre(Pair("ssl_keyfile", HasSubstr("give its password in 'ssl_password'"))));
  EXPECT_THAT(problems(conn + R"(, "ssl_password": "hunter3")"),
              ElementsAre(Pair("ssl_keyfile", Not(HasSubstr("hunter")))));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(OneLineOfInput::rest(), "line\n");
}

TEST(KafkaConfigTest, AKeysPasswordIsNotLongerThanOpenSslReads) {
  const auto with = [](std::size_t size) {
    return problems(R"("security_protocol": "SSL", "ssl_password": ")" + std::string(size, 'x') + '"');
  };
  EXPECT_THAT(with(1024), IsEmpty());
  EXPECT_THAT(with(1025), ElementsAre(Pair("ssl_password", HasSubstr("1024"))));
}

// -----------------------------------------------------------------------------------------------------------------
// what came from elsewhere

/// Everything that loading says, whether it refuses or only warns.
std::string said_of(const std::string& conn, const std::string& params = {}) {
  std::string said;
  try {
    for (const ConfigProblem& warning : kafka(conn, params).warnings) said += warning.text + '\n';
  } catch (const ConfigError& error) {
    said = std::string(error.what()) + '\n' + error.to_json();
  }
  return said;
}

TEST(KafkaConfigTest, NothingThatWasSubstitutedIsQuoted) {
  const std::vector<std::string> values{"s3cret",
                                        "/s3cret/x.pem",
                                        "app:s3cret@kafka:9092",
                                        "kafka://app:s3cret@kafka",
                                        "s3cret.example:9092",
                                        "broker,s3cret",
                                        "-1s3cret",
                                        "3735928559123",
                                        ""};
  const std::string marker = "s3cret";
  const std::string number = "3735928559123";
  const auto check = [&](const std::string& conn, const std::string& params) {
    for (const std::string& value : values) {
      const Environment variable("ACTION_TRIGGERS_MARKER", value.c_str());
      const std::string said = said_of(conn, params);
      EXPECT_THAT(said, Not(HasSubstr(marker))) << conn << params;
      EXPECT_THAT(said, Not(HasSubstr(number))) << conn << params;
    }
  };
  const std::string substituted = R"(": "${ACTION_TRIGGERS_MARKER}")";
  for (const FieldInfo* field : detail::kafka_fields()) {
    const bool in_params = field->section == "params";
    for (const char* protocol : {"", R"(, "security_protocol": "SSL")", R"(, "security_protocol": "SASL_SSL")"}) {
      if (in_params) {
        check("", "\"" + field->key + substituted);
      } else if (*protocol == '\0' || field->key != "security_protocol") {
        check("\"" + field->key + substituted + protocol, "");
      }
    }
  }
  for (const detail::KafkaProperty& property : detail::kafka_properties()) {
    check("\"" + std::string(property.name) + substituted, "");
    if (!property.name.starts_with("ssl.") || property.rule == detail::KafkaPropertyRule::refused) continue;
    check("\"" + std::string(property.name) + substituted + R"(, "security_protocol": "SSL")", "");
  }
  check(R"("bootstrap_servers": ["localhost:9092", "${ACTION_TRIGGERS_MARKER}"])", "");
  check(R"("bootstrap_servers": "localhost:9092,${ACTION_TRIGGERS_MARKER}")", "");
  check(R"("nonsense": "${ACTION_TRIGGERS_MARKER}", "batch_size": "${ACTION_TRIGGERS_MARKER}")", "");
}

TEST(KafkaConfigTest, APasswordIsInNoLogWhateverIsLogged) {
  tests::RefusingKafkaServer server;
  server.begin_to_answer();
  KafkaConfig config = tests::config_for(server.bootstrap());
  config.properties["debug"] = "all";
  config.properties["security.protocol"] = "SASL_PLAINTEXT";
  config.properties["sasl.mechanism"] = "PLAIN";
  config.properties["sasl.username"] = "user";
  config.secret_properties["sasl.password"] = Secret("s3cret");
  config.secret_properties["ssl.key.password"] = Secret("s3cret");
  tests::KafkaLane lane({config});
  lane.connect();
  ASSERT_TRUE(lane.run_until_disconnected());
  EXPECT_THAT(lane.logs, Contains(HasSubstr("Selected provider PLAIN")));  // it does say much
  EXPECT_THAT(lane.logs, Not(Contains(HasSubstr("sasl.mechanisms"))));     // and not the whole configuration
  EXPECT_THAT(lane.logs, Not(Contains(HasSubstr("s3cret"))));
}

TEST(KafkaConfigTest, WhatStandsInTheFileIsQuoted) {
  EXPECT_THAT(problems(R"("debug": "nonsense")"), ElementsAre(Pair("debug", HasSubstr("nonsense"))));
}

// -----------------------------------------------------------------------------------------------------------------
// names

TEST(KafkaConfigTest, MechanismsThatCannotSendAreAProblem) {
  for (const char* key : {"sasl_mechanism", "sasl.mechanism", "sasl.mechanisms"}) {
    for (const char* mechanism : {"OAUTHBEARER", "GSSAPI", "EXTERNAL", "plain"}) {
      EXPECT_THAT(problems(R"("security_protocol": "SASL_SSL", ")" + std::string(key) + "\": \"" + mechanism +
                           R"(", "sasl_plain_username": "u", "sasl_plain_password": "p")"),
                  ElementsAre(Pair(key, "The field '" + std::string(key) +
                                            "' must be one of 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'.")))
          << mechanism;
    }
  }
}

TEST(KafkaConfigTest, KerberosIsRefused) {
  EXPECT_THAT(problems(R"("sasl.kerberos.principal": "x; touch pwned; #", "sasl_kerberos_service_name": "x")"),
              ElementsAre(Pair("sasl.kerberos.principal",
                               "The property 'sasl.kerberos.principal' may not be set. Kerberos is not supported."),
                          Pair("sasl_kerberos_service_name",
                               "Unknown field 'sasl_kerberos_service_name'. Kerberos is not supported.")));
}

TEST(KafkaConfigTest, NamesOfOtherClientsAreAnswered) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"transactional_id", "Transactions are not supported."},
      {"batch_size", "Did you mean 'batch.size'?"},
      {"buffer_memory", "Use params.max_queued_bytes."},
      {"buffer.memory", "Use params.max_queued_bytes."},
      {"max_in_flight_requests_per_connection", "Did you mean 'max.in.flight.requests.per.connection'?"},
      {"delivery_timeout_ms", "Use params.timeout_secs."},
      {"max.request.size", "Did you mean 'max_request_size'?"},
      {"max_block_ms", "Use params.max_block_ms."},
      {"username", "Did you mean 'sasl_plain_username'?"},
      {"password", "Did you mean 'sasl_plain_password'?"},
      {"value_serializer", "Bodies and keys are sent as they are."},
      {"api_version_request", "The dispatcher depends on it."},
      {"clientid", "Did you mean 'client_id'?"},  // nobody's name: the nearest
  };
  for (const auto& [key, advice] : cases) {
    EXPECT_THAT(problems("\"" + key + R"(": "x")"), ElementsAre(Pair(key, "Unknown field '" + key + "'. " + advice)));
  }
}

TEST(KafkaConfigTest, NumericStringsCountUnderEveryName) {
  const Config config = kafka(R"("linger_ms": "5", "batch.size": "2000", "request.timeout.ms": 400)",
                              R"("timeout_secs": "2.5", "max_in_flight": "7")");
  const auto* broker = config.find_as<KafkaConfig>("b");
  EXPECT_THAT(broker->properties, Contains(Pair("linger.ms", "5")));
  EXPECT_THAT(broker->properties, Contains(Pair("batch.size", "2000")));
  EXPECT_EQ(broker->timeout, std::chrono::milliseconds(2500));
  EXPECT_EQ(broker->max_in_flight, 7U);
  EXPECT_THAT(problems(R"("linger_ms": "5 s")"), ElementsAre(Pair("linger_ms", HasSubstr("must be an integer"))));
  EXPECT_THAT(problems(R"("linger_ms": "")"), ElementsAre(Pair("linger_ms", HasSubstr("must be an integer"))));
}

TEST(KafkaConfigTest, WhatTheClientSaysEndsWithItsSentence) {
  const Problems found = problems(R"("socket.timeout.ms": 5)");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].second.find('\n'), std::string::npos) << found[0].second;
  EXPECT_TRUE(found[0].second.ends_with("300000.")) << found[0].second;
}

TEST(KafkaConfigTest, TheAddressesOfAHostAreTriedWithoutBeingAsked) {
  EXPECT_THAT(problems(R"("client.dns.lookup": "use_all_dns_ips")"),
              ElementsAre(Pair("client.dns.lookup", HasSubstr("All addresses of a host are tried anyway"))));
}

}  // namespace
}  // namespace action_triggers
