// SPDX-License-Identifier: MIT
#include "dispatch/destination_table.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace action_triggers::detail {
namespace {

struct Names {
  explicit Names(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      auto config = std::make_shared<BrokerConfig>();
      config->name = name;
      brokers.push_back(std::make_unique<Destination>(config));
      pointers.push_back(brokers.back().get());
    }
  }
  std::vector<std::unique_ptr<Destination>> brokers;
  std::vector<Destination*> pointers;
};

TEST(DestinationTableTest, FindsEachNameAndNoOther) {
  std::vector<std::string> known;
  std::vector<std::string> unknown;
  const std::string alphabet = "abcdefghijklmnopqrstuvwxyz-0123456789";
  for (std::size_t size = 0; size <= alphabet.size(); ++size) {  // each length is hashed in its own way
    known.push_back(alphabet.substr(0, size));
    for (std::size_t at = 0; at < size; ++at) {  // one character differs
      known.push_back(alphabet.substr(0, size));
      known.back()[at] = 'X';
      unknown.push_back(alphabet.substr(0, size));
      unknown.back()[at] = 'Y';
    }
  }
  const Names names(known);
  const DestinationTable table(names.pointers);
  for (std::size_t i = 0; i < known.size(); ++i) EXPECT_EQ(table.find(known[i]), names.pointers[i]) << known[i];
  for (const std::string& name : unknown) EXPECT_EQ(table.find(name), nullptr) << name;
}

TEST(DestinationTableTest, AnEmptyOneFindsNothing) {
  const DestinationTable table;
  EXPECT_EQ(table.find("orders"), nullptr);
  EXPECT_EQ(table.find(""), nullptr);
}

}  // namespace
}  // namespace action_triggers::detail
