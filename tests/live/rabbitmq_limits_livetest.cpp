// SPDX-License-Identifier: MIT
// RabbitMQ, the real one, where it allows less than usual: few channels, small frames.
#include <fstream>
#include <mutex>
#include <sstream>

#include "live/rabbitmq_support.hpp"
#include "support/rabbitmq_setting.hpp"

namespace action_triggers::tests {
namespace {

using testing::HasCode;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::SizeIs;

/// Many exchanges, and connections that are allowed few channels.
class FewChannelsTest : public RabbitMqLiveTest {
 protected:
  static constexpr int exchanges = 12;

  FewChannelsTest() {
    with_pika("[(ch.exchange_declare(\"" + good_ + "\" + str(i), \"fanout\"), ch.queue_declare(\"" + good_ +
              "\"), ch.queue_bind(\"" + good_ + "\", \"" + good_ + "\" + str(i), \"\")) for i in range(" +
              std::to_string(exchanges) + ")]");
  }

  /// Destinations "b0" to "b11" on exchanges, "declared" on a queue, "missing" on an exchange that does not exist.
  [[nodiscard]] Config config(const std::string& conn) const {
    std::string brokers = broker("declared", "rabbitmq", conn, declared(bad_)) + "," +
                          broker("missing", "rabbitmq", conn, R"("exchange": "nowhere", "routing_key": "k")");
    for (int i = 0; i < exchanges; ++i) {
      brokers += "," + broker("b" + std::to_string(i), "rabbitmq", conn,
                              R"("exchange": ")" + good_ + std::to_string(i) + R"(", "routing_key": "k")");
    }
    return config_with(brokers);
  }
  static std::vector<Delivery> fire_at_all(TriggerDispatcher& dispatcher, int each) {
    std::vector<Delivery> deliveries;
    for (int round = 0; round < each; ++round) {
      deliveries.push_back(dispatcher.fire("declared", "x"));
      for (int i = 0; i < exchanges; ++i) deliveries.push_back(dispatcher.fire("b" + std::to_string(i), "x"));
    }
    return deliveries;
  }
  static std::string connections_of(const std::string& user) {
    return Servers::rabbitmqctl("-q list_connections user name | grep '^" + user + "\t' || true");
  }
};

TEST_F(FewChannelsTest, ALimitOfTheUsersIsLearnedAndTheExchangesShare) {
  const std::string user = unique("user");
  Servers::rabbitmqctl("-q add_user " + user + " pw");
  Servers::rabbitmqctl("-q set_permissions " + user + " '.*' '.*' '.*'");
  Servers::rabbitmqctl("-q set_user_limits " + user + " '{\"max-channels\": 5}'");
  std::mutex mutex;
  std::string log;
  {
    DispatcherOptions options;
    options.log = [&](LogLevel, std::string_view, std::string_view text) {
      const std::lock_guard lock(mutex);
      log += std::string(text) + "\n";
    };
    TriggerDispatcher dispatcher(config(rabbitmq_conn(R"(, "username": ")" + user + R"(", "password": "pw")")),
                                 options);
    expect_all_ok(fire_at_all(dispatcher, 1), 20s);
    const std::string connection = connections_of(user);
    for (int round = 0; round < 3; ++round) {
      EXPECT_THAT(dispatcher.fire("missing", "x").wait(), HasCode(StatusCode::not_found));
      expect_all_ok(fire_at_all(dispatcher, 100), 10s);
    }
    EXPECT_EQ(connections_of(user), connection) << "it goes on over the same one";
  }
  EXPECT_THAT(log, HasSubstr("set_user_limits"));
  EXPECT_THAT(log, HasSubstr("channels at most"));
  EXPECT_GE(drain_queue(good_).size(), exchanges * 301U);
  Servers::rabbitmqctl("-q delete_user " + user);
}

TEST_F(FewChannelsTest, ANegotiatedMaximumIsKept) {
  for (const int channels : {2, 4, 16}) {
    const RabbitMqSetting setting("channel_max", channels, 2047);
    TriggerDispatcher dispatcher(config(rabbitmq_conn()));
    expect_all_ok(fire_at_all(dispatcher, 100), 10s);
    EXPECT_THAT(dispatcher.fire("missing", "x").wait(), HasCode(StatusCode::not_found));
    EXPECT_EQ(dispatcher.stats().brokers.at("b0").last_error, "") << channels;
  }
  EXPECT_EQ(drain_queue(good_).size(), 3 * exchanges * 100U);
}

TEST_F(FewChannelsTest, AMessageThatClosesASharedChannelIsFoundAndTheOthersArrive) {
  const MaxMessageSize size(100'000);
  for (const int most : {2, 3, 4}) {
    const RabbitMqSetting channels("channel_max", most, 2047);
    TriggerDispatcher dispatcher(config(rabbitmq_conn()));
    expect_all_ok(fire_at_all(dispatcher, 1), 10s);
    const std::vector<Delivery> around = fire_many(dispatcher, "b3", 100);
    const Delivery large = dispatcher.fire("b3", std::string(200'000, 'x'));
    expect_all_ok(fire_at_all(dispatcher, 50), 10s);
    expect_all_ok(around, 10s);
    EXPECT_THAT(large.wait(), HasCode(StatusCode::too_large)) << most;
    expect_all_ok(fire_at_all(dispatcher, 50), 10s);
  }
}

TEST_F(FewChannelsTest, NoneToPublishOnIsSaid) {
  const RabbitMqSetting setting("channel_max", 1, 2047);
  TriggerDispatcher dispatcher(config_with(rabbitmq("b", queue_named(good_, R"(, "retry": {"max_attempts": 1})"))));
  const DeliveryReport report = dispatcher.fire("b", "x").wait();
  EXPECT_THAT(report, HasCode(StatusCode::unavailable));
  EXPECT_THAT(report.status.message(), HasSubstr("the broker allows 0 publish channels on a connection"));
}

/// Servers that allow smaller frames than usual.
class SmallFramesTest : public RabbitMqLiveTest {
 protected:
  const RabbitMqSetting frame_max_{"frame_max", 8'192, 131'072};
};

TEST_F(SmallFramesTest, BodiesAreCutToTheFrames) {
  TriggerDispatcher dispatcher(config_with(rabbitmq("b", declared(good_))));
  for (const std::size_t size : {8'183UL, 8'184UL, 8'185UL, 1'000'000UL}) {
    EXPECT_THAT(dispatcher.fire("b", std::string(size, 'x')).wait(), IsOk());
  }
  const std::vector<Received> received = drain_queue(good_);
  ASSERT_THAT(received, SizeIs(4));
  EXPECT_EQ(received[3].body, std::string(1'000'000, 'x'));
}

TEST_F(SmallFramesTest, HeadersThatFitNoFrameAreRefusedAndHoldUpNobody) {
  TriggerDispatcher dispatcher(config_with(rabbitmq("b", declared(good_))));
  const auto with_header = [&](std::size_t size) {
    Message message;
    message.body = "x";
    message.id = "i";
    message.headers = {{"h", std::string(size, 'x')}};
    return dispatcher.fire("b", message);
  };
  // The frame, class, weight, size of the body, flags; the table with the header; delivery mode, id and timestamp.
  constexpr std::size_t fits = 8'192 - 8 - 14 - (4 + 2 + 5) - 1 - 2 - 8;
  Delivery large = with_header(fits);
  Delivery too_large = with_header(fits + 1);
  std::vector<Delivery> others = fire_many(dispatcher, "b", 100);
  EXPECT_THAT(large.wait(), IsOk());
  EXPECT_THAT(too_large.wait(), HasCode(StatusCode::invalid_argument));
  EXPECT_THAT(too_large.wait().status.message(), HasSubstr("do not fit one frame of 8192 bytes"));
  EXPECT_THAT(too_large.wait().status.message(), HasSubstr("raise frame_max on the broker"));
  expect_all_ok(others, 5s);
  EXPECT_THAT(drain_queue(good_), SizeIs(101)) << "nothing was sent twice";
}

TEST_F(SmallFramesTest, ADeclarationThatFitsNoFrameIsSaid) {
  const std::string long_argument = R"("x-note": ")" + std::string(9'000, 'x') + "\"";
  TriggerDispatcher dispatcher(
      config_with(rabbitmq("bad", declared(bad_, long_argument)) + "," + rabbitmq("good", declared(good_))));
  for (int round = 0; round < 2; ++round) {
    const DeliveryReport report = dispatcher.fire("bad", "x").wait();
    EXPECT_THAT(report, HasCode(StatusCode::invalid_argument));
    EXPECT_THAT(report.status.message(), HasSubstr("does not fit one frame"));
    EXPECT_THAT(dispatcher.fire("good", "x").wait(), IsOk());
  }
  EXPECT_EQ(dispatcher.stats().brokers.at("good").last_error, "");
}

/// RabbitMQ 4 keeps files of every queue open: with the 1024 of a login it dies when hundreds of queues start at once.
TEST(PrivateRabbitMqTest, MayOpenAsManyFilesAsTheMachineAllows) {
  std::ifstream limits("/proc/" + Servers::variable("AT_RABBITMQ_PID") + "/limits");
  std::string soft;
  std::string hard;
  const std::string_view files = "Max open files";
  for (std::string line; std::getline(limits, line);) {
    if (line.starts_with(files)) std::istringstream(line.substr(files.size())) >> soft >> hard;
  }
  EXPECT_THAT(soft, ::testing::AnyOf("65536", hard));
  EXPECT_NE(soft, "");
}

}  // namespace
}  // namespace action_triggers::tests
