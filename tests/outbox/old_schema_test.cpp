// SPDX-License-Identifier: MIT
// Tables that an older library has installed: each program says what to do about them, and touches nothing. Compiled
// into a program a database.
#include <gmock/gmock.h>

#include "outbox/outbox_world.hpp"

namespace action_triggers::tests {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class OldSchemaTest : public ::testing::TestWithParam<std::string> {
 protected:
  OldSchemaTest() {
    world_.sql("INSERT INTO action_triggers_outbox (target, message_id, body) VALUES ('orders', 'id', 'old')");
    world_.sql("UPDATE action_triggers_shards SET version = 0");
  }

  /// All that is in the tables.
  std::vector<std::string> everything() {
    std::vector<std::string> rows;
    for (const char* const table : {"outbox", "shards", "dead_letters"}) {
      for (std::string& row : world_.sql("SELECT * FROM action_triggers_" + std::string(table))) {
        rows.push_back(std::move(row));
      }
    }
    return rows;
  }

  OutboxWorld world_{GetParam()};
};

TEST_P(OldSchemaTest, EachProgramSaysWhatToDoAndTouchesNothing) {
  const std::vector<std::string> before = everything();
  using Arguments = std::vector<std::string>;
  for (const Arguments& arguments :
       {Arguments{"relay", "--once"}, Arguments{"outbox", "verify"}, Arguments{"outbox", "install"}}) {
    world_.forget_log();
    EXPECT_EQ(world_.command(arguments), 1) << arguments.front();
    EXPECT_THAT(world_.log(), AllOf(HasSubstr("version 0"), HasSubstr("drop them"))) << arguments.back();
  }
  for (const Arguments& role : {Arguments{"relay"}, Arguments{"write", "run", "3"}}) {
    world_.forget_log();
    EXPECT_EQ(world_.run(role), 1) << role.front();
    EXPECT_THAT(world_.log(), AllOf(HasSubstr("version 0"), HasSubstr("drop them"))) << role.front();
  }
  EXPECT_EQ(everything(), before);
  EXPECT_TRUE(world_.arrived("orders").empty());
}

INSTANTIATE_TEST_SUITE_P(All, OldSchemaTest, ::testing::ValuesIn(variants()),
                         [](const auto& variant) { return variant.param; });

}  // namespace
}  // namespace action_triggers::tests
