// SPDX-License-Identifier: MIT
/// Five relay processes on one outbox with several shards.
#pragma once

#include <algorithm>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "outbox/outbox_fault.hpp"

namespace action_triggers::tests {

class SeveralRelaysTest : public OutboxFaultTest {
 protected:
  static constexpr int number_of_shards = 8;
  static constexpr std::size_t number_of_relays = 5;

  void start_all(const Setting& setting, const std::vector<std::vector<std::string>>& environments = {}) {
    seed_ = setting.seed;
    random_.seed(seed_);
    std::cout << "seed " << seed_ << std::endl;
    set_up(setting);
    for (std::size_t i = 0; i < number_of_relays; ++i) {
      add_relay(environments.empty() ? std::vector<std::string>() : environments[i]);
    }
  }

  /// Shards that a process has now, by the database's clock.
  int shards_of(const RelayProcess& process) {
    return std::stoi(ask("SELECT count(*) FROM " + shards() + " WHERE expires > clock_timestamp() AND place LIKE '%:" +
                         std::to_string(process.pid()) + "'"));
  }
  /// Each shard has an owner, and none of them is this process.
  bool others_have_all(pid_t process) {
    return ask("SELECT count(*) FROM " + shards() + " WHERE expires > clock_timestamp() AND place NOT LIKE '%:" +
               std::to_string(process) + "'") == std::to_string(number_of_shards);
  }

  /// A relay that has shards.
  RelayProcess& an_owner() {
    std::vector<RelayProcess*> owners;
    const auto look = [&] {
      owners.clear();
      for (const auto& one : relays_) {
        if (one->is_running() && shards_of(*one) > 0) owners.push_back(one.get());
      }
      return !owners.empty();
    };
    if (!eventually(look)) throw std::runtime_error("no relay has a shard");
    return *owners[random_() % owners.size()];
  }

  /// kill -9 of an owner, and another one: at once, or when others have taken over.
  void kill_one() {
    RelayProcess& victim = an_owner();
    victim.pause();  // what it has does not change any more
    explain(window(shards_of(victim)));
    const pid_t pid = victim.pid();
    victim.kill_it();
    const bool waits_for_others = random_() % 2 == 0;
    ASSERT_TRUE(!waits_for_others || eventually([&] { return others_have_all(pid); }));
    victim.start();
    ASSERT_TRUE(arrive(random_() % 300));
  }

  /// SIGSTOP of an owner until its shards are others', who send; then it goes on, and finds out.
  void pause_one() {
    RelayProcess& victim = an_owner();
    victim.pause();
    explain(window(shards_of(victim)));
    ASSERT_TRUE(eventually([&] { return others_have_all(victim.pid()); }));
    ASSERT_TRUE(arrive(200));
    const std::size_t said = victim.printed().size();
    victim.resume();
    ASSERT_TRUE(eventually([&] { return victim.printed().find("does not send", said) != std::string::npos; }))
        << victim.printed();
    ASSERT_TRUE(arrive(200));
  }

  std::mt19937 random_;
  std::uint32_t seed_ = 0;
};

}  // namespace action_triggers::tests
