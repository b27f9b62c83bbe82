// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <exception>
#include <iostream>

#include "databases/postgresql/server.hpp"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (GTEST_FLAG_GET(list_tests)) return RUN_ALL_TESTS();
  try {
    action_triggers::tests::PgServer::start();
    const int result = RUN_ALL_TESTS();
    action_triggers::tests::PgServer::stop();
    return result;
  } catch (const std::exception& error) {
    std::cerr << "the servers that these tests need: " << error.what() << '\n';
    return 1;
  }
}
