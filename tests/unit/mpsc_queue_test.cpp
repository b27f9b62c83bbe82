// SPDX-License-Identifier: MIT
#include "dispatch/mpsc_queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <deque>
#include <thread>
#include <vector>

namespace action_triggers::detail {
namespace {

struct Numbered : QueueNode {
  std::size_t producer = 0;
  std::size_t number = 0;
};

std::deque<Numbered> numbered(std::size_t count, std::size_t producer = 0) {
  std::deque<Numbered> nodes(count);
  for (std::size_t i = 0; i < count; ++i) {
    nodes[i].producer = producer;
    nodes[i].number = i;
  }
  return nodes;
}

/// The next one, which is there or about to be.
const Numbered& next_of(MpscQueue& queue) {
  for (;;) {
    if (QueueNode* node = queue.pop()) return static_cast<Numbered&>(*node);
    std::this_thread::yield();
  }
}

TEST(MpscQueueTest, ANewQueueIsEmpty) {
  MpscQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.pop(), nullptr);
}

TEST(MpscQueueTest, ComesOutInTheOrderOfPushing) {
  MpscQueue queue;
  auto nodes = numbered(100);
  for (Numbered& node : nodes) queue.push(&node);
  EXPECT_FALSE(queue.empty());
  for (Numbered& node : nodes) ASSERT_EQ(queue.pop(), &node);
  EXPECT_EQ(queue.pop(), nullptr);
  EXPECT_TRUE(queue.empty());
}

TEST(MpscQueueTest, AChainComesOutAsOne) {
  MpscQueue queue;
  auto nodes = numbered(5);
  nodes[1].next_in_queue.store(&nodes[2], std::memory_order_relaxed);
  nodes[2].next_in_queue.store(&nodes[3], std::memory_order_relaxed);
  nodes[3].next_in_queue.store(&nodes[0], std::memory_order_relaxed);  // of an earlier use
  queue.push(&nodes[0]);
  queue.push(&nodes[1], &nodes[3]);
  queue.push(&nodes[4]);
  for (Numbered& node : nodes) ASSERT_EQ(queue.pop(), &node);
  EXPECT_EQ(queue.pop(), nullptr);
  EXPECT_TRUE(queue.empty());
}

TEST(MpscQueueTest, RunsEmptyAndFillsAgain) {
  MpscQueue queue;
  auto nodes = numbered(7);
  for (std::size_t round = 0; round < 1'000; ++round) {
    const std::size_t count = round % nodes.size() + 1;
    for (std::size_t i = 0; i < count; ++i) queue.push(&nodes[i]);
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(queue.pop(), &nodes[i]);
    ASSERT_TRUE(queue.empty());
    ASSERT_EQ(queue.pop(), nullptr);
  }
}

TEST(MpscQueueTest, ANodeMayBePushedAgainAsSoonAsItCameOut) {
  MpscQueue queue;
  auto nodes = numbered(3);
  for (Numbered& node : nodes) queue.push(&node);
  for (std::size_t i = 0; i < 1'000; ++i) {
    QueueNode* const node = queue.pop();
    ASSERT_EQ(node, &nodes[i % nodes.size()]);
    queue.push(node);
  }
}

TEST(MpscQueueTest, IsNotEmptyBetweenAPushAndItsPop) {
  MpscQueue queue;
  constexpr std::size_t count = 20'000;
  auto nodes = numbered(count);
  std::atomic<std::size_t> pushed{0};
  std::thread producer([&] {
    for (Numbered& node : nodes) {
      queue.push(&node);
      pushed.fetch_add(1);
    }
  });
  for (std::size_t popped = 0; popped < count;) {
    if (pushed.load() > popped) {
      ASSERT_FALSE(queue.empty()) << "with " << popped << " taken out";
      ASSERT_EQ(next_of(queue).number, popped);
      ++popped;
    } else {
      std::this_thread::yield();
    }
  }
  producer.join();
  EXPECT_TRUE(queue.empty());
}

TEST(MpscQueueTest, KeepsTheOrderOfEachOfManyProducers) {
  MpscQueue queue;
  constexpr std::size_t producers = 4;
  constexpr std::size_t count = 20'000;
  std::vector<std::deque<Numbered>> nodes;
  for (std::size_t p = 0; p < producers; ++p) nodes.push_back(numbered(count, p));
  std::vector<std::thread> threads;
  for (std::size_t p = 0; p < producers; ++p) {
    threads.emplace_back([&queue, &own = nodes[p]] {
      for (Numbered& node : own) queue.push(&node);
    });
  }
  std::array<std::size_t, producers> next{};
  bool in_order = true;
  for (std::size_t i = 0; i < producers * count; ++i) {
    const Numbered& node = next_of(queue);
    in_order = in_order && node.number == next[node.producer]++;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(in_order);
  EXPECT_TRUE(queue.empty());
}

TEST(MpscQueueTest, KeepsCausalOrderBetweenProducers) {
  MpscQueue queue;
  constexpr std::size_t count = 5'000;
  auto nodes = numbered(count);
  std::atomic<std::size_t> turn{0};
  const auto player = [&](std::size_t me) {
    for (std::size_t now = turn.load(); now < count; now = turn.load()) {
      if (now % 2 == me) {
        queue.push(&nodes[now]);
        turn.store(now + 1);
      } else {
        std::this_thread::yield();
      }
    }
  };
  std::thread even(player, 0);
  std::thread odd(player, 1);
  bool in_order = true;
  for (std::size_t i = 0; i < count; ++i) in_order = in_order && next_of(queue).number == i;
  even.join();
  odd.join();
  EXPECT_TRUE(in_order);
}

}  // namespace
}  // namespace action_triggers::detail
