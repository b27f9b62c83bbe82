// SPDX-License-Identifier: MIT
// params.durability: a fire that promises less than its destination asks for is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "action_triggers/commit_scope.hpp"
#include "action_triggers/config.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "support/outbox_fixture.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::ElementsAre;
using testing::HasCode;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using ::testing::SizeIs;

class DurabilityTest : public tests::OutboxFixture {
 protected:
  /// The destination orders asks for it; mails asks for nothing.
  void make_with(const std::string& durability) {
    Config config = parse_config(R"({"brokers": {
          "orders": {"broker_type": "memory", "params": {"durability": ")" +
                                     durability + R"("}},
          "mails": {"broker_type": "memory"}},
        "triggers": {"all": {"events": ["order.paid"], "targets": [
          "orders", "mails", {"broker": "orders", "timeout_secs": 5}]}},
        "outbox": {"type": "sqlite", "path": "in memory, see below"}})",
                                 registry_);
    config.set_section<OutboxConfig>(std::make_shared<const OutboxConfig>(settings_));
    make(std::move(config));
  }
  void expect_an_outbox_sends() {
    tests::MemoryTransaction transaction(*outbox_);
    transaction.fire("orders", "in an outbox");
    transaction.emit("order.paid", "{}");
    transaction.commit(table_);
    ASSERT_TRUE(wait_until_size_is(0));
    EXPECT_THAT(bodies("orders"), ElementsAre("in an outbox", "{}", "{}"));
    EXPECT_THAT(bodies("mails"), ElementsAre("{}"));
  }
};

TEST_F(DurabilityTest, NoneTakesEveryFire) {
  make_with("none");
  EXPECT_THAT(dispatcher_->fire("orders", "at once").wait(), IsOk());
}

TEST_F(DurabilityTest, CommitRefusesWhatNoTransactionDecides) {
  make_with("commit");
  const DeliveryReport report = dispatcher_->fire("orders", Message{.body = "at once", .id = "own"}).wait();
  EXPECT_THAT(report, HasCode(StatusCode::invalid_argument));
  EXPECT_EQ(report.status.message(),
            "'orders' takes no message from here: its params.durability is 'commit'; fire in a commit scope, or in the "
            "transaction of an outbox");
  EXPECT_EQ(report.persistence, Persistence::not_persisted);
  EXPECT_EQ(report.message_id, "own");
  EXPECT_THAT(bodies("orders"), IsEmpty());
  expect_an_outbox_sends();
}

TEST_F(DurabilityTest, CommitTakesTheFiresOfAScope) {
  make_with("commit");
  CommitScope scope(*dispatcher_);
  const Delivery in_scope = scope.fire("orders", "in a scope");
  scope.commit();
  EXPECT_THAT(in_scope.wait(), IsOk());
}

TEST_F(DurabilityTest, OutboxRefusesScopesToo) {
  make_with("outbox");
  CommitScope scope(*dispatcher_);
  const Delivery in_scope = scope.fire("orders", "in a scope");
  ASSERT_TRUE(in_scope.done()) << "it takes no part in the transaction";
  scope.commit();
  for (const DeliveryReport& report : {in_scope.wait(), dispatcher_->fire("orders", "at once").wait()}) {
    EXPECT_THAT(report, HasCode(StatusCode::invalid_argument));
    EXPECT_THAT(report.status.message(),
                HasSubstr("'outbox'; fire in the transaction of an outbox (PgTransaction, SqliteTransaction)"));
  }
  EXPECT_THAT(bodies("orders"), IsEmpty());
  expect_an_outbox_sends();
}

TEST_F(DurabilityTest, OfAnEventOnlyTheTargetsThatAskForMoreAreRefused) {
  make_with("commit");
  const Emission emission = dispatcher_->emit("order.paid", "{}");
  ASSERT_THAT(emission, SizeIs(3));
  std::vector<std::string> outcomes;
  for (const DeliveryReport& report : emission.wait()) {
    outcomes.push_back(report.broker + " " + std::string(to_string(report.status.code())));
  }
  EXPECT_THAT(outcomes, ElementsAre("orders invalid_argument", "mails ok", "orders invalid_argument"));
  CommitScope scope(*dispatcher_);
  const Emission in_scope = scope.emit("order.paid", "{}");
  scope.commit();
  EXPECT_TRUE(in_scope.all_ok());
}

TEST_F(DurabilityTest, AnOutboxThatTheFileDoesNotHaveIsAProblem) {
  try {
    parse_config(R"({"brokers": {"orders": {"broker_type": "memory", "params": {"durability": "outbox"}}}})");
    FAIL() << "taken";
  } catch (const ConfigError& error) {
    ASSERT_THAT(error.problems(), SizeIs(1));
    EXPECT_EQ(error.problems()[0].text, "The field 'durability' is 'outbox', and the file has no section 'outbox'.");
    EXPECT_EQ(error.problems()[0].hint, "Without an outbox, 'commit' is the most that can be promised.");
    EXPECT_EQ(error.problems()[0].pointer, "/brokers/orders/params/durability");
  }
}

}  // namespace
}  // namespace action_triggers::detail
