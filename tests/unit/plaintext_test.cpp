// SPDX-License-Identifier: MIT
// BrokerSection::report_plaintext().
#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::StartsWith;

/// A registry whose type "subject" reads conn_details.host and connects without TLS.
BrokerRegistry registry(bool& reported) {
  BrokerRegistry types;
  types.add(
      "subject",
      [&reported](BrokerSection& section) {
        const std::string host = section.conn_details.required_string("host");
        reported = section.report_plaintext("host", host, host + " (shown)");
        return std::make_unique<BrokerConfig>();
      },
      [](const BrokerConfig&) { return std::unique_ptr<Broker>(); });
  return types;
}

std::string text_with(const std::string& host, const std::string& settings = "{}") {
  return R"({"settings": )" + settings + R"(, "brokers": {"b": {"broker_type": "subject", "conn_details": {"host": ")" +
         host + "\"}}}}";
}

TEST(PlaintextTest, ThisMachineIsNotReported) {
  bool reported = true;
  EXPECT_THAT(parse_config(text_with("localhost", R"({"require_tls": true})"), registry(reported)).warnings, IsEmpty());
  EXPECT_FALSE(reported);
}

TEST(PlaintextTest, AnotherMachineIsAWarning) {
  bool reported = false;
  const Config config = parse_config(text_with("mq.example.org"), registry(reported));
  EXPECT_TRUE(reported);
  EXPECT_THAT(config.warnings,
              ElementsAre(AllOf(Field(&ConfigProblem::section, "conn_details"), Field(&ConfigProblem::key, "host"),
                                Field(&ConfigProblem::text,
                                      "mq.example.org (shown): Messages and credentials go to this host in plain text; "
                                      "use TLS, or keep to the loopback interface."))));
}

TEST(PlaintextTest, AnotherMachineIsAProblemWhereTlsIsRequired) {
  bool reported = false;
  std::vector<ConfigProblem> problems;
  try {
    static_cast<void>(parse_config(text_with("mq.example.org", R"({"require_tls": true})"), registry(reported)));
  } catch (const ConfigError& error) {
    problems = error.problems();
  }
  EXPECT_TRUE(reported);
  EXPECT_THAT(problems, ElementsAre(AllOf(Field(&ConfigProblem::key, "host"),
                                          Field(&ConfigProblem::text, StartsWith("mq.example.org (shown): ")))));
}

}  // namespace
}  // namespace action_triggers::detail
