// SPDX-License-Identifier: MIT
// The box that outcomes arrive in, and texts as a table takes them.
#include "outbox/offer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "action_triggers/broker_config.hpp"
#include "base/message_id.hpp"
#include "dispatch/destination.hpp"
#include "dispatch/record.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class OfferTest : public ::testing::Test {
 protected:
  Record& record(const Offer& offer) {
    Record* made = Record::make(destination_, {"body", nullptr}, 4, MessageId(), {});
    made->observer = const_cast<Offer*>(&offer);
    made->durable = true;
    made->drop_reference();
    return *made;
  }
  Offer& offer(std::int64_t id) {
    return Offer::make(box_, {.shard = 0, .id = id, .bit = 0, .destination = 0}, nullptr, 0);
  }
  std::vector<std::int64_t> taken() {
    std::vector<std::int64_t> ids;
    box_->take_all([&](const Offer& one) { ids.push_back(one.row.id); });
    return ids;
  }

  Destination destination_{std::make_shared<BrokerConfig>()};
  const std::shared_ptr<OfferBox> box_ = std::make_shared<OfferBox>();
};

TEST_F(OfferTest, OutcomesArriveInTheirOrder) {
  std::vector<Record*> records;
  for (const std::int64_t id : {3, 1, 2}) records.push_back(&record(offer(id)));
  for (Record* one : records) one->observer->resolved(*one, StatusCode::ok, Persistence::persisted);
  EXPECT_THAT(taken(), ElementsAre(3, 1, 2));
  EXPECT_THAT(taken(), IsEmpty());
  for (Record* one : records) one->drop_reference();
}

TEST_F(OfferTest, AnOutcomeMayOutliveItsRecordAndTheOtherWayRound) {
  Record& first = record(offer(1));
  Record& second = record(offer(2));
  first.observer->resolved(first, StatusCode::ok, Persistence::persisted);
  first.drop_reference();
  second.observer->resolved(second, StatusCode::ok, Persistence::persisted);
  EXPECT_THAT(taken(), ElementsAre(1, 2));
  second.drop_reference();
}

TEST_F(OfferTest, NothingArrivesInAClosedBox) {
  Record& before = record(offer(1));
  Record& after = record(offer(2));
  before.observer->resolved(before, StatusCode::ok, Persistence::persisted);
  box_->close();
  after.observer->resolved(after, StatusCode::ok, Persistence::persisted);
  EXPECT_THAT(taken(), IsEmpty());
  before.drop_reference();
  after.drop_reference();
  EXPECT_EQ(box_.use_count(), 1) << "nobody has the box any more";
}

}  // namespace
}  // namespace action_triggers::detail
