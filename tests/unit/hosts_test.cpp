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
  for (const char* here : {"localhost", "127.0.0.1", "127.1.2.3", "::1"}) EXPECT_TRUE(is_loopback(here)) << here;
  for (const char* elsewhere : {"example.org", "localhost.example.org", "128.0.0.1", "::2", "0.0.0.0", ""}) {
    EXPECT_FALSE(is_loopback(elsewhere)) << elsewhere;
  }
}

}  // namespace
}  // namespace action_triggers::detail
