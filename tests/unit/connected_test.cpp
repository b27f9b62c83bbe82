// SPDX-License-Identifier: MIT
// Waiting until there is a connection.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "action_triggers/broker.hpp"
#include "action_triggers/broker_registry.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "support/child_process.hpp"
#include "support/gate.hpp"
#include "support/registries.hpp"
#include "support/waiting_call.hpp"
#include "unit/configs.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using tests::config_of;

/// Servers by destination: each can be connected to once it is up.
class Servers {
 public:
  void bring_up(const std::string& name) { change(name, true); }
  void take_down(const std::string& name) { change(name, false); }
  bool is_up(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return servers_[name].is_up;
  }
  void add_client(const std::string& name, Waker waker) {
    const std::lock_guard lock(mutex_);
    servers_[name].client.emplace(std::move(waker));
  }

 private:
  struct Server {
    bool is_up = false;
    std::optional<Waker> client;
  };
  void change(const std::string& name, bool is_up) {
    const std::lock_guard lock(mutex_);
    servers_[name].is_up = is_up;
    if (servers_[name].client) servers_[name].client->wake();
  }

  std::mutex mutex_;
  std::map<std::string, Server> servers_;
};

/// Waits for its server, and delivers what it is given.
class Client final : public Broker {
 public:
  Client(std::shared_ptr<Servers> servers, std::string name) : servers_(std::move(servers)), name_(std::move(name)) {}

  void start(const LaneContext& context) override { servers_->add_client(name_, context.waker); }
  void connect(BrokerEvents& events) override {
    connecting_ = true;
    poll(events);
  }
  void poll(BrokerEvents& events) override {
    const bool is_up = servers_->is_up(name_);
    if (is_up && connecting_) {
      connecting_ = false;
      connected_ = true;
      events.connected();
    } else if (!is_up && connected_) {
      connected_ = false;
      events.disconnected({StatusCode::unavailable, "taken down"});
    }
  }
  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override {
    for (const OutboundMessage* message : batch) events.complete(*message, Outcome::persisted());
    return batch.size();
  }

 private:
  const std::shared_ptr<Servers> servers_;
  const std::string name_;
  bool connecting_ = false;
  bool connected_ = false;
};

class ConnectedTest : public ::testing::Test {
 protected:
  const std::shared_ptr<Servers> servers_ = std::make_shared<Servers>();
  TriggerDispatcher dispatcher_{
      config_of({"a", "b"}, [](BrokerConfig& config) { config.connection_key = config.name; }),
      tests::registry_of(
          [servers = servers_](const BrokerConfig& config) { return std::make_unique<Client>(servers, config.name); })};
};

TEST_F(ConnectedTest, WaitsForEveryConnection) {
  bool connected = false;
  tests::WaitingCall call([&] { connected = dispatcher_.wait_until_connected(60s); });
  EXPECT_TRUE(call.waits());
  servers_->bring_up("a");
  EXPECT_TRUE(call.waits());
  servers_->bring_up("b");
  call.join();
  EXPECT_TRUE(connected);
  EXPECT_TRUE(dispatcher_.wait_until_connected(0s));
  EXPECT_EQ(dispatcher_.stats().brokers.at("b").state, ConnectionState::connected);
}

TEST_F(ConnectedTest, WaitsForOneConnection) {
  servers_->bring_up("b");
  EXPECT_TRUE(dispatcher_.wait_until_connected("b", 60s));
  EXPECT_FALSE(dispatcher_.wait_until_connected("a", 1ms));
  EXPECT_FALSE(dispatcher_.wait_until_connected(1ms));
}

TEST_F(ConnectedTest, WaitsAgainForAConnectionThatIsLost) {
  servers_->bring_up("a");
  ASSERT_TRUE(dispatcher_.wait_until_connected("a", 60s));
  servers_->take_down("a");
  while (dispatcher_.stats().brokers.at("a").state == ConnectionState::connected) std::this_thread::yield();
  bool connected = false;
  tests::WaitingCall call([&] { connected = dispatcher_.wait_until_connected("a", 60s); });
  EXPECT_TRUE(call.waits());
  servers_->bring_up("a");
  call.join();
  EXPECT_TRUE(connected);
}

TEST_F(ConnectedTest, CloseEndsTheWait) {
  bool connected = true;
  tests::WaitingCall call([&] { connected = dispatcher_.wait_until_connected(std::chrono::hours::max()); });
  EXPECT_TRUE(call.waits());
  dispatcher_.close(0s);
  call.join();
  EXPECT_FALSE(connected);
}

TEST_F(ConnectedTest, ADestinationThatThereIsNotIsAnError) {
  try {
    static_cast<void>(dispatcher_.wait_until_connected("odrers", 1s));
    FAIL() << "no exception";
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), HasSubstr("no destination is named 'odrers'"));
  }
}

TEST_F(ConnectedTest, ACallbackMayNotWait) {
  servers_->bring_up("a");
  bool refused_all = false;
  bool refused_one = false;
  dispatcher_.fire("a", "x", [&](const DeliveryReport&) {
    try {
      dispatcher_.wait_until_connected(1s);
    } catch (const std::logic_error&) {
      refused_all = true;
    }
    try {
      dispatcher_.wait_until_connected("a", 1s);
    } catch (const std::logic_error&) {
      refused_one = true;
    }
  });
  ASSERT_TRUE(dispatcher_.flush(60s));
  EXPECT_TRUE(refused_all);
  EXPECT_TRUE(refused_one);
}

TEST_F(ConnectedTest, InAChildOfForkThereIsNoConnection) {
  servers_->bring_up("a");
  ASSERT_TRUE(dispatcher_.wait_until_connected("a", 60s));
  EXPECT_EQ(tests::trouble_in_child([&] {
              ACTION_TRIGGERS_CHILD_EXPECT(!dispatcher_.wait_until_connected(std::chrono::hours::max()));
              ACTION_TRIGGERS_CHILD_EXPECT(!dispatcher_.wait_until_connected("a", std::chrono::hours::max()));
            }),
            "");
}

}  // namespace
}  // namespace action_triggers
