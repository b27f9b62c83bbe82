// SPDX-License-Identifier: MIT
// Passwords appear in nothing that the library says, however much it is asked to say.
#include <mutex>

#include "live/certificates.hpp"
#include "live/support.hpp"

#include "action_triggers/broker_registry.hpp"

namespace action_triggers::tests {
namespace {

/// Everything that a dispatcher says.
class Said {
 public:
  DispatcherOptions options() {
    DispatcherOptions options;
    options.log = [this](LogLevel, std::string_view component, std::string_view text) { add(component, text); };
    options.on_failure = [this](const DeliveryReport& report) { add("report", report.status.message()); };
    return options;
  }
  void add(std::string_view from, std::string_view text) {
    const std::lock_guard lock(mutex_);
    all_.append(from).append(": ").append(text).append("\n");
  }
  [[nodiscard]] std::string all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::string all_;
};

std::string base64(const std::string& text) {
  std::string encoded = run("printf %s '" + text + "' | base64 -w0");
  return encoded.substr(0, encoded.find_first_of("=\n"));
}

TEST(SecretsTest, AreInNoLogReportOrStatistic) {
  const std::string ca = Certificates::path("ca.pem");
  Servers::start("kafka-secure", "ACTION_TRIGGERS_CERTIFICATES=" + ca.substr(0, ca.rfind('/')));
  const std::string right = "rightMarker71";
  const std::string wrong = "wrongMarker72";
  const std::string in_url = "urlMarker73";
  const std::string from_environment = "envMarker74";
  ::setenv("ACTION_TRIGGERS_SECRET", from_environment.c_str(), 1);
  const std::string user = unique("user");
  Servers::rabbitmqctl("-q add_user " + user + " " + right);
  Servers::rabbitmqctl("-q set_permissions " + user + " '.*' '.*' '.*'");
  const std::string queue =
      R"("declare": true, "timeout_secs": 5, "retry": {"max_attempts": 1}, "queue": ")" + unique("secrets") + "\"";
  const auto rabbitmq = [&](const std::string& name, const std::string& password) {
    return broker(name, "rabbitmq",
                  rabbitmq_conn(R"(, "username": ")" + user + R"(", "password": ")" + password + "\""), queue);
  };
  const auto kafka = [&](const std::string& name, const std::string& mechanism, const std::string& password) {
    return broker(name, "kafka",
                  R"("conn_details": {"bootstrap_servers": ")" + Servers::variable("AT_KAFKA_SECURE_SASL") +
                      R"(", "security_protocol": "SASL_PLAINTEXT", "sasl_plain_username": "alice", "debug": "all", )" +
                      R"("log_level": 7, "sasl_mechanism": ")" + mechanism + R"(", "sasl_plain_password": ")" +
                      password + "\"}",
                  R"("topic": "secrets", "timeout_secs": 5, "retry": {"max_attempts": 1})");
  };
  const Config config =
      config_with(rabbitmq("right", right) + ", " + rabbitmq("wrong", wrong) + ", " +
                  rabbitmq("environment", "${ACTION_TRIGGERS_SECRET}") + ", " +
                  broker("url", "rabbitmq",
                         R"("conn_details": {"url": "amqp://)" + user + ":" + in_url +
                             "@127.0.0.1:" + std::to_string(Servers::rabbitmq_port()) + "/\"}",
                         queue) +
                  ", " + kafka("plain", "PLAIN", "right") + ", " + kafka("plain wrong", "PLAIN", wrong) + ", " +
                  kafka("scram wrong", "SCRAM-SHA-256", wrong) + ", " +
                  kafka("kafka environment", "PLAIN", "${ACTION_TRIGGERS_SECRET}"));
  Said said;
  for (const ConfigProblem& warning : config.warnings) said.add("warning", warning.text);
  {
    TriggerDispatcher dispatcher(config, BrokerRegistry::builtin(), said.options());
    std::vector<Delivery> deliveries;
    for (const auto& [name, broker] : config.brokers) deliveries.push_back(dispatcher.fire(name, "x"));
    for (const Delivery& delivery : deliveries) said.add("status", delivery.wait().status.message());
    for (const auto& [name, stats] : dispatcher.stats().brokers) said.add(name, stats.last_error);
    dispatcher.close(2s);
  }
  Servers::rabbitmqctl("-q delete_user " + user);
  const std::string all = said.all();
  // It was asked to say much, and has.
  EXPECT_THAT(all, ::testing::HasSubstr("ACCESS_REFUSED"));
  EXPECT_THAT(all, ::testing::HasSubstr("SaslAuthenticate"));
  for (const std::string& secret : {right, wrong, in_url, from_environment}) {
    EXPECT_THAT(all, ::testing::Not(::testing::HasSubstr(secret)));
    EXPECT_THAT(all, ::testing::Not(::testing::HasSubstr(base64(secret)))) << "in base64";
  }
}

}  // namespace
}  // namespace action_triggers::tests
