// SPDX-License-Identifier: MIT
// TLS and SASL to a real Kafka: what is verified, what is refused, and how a refusal is reported.
#include <map>
#include <mutex>

#include "live/certificates.hpp"
#include "live/old_tls_server.hpp"
#include "live/support.hpp"

#include <librdkafka/rdkafka.h>

#include "action_triggers/broker_registry.hpp"

namespace action_triggers::tests {
namespace {

using testing::HasCode;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::Not;

class KafkaSecurityTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::string ca = Certificates::path("ca.pem");
    Servers::start("kafka-secure", "ACTION_TRIGGERS_CERTIFICATES=" + ca.substr(0, ca.rfind('/')));
    create_topics({topic_}, 1, Servers::variable("AT_KAFKA_SECURE_BOOTSTRAP"));
  }

  static Config config_at(const std::string& server, const std::string& conn) {
    return config_with(broker("b", "kafka", R"("conn_details": {"bootstrap_servers": ")" + server + "\", " + conn + "}",
                              R"("topic": ")" + topic_ + R"(", "timeout_secs": 20, "retry": {"max_attempts": 1})"));
  }
  static Config config(const std::string& listener, const std::string& conn) {
    return config_at(Servers::variable("AT_KAFKA_SECURE_" + listener), conn);
  }
  static DeliveryReport fire(const std::string& listener, const std::string& conn, const std::string& body = "x") {
    TriggerDispatcher dispatcher(config(listener, conn));
    return dispatcher.fire("b", body).wait();
  }
  static std::string tls(const std::string& more = {}) {
    return R"("security_protocol": "SSL", "ssl_cafile": ")" + Certificates::path("ca.pem") + "\"" + more;
  }
  static std::string sasl(const std::string& mechanism, const std::string& password = "right") {
    return R"("security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": ")" + mechanism +
           R"(", "sasl_plain_username": "alice", "sasl_plain_password": ")" + password + "\"";
  }
  static std::vector<std::string> arrived() {
    std::vector<std::string> bodies;
    for (const Received& message : read_topic(topic_, Servers::variable("AT_KAFKA_SECURE_BOOTSTRAP"))) {
      bodies.push_back(message.body);
    }
    return bodies;
  }

  static inline const std::string topic_ = unique("secure");
};

TEST_F(KafkaSecurityTest, DeliversOverTls) {
  EXPECT_THAT(fire("SERVER", tls(), "over TLS"), IsOk());
  EXPECT_THAT(arrived(), ::testing::Contains("over TLS"));
}

TEST_F(KafkaSecurityTest, DeliversWithAClientsCertificateAndNotWithout) {
  const std::string client = R"(, "ssl_certfile": ")" + Certificates::path("client.pem") + R"(", "ssl_keyfile": ")" +
                             Certificates::path("client.key") + "\"";
  EXPECT_THAT(fire("MTLS", tls(client), "mutual TLS"), IsOk());
  EXPECT_THAT(arrived(), ::testing::Contains("mutual TLS"));
  const DeliveryReport without = fire("MTLS", tls());
  EXPECT_THAT(without, Not(IsOk()));
  EXPECT_EQ(without.persistence, Persistence::not_persisted);
}

TEST_F(KafkaSecurityTest, RefusesWhatCannotBeVerified) {
  for (const auto& [listener, conn] :
       std::map<std::string, std::string>{{"ELSEWHERE", tls()},
                                          {"EXPIRED", tls()},
                                          {"SELFSIGNED", tls()},
                                          {"SERVER", R"("security_protocol": "SSL")"}}) {  // the system's authorities
    const DeliveryReport report = fire(listener, conn);
    EXPECT_THAT(report, HasCode(StatusCode::unavailable)) << listener;
    EXPECT_EQ(report.persistence, Persistence::not_persisted) << listener;
    EXPECT_THAT(report.status.message(), ::testing::ContainsRegex("[Cc]ertificate|verif")) << listener;
  }
}

TEST_F(KafkaSecurityTest, AReplacedAuthorityIsReadWithoutARestart) {
  const std::string authorities = Certificates::path("replaced.pem");
  const auto replace_by = [&](const std::string& command) {
    tests::run(command + " > '" + authorities + ".new' && mv '" + authorities + ".new' '" + authorities + "'");
  };
  replace_by("cat '" + Certificates::path("selfsigned.pem") + "'");
  TriggerDispatcher dispatcher(
      config_with(broker("b", "kafka",
                         R"("conn_details": {"bootstrap_servers": ")" + Servers::variable("AT_KAFKA_SECURE_SERVER") +
                             R"(", "security_protocol": "SSL", "ssl_cafile": ")" + authorities + "\"}",
                         R"("topic": ")" + topic_ + R"(", "timeout_secs": 60)")));
  const Delivery delivery = dispatcher.fire("b", "x");
  const auto wait_for_error = [&](const std::string& part) {
    while (dispatcher.stats().brokers.at("b").last_error.find(part) == std::string::npos) {
      ASSERT_FALSE(delivery.wait_for(20ms)) << delivery.wait();
    }
  };
  wait_for_error("certificate");
  replace_by("echo half");  // not final: somebody is at it
  wait_for_error("ssl.ca.location");
  replace_by("cat '" + Certificates::path("ca.pem") + "'");
  EXPECT_THAT(delivery.wait(), IsOk());
}

TEST_F(KafkaSecurityTest, RefusesTls11) {
  const OldTlsServer old;
  TriggerDispatcher dispatcher(config_at("localhost:" + std::to_string(old.port()), tls()));
  const DeliveryReport report = dispatcher.fire("b", "x").wait();
  EXPECT_THAT(report, HasCode(StatusCode::unavailable));
  EXPECT_EQ(report.persistence, Persistence::not_persisted);
  EXPECT_THAT(report.status.message(), HasSubstr("SSL"));
}

TEST_F(KafkaSecurityTest, LogsInWithEveryMechanism) {
  for (const std::string mechanism : {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}) {
    std::string over_tls = sasl(mechanism) + R"(, "ssl_cafile": ")" + Certificates::path("ca.pem") + "\"";
    over_tls.replace(over_tls.find("SASL_PLAINTEXT"), 14, "SASL_SSL");
    for (const auto& [listener, conn] :
         std::map<std::string, std::string>{{"SASL", sasl(mechanism)}, {"SASL_TLS", over_tls}}) {
      const DeliveryReport report = fire(listener, conn, mechanism + " at " + listener);
      if (mechanism != "PLAIN" && rd_kafka_version() < 0x020601ff) {
        // Debian 12's librdkafka cannot; Debian 13's can.
        EXPECT_THAT(report, HasCode(StatusCode::unauthenticated));
        EXPECT_THAT(report.status.message(), HasSubstr("use librdkafka 2.6.1 or newer"));
        continue;
      }
      EXPECT_THAT(report, IsOk()) << mechanism;
      EXPECT_THAT(arrived(), ::testing::Contains(mechanism + " at " + listener));
    }
  }
}

TEST_F(KafkaSecurityTest, HealthSaysThatThePasswordIsWrong) {
  TriggerDispatcher dispatcher(config("SASL", sasl("PLAIN", "wr0ng-s3cret")));
  Health health = dispatcher.health();
  EXPECT_EQ(health.state, HealthState::down) << "from the first moment";
  const auto deadline = Clock::now() + 30s;
  while (health.reasons.at(0).to_do.find("password") == std::string::npos && Clock::now() < deadline) {
    health = dispatcher.health();
    ASSERT_EQ(health.state, HealthState::down);
  }
  EXPECT_THAT(health.reasons.at(0).what, HasSubstr("no connection: unauthenticated"));
  EXPECT_THAT(health.reasons.at(0).to_do, HasSubstr("password"));
  EXPECT_THAT(health.reasons.at(0).what, Not(HasSubstr("s3cret")));
}

TEST_F(KafkaSecurityTest, AWrongPasswordIsReportedAtOnceAndNotTriedAllTheTime) {
  for (const std::string mechanism : {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}) {
    std::mutex mutex;
    std::string log;
    DispatcherOptions options;
    options.log = [&](LogLevel, std::string_view, std::string_view text) {
      const std::lock_guard lock(mutex);
      log.append(text).append("\n");
    };
    TriggerDispatcher dispatcher(config("SASL", sasl(mechanism, "wr0ng-s3cret")), BrokerRegistry::builtin(),
                                 std::move(options));
    const auto begin = std::chrono::steady_clock::now();
    const DeliveryReport report = dispatcher.fire("b", "x").wait();
    EXPECT_THAT(report, HasCode(StatusCode::unauthenticated)) << mechanism;
    EXPECT_THAT(report.status.message(), HasSubstr("sasl_plain_password"));
    EXPECT_EQ(report.persistence, Persistence::not_persisted);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s) << "long before the deadline";

    const auto logins = [&] {
      return std::stoi(run("grep -c 'ailed authentication' \"$(dirname '" +
                           Servers::variable("AT_KAFKA_SECURE_TOPICS") + "')\"/kafka-secure/output || true"));
    };
    const int before = logins();
    for (int i = 0; i < 300; ++i) {
      dispatcher.fire("b", "x");
      std::this_thread::sleep_for(10ms);  // fires over three seconds, not a wait for anything
    }
    EXPECT_LE(logins() - before, 12) << "a retry storm";
    dispatcher.close(100ms);
    const std::lock_guard lock(mutex);
    EXPECT_THAT(log, Not(HasSubstr("wr0ng-s3cret")));
    EXPECT_THAT(report.status.message(), Not(HasSubstr("wr0ng-s3cret")));
  }
}

}  // namespace
}  // namespace action_triggers::tests
