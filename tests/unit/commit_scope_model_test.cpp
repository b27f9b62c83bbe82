// SPDX-License-Identifier: MIT
// CommitScope against a simple model, in random sequences of calls; and many scopes on many threads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "action_triggers/action_triggers.hpp"
#include "support/dispatcher_test.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;

constexpr std::array<const char*, 3> names{"a", "b", "c"};
constexpr std::size_t limit = 12;  // of each destination

/// What a scope should do: a list of what was fired, and positions in it.
struct Model {
  struct Fired {
    std::size_t destination = 0;
    std::string body;
    Delivery delivery;
  };
  std::vector<Fired> held;
  struct Mark {
    CommitScope::Savepoint savepoint;
    std::size_t size = 0;
    bool is_there = true;
  };
  std::vector<Mark> marks;  // those that are not there any more, too

  std::vector<Fired> take_from(std::size_t size) {
    std::vector<Fired> taken(held.begin() + static_cast<std::ptrdiff_t>(size), held.end());
    held.resize(size);
    return taken;
  }
};

class CommitScopeModelTest : public tests::DispatcherTest {
 protected:
  void run(unsigned seed) {
    random_.seed(seed);
    Model model;
    CommitScope scope(*dispatcher_);
    for (int step = 0; step < 60; ++step) {
      switch (random_() % 10) {
        case 0:
          model.marks.push_back({scope.savepoint(), model.held.size()});
          break;
        case 1:
          roll_back_to(scope, model);
          break;
        case 2:
          release(scope, model);
          break;
        case 3:
          scope.commit();
          finish(model.take_from(0), StatusCode::ok, true);
          for (Model::Mark& mark : model.marks) mark.is_there = false;
          break;
        case 4:
          scope.rollback();
          finish(model.take_from(0), StatusCode::rolled_back, false);
          for (Model::Mark& mark : model.marks) mark.is_there = false;
          break;
        default:
          fire(scope, model);
      }
      ASSERT_EQ(scope.size(), model.held.size());
      ASSERT_NO_FATAL_FAILURE(look_at_counts(model));
    }
    for (const Model::Fired& one : model.held) ASSERT_FALSE(one.delivery.done());
  }

  void fire(CommitScope& scope, Model& model) {
    const std::size_t destination = random_() % names.size();
    const std::string body = std::to_string(next_++);
    const Delivery delivery = scope.fire(names[destination], body);
    std::size_t held = 0;
    for (const Model::Fired& one : model.held) held += one.destination == destination ? 1 : 0;
    ASSERT_EQ(delivery.done(), held == limit);
    if (held == limit) {
      ASSERT_EQ(delivery.wait().status.code(), StatusCode::queue_full);
    } else {
      model.held.push_back({destination, body, delivery});
    }
  }

  void roll_back_to(CommitScope& scope, Model& model) {
    if (model.marks.empty()) return;
    Model::Mark& mark = model.marks[random_() % model.marks.size()];
    if (!mark.is_there) {
      ASSERT_THROW(scope.rollback_to(mark.savepoint), std::invalid_argument);
      return;
    }
    scope.rollback_to(mark.savepoint);
    finish(model.take_from(mark.size), StatusCode::rolled_back, false);
    for (Model::Mark* younger = &mark + 1; younger <= &model.marks.back(); ++younger) younger->is_there = false;
  }

  void release(CommitScope& scope, Model& model) {
    if (model.marks.empty()) return;
    Model::Mark& mark = model.marks[random_() % model.marks.size()];
    if (!mark.is_there) {
      ASSERT_THROW(scope.release(mark.savepoint), std::invalid_argument);
      return;
    }
    scope.release(mark.savepoint);
    for (Model::Mark* younger = &mark; younger <= &model.marks.back(); ++younger) younger->is_there = false;
  }

  void finish(const std::vector<Model::Fired>& ended, StatusCode code, bool arrives) {
    for (const Model::Fired& one : ended) {
      ASSERT_TRUE(arrives || one.delivery.done());
      ASSERT_EQ(one.delivery.wait().status.code(), code);
      if (arrives) arrived_[one.destination].push_back(one.body);
    }
    ASSERT_TRUE(dispatcher_->flush(1min));
    for (std::size_t i = 0; i < names.size(); ++i) {
      std::vector<std::string> bodies;
      for (const Message& message : memory_->messages(names[i])) bodies.push_back(message.body);
      ASSERT_EQ(bodies, arrived_[i]);
    }
  }

  void look_at_counts(const Model& model) {
    std::array<std::size_t, names.size()> held{};
    std::array<std::size_t, names.size()> bytes{};
    for (const Model::Fired& one : model.held) {
      ++held[one.destination];
      bytes[one.destination] += one.body.size();
    }
    const Stats stats = dispatcher_->stats();
    for (std::size_t i = 0; i < names.size(); ++i) {
      const BrokerStats& of = stats.brokers.at(names[i]);
      ASSERT_EQ(of.queued, held[i]);
      ASSERT_EQ(of.queued_bytes, bytes[i]);
      ASSERT_EQ(of.fired, of.delivered + of.failed + of.by_status[static_cast<std::size_t>(StatusCode::rolled_back)]);
    }
  }

  std::mt19937 random_;
  std::size_t next_ = 0;
  std::array<std::vector<std::string>, names.size()> arrived_;
};

TEST_F(CommitScopeModelTest, DoesAsTheModelDoes) {
  make({"a", "b", "c"}, [](BrokerConfig& config) {
    config.max_queued_messages = limit;
    if (config.name == "c") config.connection_key = "of its own";
  });
  for (unsigned seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    ASSERT_NO_FATAL_FAILURE(run(seed));
  }
}

/// What is committed at once stays together and in order at each destination, however many commit and fire beside it.
TEST_F(CommitScopeModelTest, ScopesOfManyThreadsStayTogether) {
  make({"a", "b"});
  constexpr int scopes = 200;
  constexpr int messages = 20;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      CommitScope scope(*dispatcher_);
      for (int i = 0; i < scopes; ++i) {
        const std::string id = std::to_string(thread) + ":" + std::to_string(i);
        for (int message = 0; message < messages; ++message) {
          scope.fire("a", id + ":" + std::to_string(message));
          scope.fire("b", id + ":" + std::to_string(message));
        }
        i % 4 == 3 ? scope.rollback() : scope.commit();
        dispatcher_->fire("a", "alone");
        if (i % 20 == 0) dispatcher_->flush(1min);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(dispatcher_->flush(1min));
  for (const char* name : {"a", "b"}) {
    int whole = 0;
    const std::vector<Message> all = memory_->messages(name);
    for (std::size_t i = 0; i < all.size();) {
      if (all[i].body == "alone") {
        ++i;
        continue;
      }
      const std::string id = all[i].body.substr(0, all[i].body.rfind(':') + 1);
      for (int message = 0; message < messages; ++message, ++i) {
        ASSERT_LT(i, all.size());
        ASSERT_EQ(all[i].body, id + std::to_string(message)) << name;
      }
      ++whole;
    }
    EXPECT_EQ(whole, 4 * scopes * 3 / 4) << name;
  }
}

}  // namespace
}  // namespace action_triggers
