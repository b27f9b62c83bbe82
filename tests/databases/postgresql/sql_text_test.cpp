// SPDX-License-Identifier: MIT
#include "databases/postgresql/sql_text.hpp"

#include <gmock/gmock.h>

#include <array>

#include "base/sql_quotes.hpp"
#include "databases/postgresql/server.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::tests {
namespace {

using detail::pg_text;
using detail::quoted_name;
using detail::StoreError;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::array hostile{"plain",       "with blank",          "o'brien",    "say \"x\"",
                             "back\\slash", "'; DROP TABLE a; --", "$$ $1 $at$", "\xC3\xA4\n\t"};

TEST(SqlText, TheServerReadsNamesAsTheyWere) {
  Sql sql;
  for (const char* name : hostile) {
    const std::string column = quoted_name("a name", name);
    const std::unique_ptr<PGresult, void (*)(PGresult*)> result(PQexec(sql.get(), ("SELECT 1 AS " + column).c_str()),
                                                                PQclear);
    EXPECT_STREQ(PQfname(result.get(), 0), name);
  }
}

TEST(SqlText, TheServerReadsTextsAsTheyWereWhateverItsSettings) {
  Sql sql;
  for (const char* setting : {"on", "off"}) {
    sql("SET standard_conforming_strings = " + std::string(setting));
    for (const char* text : hostile) EXPECT_EQ(sql("SELECT " + pg_text(text)), text);
  }
}

TEST(SqlText, NamesThatPostgresqlCannotHaveAreRefused) {
  EXPECT_THAT([] { (void)quoted_name("outbox.table", ""); },
              ThrowsMessage<StoreError>(HasSubstr("outbox.table is empty")));
  EXPECT_THAT([] { (void)quoted_name("outbox.table", std::string(64, 'x')); },
              ThrowsMessage<StoreError>(HasSubstr("outbox.table has 64 bytes; a name in PostgreSQL has at most 63")));
  EXPECT_NO_THROW((void)quoted_name("outbox.table", std::string(63, 'x')));
  EXPECT_THAT([] { (void)quoted_name("outbox.table", std::string_view("a\0b", 3)); },
              ThrowsMessage<StoreError>(HasSubstr("NUL")));
}

}  // namespace
}  // namespace action_triggers::tests
