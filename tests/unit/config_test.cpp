#include "action_triggers/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace action_triggers {
namespace {
TEST(ConfigTest, Smoke) {
  const Config config = parse_config(R"({"brokers": {"a": {"broker_type": "Memory"}}})");
  EXPECT_NE(config.find_as<MemoryConfig>("a"), nullptr);
}
}  // namespace
}  // namespace action_triggers
