// SPDX-License-Identifier: MIT
// KafkaBroker on a system that lacks something for a moment.
#include <gmock/gmock.h>

#include "support/kafka_lane.hpp"
#include "support/mock_cluster.hpp"
#include "support/scarce_threads.hpp"

#include "action_triggers/kafka.hpp"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace action_triggers::detail {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using tests::config_for;
using tests::KafkaLane;
using tests::make_threads_scarce;
using tests::message_of;
using tests::MockCluster;

TEST(KafkaResourcesTest, AClientThatFindsNoThreadIsTriedAgain) {
  const MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  make_threads_scarce(0, 1);
  lane.connect();
  ASSERT_THAT(lane.disconnects, SizeIs(1));
  EXPECT_EQ(lane.disconnects[0].code(), StatusCode::unavailable) << lane.disconnects[0];
  EXPECT_THAT(lane.disconnects[0].message(), HasSubstr("thread"));
  lane.connect();
  EXPECT_TRUE(lane.deliver(message_of("x")).status.ok());
}

TEST(KafkaResourcesTest, AClientWithoutAThreadForABrokerIsReplaced) {
  const MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  make_threads_scarce(2, 1);  // its main thread and the one of its internal broker
  {
#ifdef __SANITIZE_ADDRESS__
    const __lsan::ScopedDisabler librdkafka_keeps_a_broker_that_has_no_thread;
#endif
    lane.connect();
  }
  lane.add(message_of("x"));
  ASSERT_TRUE(lane.run_until_disconnected());
  EXPECT_EQ(lane.disconnects[0].code(), StatusCode::unavailable) << lane.disconnects[0];
  lane.connect();
  lane.offer_failed_again();
  ASSERT_TRUE(lane.run_until([&] { return lane.messages[0]->outcomes.back().status.ok(); }));
}

}  // namespace
}  // namespace action_triggers::detail
