// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <exception>
#include <iostream>

#include "live/servers.hpp"
#include "outbox/outbox_fault.hpp"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (GTEST_FLAG_GET(list_tests)) return RUN_ALL_TESTS();
  using action_triggers::tests::Servers;
  try {
    Servers::start_own(action_triggers::tests::outbox_servers);
    const int result = RUN_ALL_TESTS();
    Servers::stop();
    return result;
  } catch (const std::exception& error) {
    std::cerr << "the servers that these tests need: " << error.what() << '\n';
    return 1;
  }
}
