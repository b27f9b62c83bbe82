// SPDX-License-Identifier: MIT
// What the loader says of the names in a Kafka section.
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "action_triggers/kafka.hpp"
#include "unit/config_support.hpp"

namespace action_triggers {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

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
  EXPECT_THAT(problems(R"("linger_ms": "5 s")"), ElementsAre(Pair("linger_ms", HasSubstr("of type int"))));
  EXPECT_THAT(problems(R"("linger_ms": "")"), ElementsAre(Pair("linger_ms", HasSubstr("of type int"))));
}

}  // namespace
}  // namespace action_triggers
