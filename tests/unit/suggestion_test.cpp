// SPDX-License-Identifier: MIT
// Which name is suggested for one that is unknown.
#include "base/suggestion.hpp"

#include <gtest/gtest.h>

namespace action_triggers::detail {
namespace {

TEST(SuggestionTest, IsTheNearestName) {
  EXPECT_EQ(suggestion("qeue", {"exchange", "queue"}), "Did you mean 'queue'?");    // dropped
  EXPECT_EQ(suggestion("queuue", {"exchange", "queue"}), "Did you mean 'queue'?");  // inserted
  EXPECT_EQ(suggestion("quoue", {"exchange", "queue"}), "Did you mean 'queue'?");   // replaced
  EXPECT_EQ(suggestion("uqeue", {"exchange", "queue"}), "Did you mean 'queue'?");   // swapped
  EXPECT_EQ(suggestion("ports", {"hosts", "port"}), "Did you mean 'port'?");        // one letter off, not two
  EXPECT_EQ(suggestion("tls_ca", {"tls_ca_file", "tls_cb"}), "Did you mean 'tls_cb'?");
}

TEST(SuggestionTest, KnowsWhatOthersCallIt) {
  EXPECT_EQ(suggestion("vhost", {"host", "virtual_host"}), "Did you mean 'virtual_host'?");  // not the nearer 'host'
  EXPECT_EQ(suggestion("user", {"port", "username"}), "Did you mean 'username'?");
  EXPECT_EQ(suggestion("user", {"client_id", "sasl_plain_username"}), "Did you mean 'sasl_plain_username'?");
  EXPECT_EQ(suggestion("BootstrapServers", {"bootstrap_servers", "client_id"}), "Did you mean 'bootstrap_servers'?");
  EXPECT_EQ(suggestion("virtual-host", {"host", "virtual_host"}), "Did you mean 'virtual_host'?");
  EXPECT_EQ(suggestion("vhost", {"topic"}), "Known: topic.");  // what is meant is not known here
  EXPECT_EQ(did_you_mean("xyz", {"topic"}), "");
}

TEST(SuggestionTest, IsTheListWhereNoneIsNear) {
  EXPECT_EQ(suggestion("xyz", {"exchange", "queue"}), "Known: exchange, queue.");
  EXPECT_EQ(suggestion("ab", {"cd"}), "Known: cd.");  // a third of the letters may be wrong, and one always
  EXPECT_EQ(suggestion("a", {"b"}), "Did you mean 'b'?");
  EXPECT_EQ(suggestion("", {"queue"}), "Known: queue.");
  EXPECT_EQ(suggestion("x", {}), "None is known here.");
}

}  // namespace
}  // namespace action_triggers::detail
