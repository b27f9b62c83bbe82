// SPDX-License-Identifier: MIT
// Arguments: the servers that the tests need, both brokers if there are none.
#include <gtest/gtest.h>

#include <exception>
#include <iostream>
#include <string>

#include "live/servers.hpp"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (GTEST_FLAG_GET(list_tests)) return RUN_ALL_TESTS();
  try {
    std::string servers;
    for (int i = 1; i < argc; ++i) servers.append(i == 1 ? "" : " ").append(argv[i]);
    action_triggers::tests::Servers::start_own(servers.empty() ? "rabbitmq kafka" : servers);
    const int result = RUN_ALL_TESTS();
    action_triggers::tests::Servers::stop();
    return result;
  } catch (const std::exception& error) {
    std::cerr << "the servers that these tests need: " << error.what() << '\n';
    return 1;
  }
}
