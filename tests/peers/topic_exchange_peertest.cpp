// SPDX-License-Identifier: MIT
// Event patterns mean what they mean to RabbitMQ's topic exchange: random ones, and the real server is asked.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "live/servers.hpp"
#include "triggers/event_table.hpp"

namespace action_triggers::tests {
namespace {

std::vector<std::string> random_names(std::mt19937& random, const std::vector<std::string>& words, std::size_t count) {
  std::vector<std::string> names(count);
  for (std::string& name : names) {
    const std::size_t size = random() % 6;
    for (std::size_t i = 0; i < size; ++i) name += (i == 0 ? "" : ".") + words[random() % words.size()];
  }
  return names;
}

/// Of each pattern, the numbers of the names that it matches.
std::vector<std::vector<std::uint32_t>> ask_rabbitmq(const std::vector<std::string>& patterns,
                                                     const std::vector<std::string>& names) {
  const std::filesystem::path file = std::filesystem::temp_directory_path() / unique("topics");
  std::ofstream(file) << nlohmann::json{{"patterns", patterns}, {"names", names}};
  std::istringstream lines(run("/usr/bin/python3 " ACTION_TRIGGERS_SOURCE_DIR "/tests/peers/topic_exchange.py " +
                               Servers::rabbitmq_host() + " " + std::to_string(Servers::rabbitmq_port()) + " " +
                               file.string()));
  std::filesystem::remove(file);
  std::vector<std::vector<std::uint32_t>> matched;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream numbers(line);
    matched.emplace_back();
    for (std::uint32_t number = 0; numbers >> number;) matched.back().push_back(number);
  }
  return matched;
}

TEST(TopicExchangeTest, RandomPatternsMatchWhatRabbitMqSays) {
  std::mt19937 random(15);
  const std::vector<std::string> patterns =
      random_names(random, {"a", "b", "c", "*", "*", "#", "#", "", "a*", "#b"}, 100);
  const std::vector<std::string> names = random_names(random, {"a", "b", "c", "", "a*", "#b"}, 100);
  const auto theirs = ask_rabbitmq(patterns, names);
  ASSERT_EQ(theirs.size(), patterns.size());
  std::size_t matching = 0;
  for (std::size_t p = 0; p < patterns.size(); ++p) {
    detail::EventTable table;
    table.add(patterns[p], 0);
    std::vector<std::uint32_t> ours;
    detail::EventTable::Search search;
    for (std::uint32_t n = 0; n < names.size(); ++n) {
      if (!table.find(names[n], search).empty()) ours.push_back(n);
    }
    EXPECT_EQ(ours, theirs[p]) << "pattern '" << patterns[p] << "'";
    matching += ours.size();
  }
  EXPECT_GT(matching, 500U);  // of 10,000 pairs: else the names are too strange to show anything
  EXPECT_LT(matching, 9'500U);
}

}  // namespace
}  // namespace action_triggers::tests
