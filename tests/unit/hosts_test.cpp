// SPDX-License-Identifier: MIT
#include "config/hosts.hpp"

#include <gtest/gtest.h>

#include "action_triggers/host_port.hpp"

namespace action_triggers::detail {
namespace {

TEST(HostsTest, ReadsHostsWithAndWithoutAPort) {
  EXPECT_EQ(parse_host_port("mq.example.org", 5672), (HostPort{"mq.example.org", 5672}));
  EXPECT_EQ(parse_host_port("mq.example.org:1", 5672), (HostPort{"mq.example.org", 1}));
  EXPECT_EQ(parse_host_port("127.0.0.1:65535", 5672), (HostPort{"127.0.0.1", 65535}));
}

TEST(HostsTest, AddressesOfIPv6StandInBrackets) {
  EXPECT_EQ(parse_host_port("[::1]", 9092), (HostPort{"::1", 9092}));
  EXPECT_EQ(parse_host_port("[fe80::1]:7", 9092), (HostPort{"fe80::1", 7}));
  for (const char* wrong : {"::1", "[::1", "[::1]7", "[]:7", "[::1]:"}) {
    EXPECT_EQ(parse_host_port(wrong, 9092), std::nullopt) << wrong;
  }
}

TEST(HostsTest, RefusesWhatIsNeither) {
  for (const char* wrong : {"", ":1", "host:", "host:0", "host:65536", "host:-1", "host:1x", "host:x", "a b", "a,b",
                            "user@host", "host/path", "a:1:2"}) {
    EXPECT_EQ(parse_host_port(wrong, 9092), std::nullopt) << wrong;
  }
}

TEST(HostsTest, KnowsTheLoopbackInterface) {
  for (const char* here :
       {"localhost", "LocalHost", "127.0.0.1", "127.1.2.3", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"})
    EXPECT_TRUE(is_loopback(here)) << here;
  for (const char* elsewhere : {"example.org", "localhost.example.org", "128.0.0.1", "::2", "0.0.0.0", "",
                                "127.evil.example", "127.0.0.1.evil.example", "127.0.0.1x", "127.0.0.256", "127.",
                                "127.0.0.1 ", "::1.example.org", "::ffff:128.0.0.1", "::127.0.0.1"}) {
    EXPECT_FALSE(is_loopback(elsewhere)) << elsewhere;
  }
}

TEST(HostsTest, SaysWhatIsWrongWithAHost) {
  for (const char* good : {"localhost", "mq.example.org", "127.0.0.1", "::1", "fe80::1%eth0", "a_b"}) {
    EXPECT_EQ(host_mistake(good), "") << good;
  }
  EXPECT_EQ(host_mistake("http://localhost"), "holds a URL; give the name alone");
  EXPECT_EQ(host_mistake("user:pw@mq"), "holds an '@'; give the name alone");
  EXPECT_EQ(host_mistake("a,b"), "holds a comma; several servers stand in a list");
  for (const char* blank : {" a", "a ", "a b", "a\t", "a\n"}) EXPECT_EQ(host_mistake(blank), "holds a blank") << blank;
  EXPECT_EQ(host_mistake("mq/vhost"), "holds a '/'; give the name alone");
  EXPECT_EQ(host_mistake("[::1]"), "holds brackets, which go with a port only");
  EXPECT_EQ(host_mistake("127.0.0.1:5672"), "holds a ':'; the port has a field of its own");
  EXPECT_EQ(host_mistake("mq:"), "holds a ':'; the port has a field of its own");
}

}  // namespace
}  // namespace action_triggers::detail
