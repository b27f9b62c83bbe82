#include "action_triggers/trigger_dispatcher.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "action_triggers/testing/in_memory_broker.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "action_triggers/testing/mock_broker.hpp"
#include "base/message_id.hpp"
#include "unit/configs.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::HasCode;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::PersistenceIs;
using ::testing::SizeIs;

constexpr const char* uuid_version_7 = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

class DispatcherTest : public ::testing::Test {
 protected:
  TriggerDispatcher& make(std::initializer_list<std::string> names,
                          const std::function<void(BrokerConfig&)>& adjust = {}, DispatcherOptions options = {}) {
    BrokerRegistry registry;
    registry.add("subject", memory_->maker());
    dispatcher_.emplace(tests::config_of(names, adjust), registry, std::move(options));
    return *dispatcher_;
  }

  const std::shared_ptr<InMemoryBroker> memory_ = std::make_shared<InMemoryBroker>();
  std::optional<TriggerDispatcher> dispatcher_;
};

DispatcherOptions hearing_failures(DeliveryCallback callback) {
  DispatcherOptions options;
  options.on_failure = std::move(callback);
  return options;
}

/// For threads to wait for one another.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 30s, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

/// How often lanes went to sleep so far: their threads' voluntary context switches (proc(5)).
std::int64_t sleeps_of_lanes() {
  std::int64_t sleeps = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(thread.path() / "comm") >> name;
    std::ifstream status(thread.path() / "status");
    for (std::string word; name == "at-subject" && status >> word;) {
      std::int64_t count = 0;
      if (word == "voluntary_ctxt_switches:" && status >> count) sleeps += count;
    }
  }
  return sleeps;
}

TEST_F(DispatcherTest, DeliversAMessageWithAllItsParts) {
  auto& dispatcher = make({"orders"});
  const Message message{.body = "{}",
                        .key = "k",
                        .headers = {{"a", "1"}, {"a", "2"}},
                        .content_type = "application/json",
                        .id = "mine",
                        .expiration = 5s,
                        .priority = std::uint8_t{3}};
  const DeliveryReport& report = dispatcher.fire("orders", message).wait();
  EXPECT_THAT(report, IsOk());
  EXPECT_EQ(report.message_id, "mine");
  EXPECT_EQ(report.broker, "orders");
  EXPECT_EQ(report.attempts, 1U);
  EXPECT_GT(report.latency, 0ns);
  EXPECT_THAT(memory_->messages("orders"), ElementsAre(message));
}

TEST(MessageIdTest, WritesItsTimeAndVersionAsDigits) {
  for (const auto& [unix_ms, time] : {std::pair(0x0123456789ABULL, "01234567-89ab-7"),  // every digit there is
                                      std::pair(0xFEDCBA987654ULL, "fedcba98-7654-7")}) {
    detail::MessageIdGenerator ids(1);
    std::string id(detail::MessageIdGenerator::text_size, ' ');
    ids.write(unix_ms, id.data());
    EXPECT_THAT(id, ::testing::StartsWith(time));
    EXPECT_THAT(id, ::testing::MatchesRegex(uuid_version_7));
  }
}

TEST_F(DispatcherTest, MakesAUuidVersion7WhereTheApplicationGivesNoId) {
  auto& dispatcher = make({"orders"});
  const Delivery first = dispatcher.fire("orders", "1");
  const Delivery second = dispatcher.fire("orders", "2");
  EXPECT_THAT(first.wait().message_id, ::testing::MatchesRegex(uuid_version_7));
  EXPECT_LT(first.wait().message_id, second.wait().message_id) << "UUIDv7 sorts by time";
}

TEST_F(DispatcherTest, AnUnknownNameIsAnOutcomeNotAnException) {
  std::atomic<int> failures{0};
  auto& dispatcher = make({"orders"}, {}, hearing_failures([&](const DeliveryReport&) { ++failures; }));
  const Delivery delivery = dispatcher.fire("odrers", "x");
  ASSERT_TRUE(delivery.done());
  EXPECT_THAT(delivery.wait(), HasCode(StatusCode::not_found));
  EXPECT_THAT(delivery.wait().status.message(), HasSubstr("odrers"));
  EXPECT_EQ(failures, 1);
  EXPECT_EQ(dispatcher.stats().unknown_broker, 1U);
}

TEST_F(DispatcherTest, NamesWithEqualConnectionsShareALane) {
  EXPECT_EQ(make({"a", "b", "c"}).stats().lanes, 1U);
  EXPECT_EQ(make({"a", "b", "c"}, [](BrokerConfig& config) { config.connection_key = config.name; }).stats().lanes, 3U);
  EXPECT_EQ(make({"a", "b"}, [](BrokerConfig& config) { config.connection_key = ""; }).stats().lanes, 2U);
}

TEST_F(DispatcherTest, RejectsOverItsBoundsAtOnceAndOnlyForThatName) {
  memory_->hold();
  auto& dispatcher = make({"a", "b"}, [](BrokerConfig& config) { config.max_queued_messages = 2; });
  std::vector<Delivery> fired;
  for (int i = 0; i < 3; ++i) fired.push_back(dispatcher.fire("a", "x"));
  ASSERT_TRUE(fired[2].done());
  EXPECT_THAT(fired[2].wait(), HasCode(StatusCode::queue_full));
  EXPECT_THAT(fired[2].wait(), PersistenceIs(Persistence::not_persisted));
  EXPECT_FALSE(dispatcher.fire("b", "x").done());
  memory_->release();
  EXPECT_THAT(fired[0].wait(), IsOk());
  EXPECT_THAT(fired[1].wait(), IsOk());
}

TEST_F(DispatcherTest, WhoHearsOfAnOutcomeHasRoomForTheNextFire) {
  auto& dispatcher = make({"a"}, [](BrokerConfig& config) { config.max_queued_messages = 1; });
  for (int i = 0; i < 1'000; ++i) ASSERT_THAT(dispatcher.fire("a", "x").wait(), IsOk()) << i;
  Gate gate;
  int left = 1'000;
  std::vector<StatusCode> codes;
  DeliveryCallback again = [&](const DeliveryReport& report) {
    codes.push_back(report.status.code());
    if (--left == 0) return gate.open();
    dispatcher.fire("a", "x", again);
  };
  dispatcher.fire("a", "x", again);
  ASSERT_TRUE(gate.wait());
  EXPECT_THAT(codes, ::testing::Each(StatusCode::ok));
}

TEST_F(DispatcherTest, BoundsCountBytes) {
  memory_->hold();
  auto& dispatcher = make({"a"}, [](BrokerConfig& config) { config.max_queued_bytes = 100; });
  EXPECT_FALSE(dispatcher.fire("a", std::string(60, 'x')).done());
  EXPECT_THAT(dispatcher.fire("a", std::string(60, 'x')).wait(), HasCode(StatusCode::queue_full));
  EXPECT_FALSE(dispatcher.fire("a", std::string(40, 'x')).done());
  EXPECT_THAT(dispatcher.fire("a", std::string(101, 'x')).wait(), HasCode(StatusCode::too_large));
  EXPECT_EQ(dispatcher.stats().brokers.at("a").queued_bytes, 100U);
  memory_->release();
}

TEST_F(DispatcherTest, BlockWaitsForRoom) {
  memory_->hold();
  auto& dispatcher = make({"a"}, [](BrokerConfig& config) {
    config.max_queued_messages = 1;
    config.overflow = Overflow::block;
    config.max_block = 30s;
  });
  const Delivery first = dispatcher.fire("a", "1");
  std::thread releases([&] { memory_->release(); });
  EXPECT_THAT(dispatcher.fire("a", "2").wait(), IsOk());
  releases.join();
  EXPECT_THAT(first.wait(), IsOk());
}

TEST_F(DispatcherTest, BlockGivesUpAfterItsBudget) {
  memory_->hold();
  auto& dispatcher = make({"a"}, [](BrokerConfig& config) {
    config.max_queued_messages = 1;
    config.overflow = Overflow::block;
    config.max_block = 30ms;
  });
  const Delivery first = dispatcher.fire("a", "1");
  const auto begin = Clock::now();
  EXPECT_THAT(dispatcher.fire("a", "2").wait(), HasCode(StatusCode::queue_full));
  EXPECT_GE(Clock::now() - begin, 30ms);
  memory_->release();
}

TEST_F(DispatcherTest, CloseFreesAProducerThatBlocks) {
  memory_->hold();
  auto& dispatcher = make({"a"}, [](BrokerConfig& config) {
    config.max_queued_messages = 1;
    config.overflow = Overflow::block;
    config.max_block = 60s;
  });
  const Delivery first = dispatcher.fire("a", "1");
  std::thread blocked([&] { EXPECT_THAT(dispatcher.fire("a", "2").wait(), HasCode(StatusCode::closed)); });
  EXPECT_EQ(dispatcher.close(0s).abandoned, 1U);
  blocked.join();
}

TEST_F(DispatcherTest, DropOldestReportsTheOldest) {
  memory_->block();
  auto& dispatcher = make({"a"}, [](BrokerConfig& config) {
    config.max_queued_messages = 2;
    config.overflow = Overflow::drop_oldest;
  });
  std::vector<Delivery> fired;
  for (int i = 0; i < 3; ++i) fired.push_back(dispatcher.fire("a", std::to_string(i)));
  EXPECT_THAT(fired[0].wait(), HasCode(StatusCode::queue_full));
  memory_->unblock();
  EXPECT_THAT(fired[1].wait(), IsOk());
  EXPECT_THAT(fired[2].wait(), IsOk());
}

TEST_F(DispatcherTest, RetriesALostConfirmationWithTheSameId) {
  auto& dispatcher = make({"a"});
  memory_->lose_confirmation_next();
  const Delivery delivery = dispatcher.fire("a", "once");
  EXPECT_THAT(delivery.wait(), IsOk());
  EXPECT_EQ(delivery.wait().attempts, 2U);
  const auto messages = memory_->messages("a");
  ASSERT_THAT(messages, SizeIs(2));
  EXPECT_EQ(messages[0].id, messages[1].id);
  EXPECT_EQ(dispatcher.stats().brokers.at("a").retried, 1U);
}

TEST_F(DispatcherTest, RecoversWhenTheBrokerComesBack) {
  memory_->go_down();
  auto& dispatcher = make({"a"});
  const Delivery delivery = dispatcher.fire("a", "x");
  memory_->go_up();
  EXPECT_THAT(delivery.wait(), IsOk());
}

TEST_F(DispatcherTest, CallbacksRunOnceOnTheLanesThread) {
  auto& dispatcher = make({"a"});
  std::atomic<int> calls{0};
  std::thread::id where;
  static_cast<void>(dispatcher.fire("a", "x", [&](const DeliveryReport& report) {
    EXPECT_THAT(report, IsOk());
    where = std::this_thread::get_id();
    ++calls;
  }));
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_EQ(calls, 1);
  EXPECT_NE(where, std::this_thread::get_id());
}

TEST_F(DispatcherTest, OnFailureHearsOfForgottenFires) {
  std::mutex mutex;
  std::vector<DeliveryReport> failures;
  auto& dispatcher = make({"a"}, {}, hearing_failures([&](const DeliveryReport& report) {
                            const std::lock_guard lock(mutex);
                            failures.push_back(report);
                          }));
  memory_->unroutable_next();
  dispatcher.fire("a", "lost");
  dispatcher.fire("a", "kept");
  ASSERT_TRUE(dispatcher.flush(30s));
  const std::lock_guard lock(mutex);
  ASSERT_THAT(failures, SizeIs(1));
  EXPECT_THAT(failures[0], HasCode(StatusCode::unroutable));
  EXPECT_EQ(failures[0].message_id.size(), 36U);
}

TEST_F(DispatcherTest, ExceptionsInCallbacksAreCaughtAndCounted) {
  auto& dispatcher = make({"a"}, {}, hearing_failures([](const DeliveryReport&) { throw 42; }));
  static_cast<void>(dispatcher.fire("a", "x", [](const DeliveryReport&) { throw std::runtime_error("oops"); }));
  memory_->unroutable_next(1, "a");
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_THAT(dispatcher.fire("nobody", "x").wait(), HasCode(StatusCode::not_found));
  EXPECT_GE(dispatcher.stats().callback_exceptions, 2U);
  EXPECT_THAT(dispatcher.fire("a", "still alive").wait_for(30s), ::testing::NotNull());
}

TEST_F(DispatcherTest, NothingHangsInACallback) {
  auto& dispatcher = make({"a"}, [](BrokerConfig& config) {
    config.max_queued_messages = 1;
    config.overflow = Overflow::block;
    config.max_block = 60s;
  });
  Gate done;
  static_cast<void>(dispatcher.fire("a", "x", [&](const DeliveryReport&) {
    EXPECT_THROW(dispatcher.flush(1s), std::logic_error);
    EXPECT_THROW(dispatcher.close(1s), std::logic_error);
    const Delivery takes_the_room = dispatcher.fire("a", "y");
    EXPECT_FALSE(takes_the_room.done());
    // On any other thread this would block.
    const Delivery refused = dispatcher.fire("a", "z");
    ASSERT_TRUE(refused.done());
    EXPECT_THAT(refused.wait(), HasCode(StatusCode::queue_full));
    done.open();
  }));
  EXPECT_TRUE(done.wait());
}

TEST_F(DispatcherTest, InAChildOfForkItIsDeadAndHarmless) {
  auto& dispatcher = make({"a"});
  memory_->hold();
  const Delivery waiting = dispatcher.fire("a", "of the parent");
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);  // rather than hang
    const DeliveryReport report = dispatcher.fire("a", "of the child").wait();
    const bool closed = report.status.code() == StatusCode::closed;
    const bool flushed = dispatcher.flush(10s);
    const bool complete = dispatcher.close(10s).complete();
    dispatcher_.reset();
    _exit(closed && !flushed && complete ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  memory_->release();
  EXPECT_THAT(waiting.wait(), IsOk());
  EXPECT_THAT(dispatcher.fire("a", "still there").wait(), IsOk());
  EXPECT_EQ(memory_->messages("a").size(), 2U);
}

TEST_F(DispatcherTest, WaitingInACallbackThrows) {
  auto& dispatcher = make({"a"});
  Gate done;
  static_cast<void>(dispatcher.fire("a", "x", [&](const DeliveryReport&) {
    const Delivery other = dispatcher.fire("a", "y");
    EXPECT_THROW(static_cast<void>(other.wait()), std::logic_error);
    EXPECT_THROW(static_cast<void>(other.wait_for(1s)), std::logic_error);
    EXPECT_EQ(other.wait_for(0s), nullptr);
    done.open();
  }));
  EXPECT_TRUE(done.wait());
}

TEST_F(DispatcherTest, AnExecutorTakesCallbacksOffTheLane) {
  std::mutex mutex;
  std::vector<std::function<void()>> tasks;
  DispatcherOptions options;
  options.executor = [&](std::function<void()> task) {
    const std::lock_guard lock(mutex);
    tasks.push_back(std::move(task));
  };
  auto& dispatcher = make({"a"}, {}, std::move(options));
  int calls = 0;
  static_cast<void>(dispatcher.fire("a", "x", [&](const DeliveryReport& report) {
    EXPECT_THAT(report, IsOk());
    ++calls;
  }));
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_EQ(calls, 0);
  const std::lock_guard lock(mutex);
  ASSERT_THAT(tasks, SizeIs(1));
  tasks[0]();
  EXPECT_EQ(calls, 1);
}

TEST_F(DispatcherTest, ASlowCallbackIsCountedAndLogged) {
  std::mutex mutex;
  std::vector<std::string> log;
  DispatcherOptions options;
  options.slow_callback = 0ms;
  options.log = [&](LogLevel, std::string_view, std::string_view text) {
    const std::lock_guard lock(mutex);
    log.emplace_back(text);
  };
  auto& dispatcher = make({"a"}, {}, std::move(options));
  static_cast<void>(dispatcher.fire("a", "x", [](const DeliveryReport&) { std::this_thread::sleep_for(20ms); }));
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_EQ(dispatcher.stats().slow_callbacks, 1U);
  const std::lock_guard lock(mutex);
  EXPECT_THAT(log, ::testing::Contains(HasSubstr("a callback for 'a' took")));
}

TEST_F(DispatcherTest, FlushIsBounded) {
  memory_->hold();
  auto& dispatcher = make({"a"});
  dispatcher.fire("a", "x");
  EXPECT_FALSE(dispatcher.flush(10ms));
  memory_->release();
  EXPECT_TRUE(dispatcher.flush(30s));
}

TEST_F(DispatcherTest, CloseReportsWhatIsLeft) {
  memory_->hold();
  auto& dispatcher = make({"a", "b"});
  const Delivery left = dispatcher.fire("a", "x");
  dispatcher.fire("b", "x");
  const CloseReport report = dispatcher.close(10ms);
  EXPECT_FALSE(report.complete());
  EXPECT_EQ(report.abandoned, 2U);
  EXPECT_EQ(report.abandoned_by_broker.at("a"), 1U);
  EXPECT_THAT(left.wait(), HasCode(StatusCode::closed));
  EXPECT_THAT(left.wait(), PersistenceIs(Persistence::possibly_persisted));
  const Delivery late = dispatcher.fire("a", "late");
  ASSERT_TRUE(late.done());
  EXPECT_THAT(late.wait(), HasCode(StatusCode::closed));
  EXPECT_TRUE(dispatcher.close(1s).complete()) << "the second close finds nothing";
  EXPECT_TRUE(dispatcher.flush(0s)) << "everything has its outcome";
}

TEST_F(DispatcherTest, TheDestructorDelivers) {
  make({"a"});
  for (int i = 0; i < 100; ++i) dispatcher_->fire("a", "x");
  dispatcher_.reset();
  EXPECT_THAT(memory_->messages("a"), SizeIs(100));
}

TEST_F(DispatcherTest, ADeliveryOutlivesItsDispatcher) {
  Delivery delivery = make({"a"}).fire("a", "x");
  const Delivery copy = delivery;
  dispatcher_.reset();
  EXPECT_THAT(copy.wait(), IsOk());
}

TEST_F(DispatcherTest, MayBeDestroyedInItsOwnCallback) {
  BrokerRegistry registry;
  registry.add("subject", memory_->maker());
  auto dispatcher = std::make_unique<TriggerDispatcher>(tests::config_of({"a"}), registry);
  Gate done;
  const Delivery delivery = dispatcher->fire("a", "x", [&](const DeliveryReport&) {
    dispatcher.reset();
    done.open();
  });
  EXPECT_TRUE(done.wait());
  EXPECT_THAT(delivery.wait(), IsOk());
}

TEST_F(DispatcherTest, ADefaultDeliverySaysThatItBelongsToNothing) {
  EXPECT_THROW(static_cast<void>(Delivery().done()), std::logic_error);
  EXPECT_THROW(static_cast<void>(Delivery().wait()), std::logic_error);
}

TEST_F(DispatcherTest, FiresRacingWithCloseAllHaveOneOutcome) {
  for (int round = 0; round < 50; ++round) {
    auto& dispatcher = make({"a"});
    std::atomic<int> reports{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 200; ++i) {
          static_cast<void>(dispatcher.fire("a", "x", [&](const DeliveryReport&) { ++reports; }));
        }
      });
    }
    dispatcher.close(1ms);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(reports, 600);
    const BrokerStats stats = dispatcher.stats().brokers.at("a");
    EXPECT_EQ(stats.fired, 600U);
    EXPECT_EQ(stats.delivered + stats.failed, 600U);
    dispatcher_.reset();
  }
}

TEST_F(DispatcherTest, ClosesAtAnyMomentTenThousandTimes) {
  std::mt19937 random(7);
  std::uint64_t delivered = 0;
  std::uint64_t closed = 0;
  for (int round = 0; round < 10'000; ++round) {
    auto& dispatcher = make({"a", "b"});
    std::atomic<unsigned> reports{0};
    const unsigned fires = random() % 16;
    const unsigned close_after = random() % 16;  // some of the fires come too late
    std::thread closer;
    const auto grace = std::chrono::microseconds(random() % 3 == 0 ? 0 : random() % 300);
    for (unsigned i = 0; i < fires; ++i) {
      if (i == close_after) closer = std::thread([&dispatcher, grace] { dispatcher.close(grace); });
      dispatcher.fire(i % 2 == 0 ? "a" : "b", "x", [&](const DeliveryReport& report) {
        ++reports;
        if (report.status.ok()) dispatcher.fire("b", "from a callback");
      });
    }
    if (closer.joinable()) closer.join();
    if (random() % 2 == 0) dispatcher.close(grace);
    const auto stats = dispatcher.stats();
    dispatcher_.reset();
    ASSERT_EQ(reports, fires) << "round " << round;
    for (const auto& [name, of_name] : stats.brokers) {
      delivered += of_name.delivered;
      closed += of_name.by_status[static_cast<std::size_t>(StatusCode::closed)];
    }
  }
  EXPECT_GT(delivered, 1'000U);
  EXPECT_GT(closed, 1'000U);
}

TEST_F(DispatcherTest, KeepsCausalOrderBetweenThreads) {
  auto& dispatcher = make({"a"}, [](BrokerConfig& config) { config.max_queued_messages = 1'000'000; });
  constexpr int count = 20'000;
  std::atomic<int> turn{0};
  const auto player = [&](int me) {
    for (;;) {
      const int now = turn.load();
      if (now >= count) return;
      if (now % 2 != me) {
        std::this_thread::yield();
        continue;
      }
      dispatcher.fire("a", std::to_string(now));
      turn.store(now + 1);
    }
  };
  std::thread other(player, 1);
  player(0);
  other.join();
  ASSERT_TRUE(dispatcher.flush(60s));
  const auto messages = memory_->messages("a");
  ASSERT_THAT(messages, SizeIs(count));
  for (int i = 0; i < count; ++i) ASSERT_EQ(messages[static_cast<std::size_t>(i)].body, std::to_string(i));
}

TEST_F(DispatcherTest, ALaneLooksForTheNextMessageByItselfForAMoment) {
  auto& dispatcher = make({"orders"});
  EXPECT_THAT(dispatcher.fire("orders", "first").wait(), IsOk());
  const std::int64_t before = sleeps_of_lanes();
  const TimePoint begin = Clock::now();
  for (int i = 1; i <= 2'000; ++i) {
    dispatcher.fire("orders", "another");
    while (Clock::now() < begin + i * 20us) {  // a hook that fires again soon
    }
  }
  // Each nap is 150 µs long. A lane that slept until it was woken would do so for each message, every 20 µs.
  EXPECT_LT(sleeps_of_lanes() - before, (Clock::now() - begin) / 100us + 20);
  EXPECT_GT(sleeps_of_lanes(), 0) << "that is its thread's name no more";
}

TEST_F(DispatcherTest, StatsAddUp) {
  auto& dispatcher = make({"a"});
  memory_->unroutable_next(3);
  for (int i = 0; i < 10; ++i) dispatcher.fire("a", "x");
  ASSERT_TRUE(dispatcher.flush(30s));
  const BrokerStats stats = dispatcher.stats().brokers.at("a");
  EXPECT_EQ(stats.fired, 10U);
  EXPECT_EQ(stats.delivered, 7U);
  EXPECT_EQ(stats.failed, 3U);
  EXPECT_EQ(stats.by_status[static_cast<std::size_t>(StatusCode::unroutable)], 3U);
  EXPECT_EQ(stats.queued, 0U);
  EXPECT_EQ(stats.state, ConnectionState::connected);
  EXPECT_THAT(stats.last_error, HasSubstr("unroutable"));
  EXPECT_GT(stats.latency_p50, 0ns);
  EXPECT_LE(stats.latency_p50, stats.latency_p99);
  EXPECT_LE(stats.latency_p99, stats.latency_max);
}

TEST_F(DispatcherTest, AMockBrokerAnswersForTheHook) {
  auto mock = std::make_shared<testing::NiceMockBroker>();
  EXPECT_CALL(*mock, publish(std::string_view("a"), testing::BodyIs("x")))
      .WillOnce(::testing::Return(Status(StatusCode::too_large, "no")));
  BrokerRegistry registry;
  registry.add("subject", testing::maker(mock));
  TriggerDispatcher dispatcher(tests::config_of({"a"}), registry);
  EXPECT_THAT(dispatcher.fire("a", "x").wait(), HasCode(StatusCode::too_large));
}

TEST_F(DispatcherTest, LogsWhatTheConfigurationWarnsOf) {
  Config config = tests::config_of({"a"});
  config.warnings.push_back({.broker = "a", .text = "plaintext to a remote host"});
  BrokerRegistry registry;
  registry.add("subject", memory_->maker());
  std::vector<std::string> said;
  DispatcherOptions options;
  options.log = [&said](LogLevel level, std::string_view component, std::string_view text) {
    if (level == LogLevel::warning) said.push_back(std::string(component) + ": " + std::string(text));
  };
  { const TriggerDispatcher dispatcher(config, registry, std::move(options)); }
  EXPECT_THAT(said, ElementsAre("config: a: plaintext to a remote host"));
}

TEST_F(DispatcherTest, ATypeTheRegistryCannotMakeIsAnError) {
  EXPECT_THROW(TriggerDispatcher(tests::config_of({"a"}), BrokerRegistry()), std::runtime_error);
}

}  // namespace
}  // namespace action_triggers
