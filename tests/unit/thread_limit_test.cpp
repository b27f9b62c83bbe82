// SPDX-License-Identifier: MIT
// Without an address for a stack there is no thread. A sanitizer needs its address space, so this is not a unit test.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

#include "base/thread.hpp"
#include "support/address_space.hpp"
#include "support/child_process.hpp"
#include "support/gate.hpp"

namespace action_triggers::detail {
namespace {

TEST(ThreadLimitTest, ThrowsWhenTheSystemHasNoThread) {
  if (!tests::address_space_can_be_limited()) GTEST_SKIP() << "a sanitizer needs its address space";
  EXPECT_EQ(tests::trouble_in_child([] {
              tests::Gate end;
              std::vector<Thread> threads;
              std::string text;
              int error = 0;
              threads.reserve(16);
              tests::limit_address_space_to_one_more_stack();
              try {
                for (int i = 0; i < 16; ++i) threads.emplace_back("at-test", [&end] { end.wait(); });
              } catch (const std::system_error& failure) {
                error = failure.code().value();
                text = failure.what();
              }
              end.open();
              ACTION_TRIGGERS_CHILD_EXPECT(error == EAGAIN);
              ACTION_TRIGGERS_CHILD_EXPECT(text.find("at-test") != std::string::npos);
            }),
            "");
}

}  // namespace
}  // namespace action_triggers::detail
