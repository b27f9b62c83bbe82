// SPDX-License-Identifier: MIT
#include "databases/postgresql/pg_errors.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "databases/postgresql/pg_outbox_store.hpp"
#include "databases/postgresql/server.hpp"

namespace action_triggers::tests {
namespace {

using detail::pg_conninfo_problem;
using detail::PgOutboxStore;
using detail::StoreError;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// What reopen() says of a connection string.
std::string error_of(const std::string& conninfo) {
  detail::OutboxConfig config;
  config.conninfo = Secret(conninfo);
  PgOutboxStore store(config, {.connect = std::chrono::seconds(5), .statement = std::chrono::seconds(5)});
  try {
    store.reopen();
  } catch (const StoreError& error) {
    return error.what();
  }
  return "no error";
}

std::string with(const std::string& parameters) { return PgServer::conninfo() + "?" + parameters; }

TEST(PgErrors, ConnectionStringsThatCanBeRead) {
  for (const char* conninfo : {"", "host=a password='it\\'s'", "postgresql://u:p%40ss@h:5432/d", "postgres://",
                               "postgresql://h1:1,h2:2/d?target_session_attrs=read-write", "dbname=a@b"}) {
    EXPECT_THAT(pg_conninfo_problem(conninfo), IsEmpty()) << conninfo;
  }
}

TEST(PgErrors, WhatCannotBeReadIsNotShown) {
  // Each has "hunter2" in a place where libpq would quote it.
  for (const char* conninfo :
       {"password=my hunter2", "password='hunter2", "hunter2", "password=a hunter2=b", "postgresql://u:hunter2%zz@h/d",
        "postgresql://u:p@hunter2@h/d", "postgresql://u:hunter2/x@h/d", "postgresql://u:p/hunter2@h/d",
        "postgres://u:hunter2:x@h:1/d@e"}) {
    const std::string text = error_of(conninfo);
    EXPECT_THAT(text, AllOf(HasSubstr("outbox.conninfo"), Not(HasSubstr("hunter2")))) << conninfo;
  }
}

TEST(PgErrors, AWrongPasswordSaysWhatToCheck) {
  const std::string text = error_of(with("password=hunter2"));
  EXPECT_THAT(text, AllOf(HasSubstr("password authentication failed for user \"postgres\""),
                          HasSubstr("check user and password in outbox.conninfo"), Not(HasSubstr("hunter2"))));
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

TEST(PgErrors, ADatabaseThatIsAbsent) {
  EXPECT_THAT(error_of(with("dbname=absent")),
              AllOf(HasSubstr("\"absent\" does not exist"), HasSubstr("create the database")));
}

TEST(PgErrors, AServerThatIsAbsent) {
  EXPECT_THAT(error_of("postgresql://u:hunter2@127.0.0.1:1/d"),
              AllOf(HasSubstr("Connection refused"), Not(HasSubstr("hunter2"))));
}

TEST(PgErrors, AServerThatSaysNothingEndsWithTheTimeout) {
  // Listens, and never accepts.
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  detail::OutboxConfig config;
  config.conninfo = Secret("host=127.0.0.1 port=" + std::to_string(ntohs(address.sin_port)));
  PgOutboxStore store(config, {.connect = std::chrono::milliseconds(50), .statement = std::chrono::seconds(5)});
  EXPECT_THAT([&] { store.reopen(); }, ::testing::ThrowsMessage<StoreError>(HasSubstr("no answer within 50 ms")));
  close(fd);
}

TEST(PgErrors, StatementsWithoutAConnectionSaySo) {
  detail::OutboxConfig config;
  PgOutboxStore store(config);
  EXPECT_THAT([&] { (void)store.acquire(0, "me", std::chrono::seconds(1)); },
              ::testing::ThrowsMessage<StoreError>(HasSubstr("taking a shard: there is no connection")));
}

}  // namespace
}  // namespace action_triggers::tests
