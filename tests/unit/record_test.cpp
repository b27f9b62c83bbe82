// SPDX-License-Identifier: MIT
// A message on its way: its bytes, its memory, and who waits for it.
#include "dispatch/record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "dispatch/destination.hpp"
#include "support/waiting_call.hpp"
#include "unit/configs.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

class RecordTest : public ::testing::Test {
 protected:
  Record& make(const Message& message) { return make(MessageParts{message.body, &message}); }
  Record& make(const MessageParts& parts) {
    return *Record::make(a_, parts, Payload::counted_bytes(parts), next_message_id(1), {});
  }
  static void drop(Record& record) {
    record.drop_reference();
    record.drop_reference();
  }

  Destination a_{tests::config_of({"a"}).brokers.at("a")};
  Destination b_{tests::config_of({"b"}).brokers.at("b")};
};

TEST_F(RecordTest, IsAMessageByteForByte) {
  Message message;
  message.body = "b\0dy"s;
  message.key = "key";
  message.content_type = "text/plain";
  message.id = "an id";
  for (int i = 0; i < 100; ++i) message.headers.push_back({"name" + std::to_string(i), std::string(1'000, '\0')});
  message.headers.push_back({"", ""});
  message.expiration = 5ms;
  message.priority = 7;
  Record& record = make(message);
  record.write_id();
  EXPECT_EQ(record.copy(), message);
  EXPECT_EQ(record.capacity_bytes, Payload::counted_bytes({message.body, &message}));
  drop(record);
}

TEST_F(RecordTest, OthersMayAskForItsIdBeforeAfterAndWhileItsTextIsWritten) {
  for (int i = 0; i < 2'000; ++i) {
    Record& record = make(MessageParts{"body", nullptr});
    const std::string before = record.shared_id();
    std::atomic<bool> begun{false};
    std::string during;
    std::thread other([&] {
      begun = true;
      during = record.shared_id();
    });
    while (!begun) std::this_thread::yield();
    record.write_id();
    other.join();
    ASSERT_EQ(record.shared_id(), record.id());
    ASSERT_EQ(before, record.id());
    ASSERT_EQ(during, record.id());
    drop(record);
  }
}

TEST_F(RecordTest, SharesItsBytesWithARecordForAnotherDestination) {
  Record& record = make(MessageParts{"body", nullptr});
  record.write_id();
  const std::string id(record.id());
  Record& shared = *Record::share(b_, record, {});
  EXPECT_EQ(&shared.dest(), &b_);
  EXPECT_EQ(shared.capacity_bytes, record.capacity_bytes);
  EXPECT_EQ(shared.body().data(), record.body().data()) << "not copied";
  drop(record);
  EXPECT_EQ(shared.body(), "body") << "although the record that brought it is gone";
  EXPECT_EQ(shared.id(), id);
  drop(shared);
}

TEST_F(RecordTest, SharedBytesLiveAsLongAsTheLastInAnyOrder) {
  for (int order = 0; order < 6; ++order) {
    Record& record = make(MessageParts{std::string(300, 'x'), nullptr});
    record.write_id();
    std::vector<Record*> all{&record, Record::share(b_, record, {}), Record::share(b_, record, {})};
    std::rotate(all.begin(), all.begin() + order % 3, all.end());
    if (order >= 3) std::swap(all[1], all[2]);
    for (; !all.empty(); all.pop_back()) {
      EXPECT_EQ(all.back()->body(), std::string(300, 'x'));
      drop(*all.back());
    }
  }
}

// Blocks go back under the size that they were taken with: of the record and its bytes together, although the record
// may be gone long before. A block in a wrong class would be handed out too small.
TEST_F(RecordTest, MemoryOfAllSizesIsUsedAgainIntact) {
  struct Live {
    Record* record;
    std::string body;
  };
  std::vector<Live> live;
  std::mt19937 random(5);  // NOLINT: the same each time
  for (int i = 0; i < 20'000; ++i) {
    if (live.size() < 200 && random() % 2 == 0) {
      const std::string body(random() % 5'000, static_cast<char>('a' + random() % 26));
      Record& record = make(MessageParts{body, nullptr});
      record.write_id();
      live.push_back({&record, body});
      if (random() % 2 == 0) live.push_back({Record::share(b_, record, {}), body});
    } else if (!live.empty()) {
      std::swap(live[random() % live.size()], live.back());
      ASSERT_EQ(live.back().record->body(), live.back().body);
      ASSERT_EQ(live.back().record->id().size(), MessageId::text_size);
      drop(*live.back().record);
      live.pop_back();
    }
  }
  for (const Live& one : live) {
    EXPECT_EQ(one.record->body(), one.body);
    drop(*one.record);
  }
}

TEST_F(RecordTest, SharedBytesAreFreedOnceWhoeverIsTheLast) {
  for (int i = 0; i < 500; ++i) {
    Record& record = make(MessageParts{std::string(1'000, 'x'), nullptr});
    record.write_id();
    Record& shared = *Record::share(b_, record, {});
    std::thread one([&] { drop(record); });
    std::thread other([&] { drop(shared); });
    one.join();
    other.join();
  }
}

TEST_F(RecordTest, WhoeverWaitsIsWokenWhenItIsDone) {
  Record& record = make(MessageParts{"body", nullptr});
  std::atomic<int> woken{0};
  std::vector<std::unique_ptr<tests::WaitingCall>> waiters;
  for (int i = 0; i < 16; ++i) {
    waiters.push_back(std::make_unique<tests::WaitingCall>([&] {
      if (record.wait_until(Clock::now() + 1min)) ++woken;
    }));
  }
  for (const auto& waiter : waiters) ASSERT_TRUE(waiter->waits());
  EXPECT_FALSE(record.done());
  record.set_done();
  for (const auto& waiter : waiters) waiter->join();
  EXPECT_EQ(woken, 16);
  EXPECT_TRUE(record.done());
  drop(record);
}

TEST_F(RecordTest, WaitingWithoutALimitIsPossible) {
  Record& record = make(MessageParts{"body", nullptr});
  tests::WaitingCall waiter([&] { EXPECT_TRUE(record.wait_until(TimePoint::max())); });
  EXPECT_TRUE(waiter.waits());
  record.set_done();
  waiter.join();
  drop(record);
}

TEST_F(RecordTest, AWaitEndsAtItsDeadline) {
  Record& record = make(MessageParts{"body", nullptr});
  EXPECT_FALSE(record.wait_until(Clock::now() - 1h));
  const TimePoint deadline = Clock::now() + 20ms;
  EXPECT_FALSE(record.wait_until(deadline));
  EXPECT_GE(Clock::now(), deadline);
  record.set_done();
  EXPECT_TRUE(record.wait_until(Clock::now() - 1h)) << "what is done is done, however late it is";
  drop(record);
}

TEST_F(RecordTest, TheLastWaiterMayFreeItAtOnce) {
  for (int i = 0; i < 2'000; ++i) {
    Record& record = make(MessageParts{"body", nullptr});
    std::thread waiter([&] {
      EXPECT_TRUE(record.wait_until(Clock::now() + 1min));
      record.drop_reference();
    });
    record.set_done();
    record.drop_reference();
    waiter.join();
  }
}

}  // namespace
}  // namespace action_triggers::detail
