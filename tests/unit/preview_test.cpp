// SPDX-License-Identifier: MIT
// preview(): what emit() would do, and that emit() does it.
#include "action_triggers/preview.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "action_triggers/action_triggers.hpp"
#include "support/registries.hpp"

namespace action_triggers {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PreviewTest : public ::testing::Test {
 protected:
  Config config_of(const std::string& triggers) {
    return parse_config(R"({"brokers": {"a": {"broker_type": "subject"}, "b": {"broker_type": "subject"}},
                            "triggers": )" +
                            triggers + "}",
                        registry_);
  }
  const std::shared_ptr<InMemoryBroker> memory_ = std::make_shared<InMemoryBroker>();
  const BrokerRegistry registry_ = tests::registry_of(memory_->maker());
};

std::vector<PreviewOutcome> outcomes(const std::vector<PreviewedTarget>& targets) {
  std::vector<PreviewOutcome> all;
  for (const PreviewedTarget& target : targets) all.push_back(target.outcome);
  return all;
}

constexpr const char* shop = R"({
  "paid": {"events": ["order.paid"], "when": {"total": [{"numeric": [">=", 100]}]}, "targets": [
    "a",
    {"broker": "b", "when": {"country": ["DE"]}, "body": {"id": "{{ /id }}"}, "key": "order-{{ /id }}",
     "headers": {"event": "{{ event.name }}", "event.id": "{{ event.id }}"}, "content_type": "application/{{ /type:-json }}",
     "timeout_secs": 5}]},
  "other": {"events": ["mail.#"], "targets": ["a"]},
  "off": {"events": ["order.#"], "active": false, "targets": ["a"]}})";

TEST_F(PreviewTest, SaysOfEachTargetWhatItGets) {
  const Config config = config_of(shop);
  const auto targets =
      preview(config, "order.paid",
              Message{.body = R"({"id": 7, "total": 100.0, "country": "DE"})", .key = "k", .headers = {{"h", "1"}}});
  ASSERT_THAT(outcomes(targets),
              ElementsAre(PreviewOutcome::sent, PreviewOutcome::sent, PreviewOutcome::event, PreviewOutcome::inactive));
  EXPECT_EQ(targets[0].trigger, "paid");
  EXPECT_EQ(targets[0].target, 0U);
  EXPECT_EQ(targets[0].message.body, R"({"id": 7, "total": 100.0, "country": "DE"})");
  EXPECT_EQ(targets[0].message.key, "k");
  EXPECT_EQ(targets[0].destination, config.brokers.at("a"));
  EXPECT_THAT(targets[0].message.id, SizeIs(36));
  EXPECT_EQ(targets[1].target, 1U);
  EXPECT_EQ(targets[1].broker, "b");
  EXPECT_EQ(targets[1].destination->timeout, std::chrono::seconds(5));
  EXPECT_EQ(targets[1].message.body, R"({"id":7})");
  EXPECT_EQ(targets[1].message.key, "order-7");
  EXPECT_EQ(targets[1].message.content_type, "application/json");
  EXPECT_EQ(targets[1].message.id, targets[0].message.id) << "one event, one id";
  EXPECT_THAT(targets[1].message.headers,
              ElementsAre(Header{"h", "1"}, Header{"event", "order.paid"}, Header{"event.id", targets[0].message.id}));
  EXPECT_EQ(targets[2].why, "No pattern of the trigger matches 'order.paid'.");
  EXPECT_EQ(targets[3].why, "The trigger is not active.");
}

TEST_F(PreviewTest, SaysWhichConditionDoesNotMatch) {
  const Config config = config_of(shop);
  auto targets = preview(config, "order.paid", Message{.body = R"({"total": 99, "country": "DE"})"});
  EXPECT_EQ(targets[0].outcome, PreviewOutcome::trigger_condition);
  EXPECT_EQ(targets[1].outcome, PreviewOutcome::trigger_condition);
  EXPECT_THAT(targets[1].why, HasSubstr("The field 'total' is 99"));
  targets = preview(config, "order.paid", Message{.body = R"({"total": 100, "country": "FR"})"});
  EXPECT_EQ(targets[0].outcome, PreviewOutcome::sent);
  EXPECT_EQ(targets[1].outcome, PreviewOutcome::target_condition);
  EXPECT_THAT(targets[1].why, HasSubstr("The field 'country' is \"FR\""));
}

TEST_F(PreviewTest, SaysWhatEmitSays) {
  const Config config = config_of(shop);
  TriggerDispatcher dispatcher(config, registry_);
  for (const char* body :
       {R"({"total": 100, "country": "DE"})", "{", R"({"total": 100, "country": "DE", "id": "x"})"}) {
    const Message message{.body = body, .id = "the-event"};
    const Emission emission = dispatcher.emit("order.paid", message);
    std::size_t i = 0;
    for (const PreviewedTarget& target : preview(config, "order.paid", message)) {
      if (target.outcome != PreviewOutcome::sent && target.outcome != PreviewOutcome::failed) continue;
      ASSERT_LT(i, emission.size());
      const DeliveryReport& report = emission[i++].wait();
      EXPECT_EQ(report.broker, target.broker);
      EXPECT_EQ(report.status.ok(), target.is_sent()) << report;
      EXPECT_EQ(report.status.message(), target.why);
      if (!target.is_sent()) continue;
      EXPECT_THAT(memory_->messages(target.broker), ::testing::Contains(target.message));
    }
    EXPECT_EQ(i, emission.size()) << body;
  }
}

TEST_F(PreviewTest, WithoutAPayloadSaysWhatTheNameDecides) {
  const Config config = config_of(shop);
  EXPECT_THAT(outcomes(preview(config, "order.paid")), ElementsAre(PreviewOutcome::undecided, PreviewOutcome::undecided,
                                                                   PreviewOutcome::event, PreviewOutcome::inactive));
  EXPECT_THAT(outcomes(preview(config, "mail.sent")), ElementsAre(PreviewOutcome::event, PreviewOutcome::event,
                                                                  PreviewOutcome::undecided, PreviewOutcome::event));
}

TEST_F(PreviewTest, WithoutTriggersThereIsNothing) {
  EXPECT_THAT(preview(parse_config(R"({"brokers": {"a": {"broker_type": "memory"}}})"), "x"), IsEmpty());
}

}  // namespace
}  // namespace action_triggers
