// SPDX-License-Identifier: MIT
// The table of errors. docs/kafka-errors.md shows it; after a change:
//     ACTION_TRIGGERS_UPDATE_DOCS=1 action_triggers_unit_tests --gtest_filter='KafkaErrors*'
#include "brokers/kafka/kafka_errors.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "brokers/kafka/kafka_status.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::HasSubstr;

// Of consumers, groups, administration and delegation tokens.
const std::set<rd_kafka_resp_err_t> not_of_producers{
    RD_KAFKA_RESP_ERR__PARTITION_EOF,
    RD_KAFKA_RESP_ERR__UNKNOWN_GROUP,
    RD_KAFKA_RESP_ERR__EXISTING_SUBSCRIPTION,
    RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS,
    RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS,
    RD_KAFKA_RESP_ERR__UNKNOWN_PROTOCOL,
    RD_KAFKA_RESP_ERR__NO_OFFSET,
    RD_KAFKA_RESP_ERR__KEY_SERIALIZATION,
    RD_KAFKA_RESP_ERR__VALUE_SERIALIZATION,
    RD_KAFKA_RESP_ERR__KEY_DESERIALIZATION,
    RD_KAFKA_RESP_ERR__VALUE_DESERIALIZATION,
    RD_KAFKA_RESP_ERR__READ_ONLY,
    RD_KAFKA_RESP_ERR__INVALID_TYPE,
    RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED,
    RD_KAFKA_RESP_ERR__APPLICATION,
    RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST,
    RD_KAFKA_RESP_ERR__NOOP,
    RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET,
    RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE,
    RD_KAFKA_RESP_ERR_STALE_CTRL_EPOCH,
    RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE,
    RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
    RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL,
    RD_KAFKA_RESP_ERR_INVALID_GROUP_ID,
    RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
    RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT,
    RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
    RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE,
    RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS,
    RD_KAFKA_RESP_ERR_INVALID_PARTITIONS,
    RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR,
    RD_KAFKA_RESP_ERR_INVALID_REPLICA_ASSIGNMENT,
    RD_KAFKA_RESP_ERR_INVALID_CONFIG,
    RD_KAFKA_RESP_ERR_INVALID_TXN_STATE,
    RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT,
    RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
    RD_KAFKA_RESP_ERR_TRANSACTION_COORDINATOR_FENCED,
    RD_KAFKA_RESP_ERR_OPERATION_NOT_ATTEMPTED,
    RD_KAFKA_RESP_ERR_REASSIGNMENT_IN_PROGRESS,
    RD_KAFKA_RESP_ERR_DELEGATION_TOKEN_AUTH_DISABLED,
    RD_KAFKA_RESP_ERR_DELEGATION_TOKEN_NOT_FOUND,
    RD_KAFKA_RESP_ERR_DELEGATION_TOKEN_OWNER_MISMATCH,
    RD_KAFKA_RESP_ERR_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
    RD_KAFKA_RESP_ERR_DELEGATION_TOKEN_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_DELEGATION_TOKEN_EXPIRED,
    RD_KAFKA_RESP_ERR_INVALID_PRINCIPAL_TYPE,
    RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP,
    RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND,
    RD_KAFKA_RESP_ERR_FETCH_SESSION_ID_NOT_FOUND,
    RD_KAFKA_RESP_ERR_INVALID_FETCH_SESSION_EPOCH,
    RD_KAFKA_RESP_ERR_TOPIC_DELETION_DISABLED,
    RD_KAFKA_RESP_ERR_STALE_BROKER_EPOCH,
    RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_MEMBER_ID_REQUIRED,
    RD_KAFKA_RESP_ERR_PREFERRED_LEADER_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED,
    RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
    RD_KAFKA_RESP_ERR_ELIGIBLE_LEADERS_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_ELECTION_NOT_NEEDED,
    RD_KAFKA_RESP_ERR_NO_REASSIGNMENT_IN_PROGRESS,
    RD_KAFKA_RESP_ERR_GROUP_SUBSCRIBED_TO_TOPIC,
    RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT,
    RD_KAFKA_RESP_ERR_RESOURCE_NOT_FOUND,
    RD_KAFKA_RESP_ERR_DUPLICATE_RESOURCE,
    RD_KAFKA_RESP_ERR_INCONSISTENT_VOTER_SET,
    RD_KAFKA_RESP_ERR_INVALID_UPDATE_VERSION,
    RD_KAFKA_RESP_ERR_FEATURE_UPDATE_FAILED,
};

bool is_in_table(rd_kafka_resp_err_t error) {
  return std::any_of(kafka_errors().begin(), kafka_errors().end(),
                     [&](const KafkaErrorInfo& info) { return info.error == error; });
}

TEST(KafkaErrorsTest, EveryErrorIsDecidedAbout) {
  const rd_kafka_err_desc* all = nullptr;
  std::size_t count = 0;
  rd_kafka_get_err_descs(&all, &count);
  for (std::size_t i = 0; i < count; ++i) {
    const rd_kafka_resp_err_t error = all[i].code;
    // Those between belong to 2.0.2. Newer ones have the status of what is not in the table.
    const bool is_newer = error > RD_KAFKA_RESP_ERR_PRINCIPAL_DESERIALIZATION_FAILURE ||
                          (error > RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && error < RD_KAFKA_RESP_ERR_UNKNOWN);
    if (all[i].name == nullptr || error == RD_KAFKA_RESP_ERR_NO_ERROR || is_newer) continue;
    if (error == RD_KAFKA_RESP_ERR__BEGIN || error == RD_KAFKA_RESP_ERR__END) continue;
    EXPECT_NE(is_in_table(error), not_of_producers.contains(error)) << all[i].name;
  }
}

TEST(KafkaErrorsTest, EachHasOneEntryThatSaysWhatToDoIfSomebodyMust) {
  std::set<rd_kafka_resp_err_t> seen;
  for (const KafkaErrorInfo& info : kafka_errors()) {
    const char* const name = rd_kafka_err2name(info.error);
    EXPECT_TRUE(seen.insert(info.error).second) << name;
    EXPECT_NE(info.status, StatusCode::ok) << name;
    EXPECT_EQ(&kafka_error_info(info.error), &info) << name;
    const Status status = kafka_status(info.error, {}, "orders");
    EXPECT_EQ(status.code(), info.status) << name;
    EXPECT_THAT(status.message(), HasSubstr(rd_kafka_err2str(info.error)));
    EXPECT_THAT(status.message(), HasSubstr(std::string(info.advice)));
    if (status.code() == StatusCode::permission_denied || status.code() == StatusCode::unauthenticated ||
        status.code() == StatusCode::too_large || status.code() == StatusCode::not_found) {
      EXPECT_FALSE(info.advice.empty()) << name;
    }
    EXPECT_TRUE(info.scope == KafkaErrorScope::message || !status.retryable()) << name;
  }
}

TEST(KafkaErrorsTest, AnErrorWithoutAnEntryIsTriedAgainAndMayHaveArrived) {
  for (const int code : {-120, 250}) {
    const KafkaErrorInfo& info = kafka_error_info(static_cast<rd_kafka_resp_err_t>(code));
    EXPECT_TRUE(Status(info.status, {}).retryable()) << code;
    EXPECT_TRUE(info.may_have_arrived) << code;
  }
}

TEST(KafkaErrorsTest, ALoginThatIsCutIsNotALoginThatIsRefused) {
  const auto code = [](const char* text) { return kafka_status(RD_KAFKA_RESP_ERR__AUTHENTICATION, text, {}).code(); };
  EXPECT_EQ(code("sasl://b:1/1: SASL PLAIN mechanism handshake failed: Local: Broker transport failure: broker's "
                 "supported mechanisms: (n/a) (after 1ms in state AUTH_HANDSHAKE)"),
            StatusCode::unavailable);
  EXPECT_EQ(code("sasl://b:1/1: SASL authentication error: Invalid username or password"), StatusCode::unauthenticated);
  EXPECT_EQ(code("sasl://b:1/1: Disconnected (after 1ms in state AUTH_LEGACY)"), StatusCode::unauthenticated)
      << "how a broker before 1.0 refuses";
}

TEST(KafkaErrorsTest, TheLimitsOfABatchAreNamed) {
  const std::string text = kafka_status(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, {}, "orders").message();
  EXPECT_THAT(text, HasSubstr("batch.size"));
  EXPECT_THAT(text, HasSubstr("max.message.bytes"));
}

TEST(KafkaErrorsTest, ThePageShowsTheTable) {
  const std::string path = ACTION_TRIGGERS_SOURCE_DIR "/docs/kafka-errors.md";
  std::ifstream in(path, std::ios::binary);
  std::string page{std::istreambuf_iterator<char>(in), {}};
  const std::string mark = "<!-- table -->\n";
  const std::size_t begin = page.find(mark);
  ASSERT_NE(begin, std::string::npos) << path;
  const std::size_t from = begin + mark.size();
  if (std::getenv("ACTION_TRIGGERS_UPDATE_DOCS") != nullptr) {
    page.replace(from, std::string::npos, kafka_error_page());
    std::ofstream(path, std::ios::binary) << page;
    return;
  }
  EXPECT_EQ(page.substr(from), kafka_error_page());
}

}  // namespace
}  // namespace action_triggers::detail
