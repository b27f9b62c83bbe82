// SPDX-License-Identifier: MIT
#include "base/thread.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include "support/gate.hpp"

namespace action_triggers::detail {
namespace {

std::string name_of_a_thread_called(const std::string& name) {
  std::array<char, 64> text{};
  Thread(name, [&text] { pthread_getname_np(pthread_self(), text.data(), text.size()); }).join();
  return text.data();
}

TEST(ThreadTest, HasItsNameCutToFifteenCharacters) {
  EXPECT_EQ(name_of_a_thread_called("at-kafka"), "at-kafka");
  EXPECT_EQ(name_of_a_thread_called("exactly-fifteen"), "exactly-fifteen");
  EXPECT_EQ(name_of_a_thread_called("at-a-type-with-a-long-name"), "at-a-type-with-");
}

TEST(ThreadTest, BlocksTheApplicationsSignalsAndNotItsOwnFaults) {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  sigset_t blocked;
  Thread("at-test", [&blocked] { pthread_sigmask(SIG_SETMASK, nullptr, &blocked); }).join();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGALRM, SIGCHLD, SIGPIPE}) {
    EXPECT_EQ(sigismember(&blocked, signal), 1) << signal;
  }
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP}) EXPECT_EQ(sigismember(&blocked, signal), 0);
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int signal = 1; signal < SIGRTMIN; ++signal) {
    EXPECT_EQ(sigismember(&after, signal), sigismember(&before, signal)) << "of the thread that started it: " << signal;
  }
}

TEST(ThreadTest, HasAStackOfSixteenMebibytes) {
  std::size_t stack = 0;
  Thread("at-test", [&stack] {
    pthread_attr_t attributes;
    ASSERT_EQ(pthread_getattr_np(pthread_self(), &attributes), 0);
    void* lowest = nullptr;
    EXPECT_EQ(pthread_attr_getstack(&attributes, &lowest, &stack), 0);
    pthread_attr_destroy(&attributes);
  }).join();
  EXPECT_GE(stack, std::size_t{16} << 20U);
}

TEST(ThreadTest, KnowsWhetherItIsTheCurrentOne) {
  tests::Gate made;
  bool is_current = false;
  Thread thread;
  EXPECT_FALSE(thread.joinable());
  EXPECT_FALSE(thread.is_current());
  thread = Thread("at-test", [&] {
    EXPECT_TRUE(made.wait());
    is_current = thread.is_current();
  });
  EXPECT_TRUE(thread.joinable());
  EXPECT_FALSE(thread.is_current());
  made.open();
  thread.join();
  EXPECT_TRUE(is_current);
  EXPECT_FALSE(thread.joinable());
}

TEST(ThreadTest, TheDestructorJoins) {
  bool ran = false;
  {
    const Thread thread("at-test", [&ran] { ran = true; });
  }
  EXPECT_TRUE(ran);
}

TEST(ThreadTest, AMovedThreadIsTheOthers) {
  bool ran = false;
  Thread first("at-test", [&ran] { ran = true; });
  Thread second(std::move(first));
  EXPECT_FALSE(first.joinable());  // NOLINT(bugprone-use-after-move): that is the point
  second.join();
  EXPECT_TRUE(ran);
}

TEST(ThreadTest, ADetachedThreadIsNotWaitedFor) {
  tests::Gate gone;
  tests::Gate ran;
  {
    Thread thread("at-test", [&] {
      EXPECT_TRUE(gone.wait());
      ran.open();
    });
    thread.detach();
    EXPECT_FALSE(thread.joinable());
  }
  gone.open();
  EXPECT_TRUE(ran.wait());
}

}  // namespace
}  // namespace action_triggers::detail
