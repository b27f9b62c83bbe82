// SPDX-License-Identifier: MIT
#include "outbox/committed_ledger.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <utility>

#include "faults/complaint.hpp"

namespace action_triggers::tests {
namespace {

std::string short_name(const std::string& destination, const std::string& body) {
  return destination + ": " + body.substr(0, 40);
}

/// What became of one committed message.
struct Fate {
  std::size_t number = 0;  // in the order of the commits
  std::size_t copies = 0;
  std::size_t rows = 0;
  std::size_t dead_letters = 0;
  std::string id;  // of its first copy
};

class Judge {
 public:
  Judge(const History& history, const CommittedRules& rules) : history_(history), rules_(rules) {
    for (std::size_t i = 0; i < history.committed.size(); ++i) {
      const Committed& one = history.committed[i];
      const bool is_new = fates_.try_emplace({one.destination, one.body}, Fate{.number = i, .id = {}}).second;
      if (!is_new) twice_.add(short_name(one.destination, one.body));
    }
  }

  CommittedVerdict judge(const Outcome& outcome) {
    for (const auto& [destination, messages] : outcome.arrived) {
      newest_.clear();
      for (const Received& message : messages) arrive(destination, message);
    }
    for (const Left& row : outcome.waiting) {
      if (Fate* const fate = fate_of(row.destination, row.body, "a row of the outbox")) ++fate->rows;
    }
    for (const Left& letter : outcome.dead) {
      if (Fate* const fate = fate_of(letter.destination, letter.body, "a dead letter")) ++fate->dead_letters;
    }
    for (const auto& [place, fate] : fates_) look_at(history_.committed[fate.number], fate);
    tell();
    return std::move(verdict_);
  }

 private:
  Fate* fate_of(const std::string& destination, const std::string& body, const std::string& what) {
    const auto found = fates_.find({destination, body});
    if (found != fates_.end()) return &found->second;
    Complaint& complaint = history_.rolled_back.contains(body) ? rolled_back_ : foreign_;
    complaint.add(what + " for " + short_name(destination, body));
    return nullptr;
  }

  void arrive(const std::string& destination, const Received& message) {
    Fate* const fate = fate_of(destination, message.body, "a message");
    if (fate == nullptr) return;
    const Committed& committed = history_.committed[fate->number];
    const std::string name = short_name(destination, message.body);
    if (!committed.id.empty() && message.id != committed.id) other_id_.add(name + " has the id " + message.id);
    if (!message.key.empty() && message.key != committed.key) other_key_.add(name + " has the key " + message.key);
    if (++fate->copies > 1) {
      ++verdict_.duplicates;
      if (message.id != fate->id) other_id_.add(name + " has the ids " + fate->id + " and " + message.id);
      return;
    }
    fate->id = message.id;
    ++verdict_.arrived;
    if (committed.key.empty() && !rules_.order_of_all) return;
    const auto [last, is_first] = newest_.emplace(rules_.order_of_all ? std::string() : committed.key, fate->number);
    if (!is_first && fate->number < last->second) {
      out_of_order_.add(name + " after " + history_.committed[last->second].body.substr(0, 40));
    } else {
      last->second = fate->number;
    }
  }

  void look_at(const Committed& committed, const Fate& fate) {
    const std::string name = short_name(committed.destination, committed.body);
    if (fate.copies + fate.rows + fate.dead_letters == 0) lost_.add(name);
    if (fate.rows > 0 && !rules_.held.contains(committed.destination)) unsent_.add(name);
    if (fate.dead_letters > 0 && !committed.guilty) innocent_.add(name);
    if (fate.dead_letters > 0 && fate.copies > 0) dead_and_alive_.add(name);
    if (fate.rows + fate.dead_letters > 1) kept_twice_.add(name);
  }

  void tell() {
    for (const Complaint* complaint : {&twice_, &lost_, &rolled_back_, &foreign_, &other_id_, &other_key_,
                                       &out_of_order_, &unsent_, &innocent_, &dead_and_alive_, &kept_twice_}) {
      complaint->tell(verdict_.complaints);
    }
    verdict_.lost = lost_.count();
    if (verdict_.duplicates > rules_.most_duplicates) {
      verdict_.complaints.push_back(std::to_string(verdict_.duplicates) + " duplicates, where " +
                                    std::to_string(rules_.most_duplicates) + " are explained");
    }
  }

  const History& history_;
  const CommittedRules& rules_;
  CommittedVerdict verdict_;
  std::map<std::pair<std::string, std::string>, Fate> fates_;  // by destination and body
  std::map<std::string, std::size_t> newest_;                  // by key: first copies come in the order of the commits

  Complaint twice_{"messages committed with the body of another one: the test itself is wrong"};
  Complaint lost_{"messages committed, and in the end nowhere"};
  Complaint rolled_back_{"messages of transactions that were rolled back"};
  Complaint foreign_{"messages that nobody committed like this"};
  Complaint other_id_{"messages with another id"};
  Complaint other_key_{"messages with another key"};
  Complaint out_of_order_{"messages out of order"};
  Complaint unsent_{"messages that are still in the outbox"};
  Complaint innocent_{"dead letters that a broker would have taken"};
  Complaint dead_and_alive_{"dead letters that have arrived"};
  Complaint kept_twice_{"messages that the tables have more than once"};
};

}  // namespace

CommittedVerdict judge_commits(const History& history, const Outcome& outcome, const CommittedRules& rules) {
  return Judge(history, rules).judge(outcome);
}

CommittedVerdict check_commits(const std::string& database, const std::string& fault, const History& history,
                               const Outcome& outcome, const CommittedRules& rules,
                               std::optional<std::chrono::milliseconds> recovery) {
  CommittedVerdict verdict = judge_commits(history, outcome, rules);
  for (const std::string& complaint : verdict.complaints) ADD_FAILURE() << fault << ": " << complaint;
  std::ostringstream row;
  row << "| " << database << " | " << fault << " | " << history.committed.size() << " | " << history.rolled_back.size()
      << " | " << verdict.arrived << " | " << verdict.duplicates << " | " << verdict.lost << " | "
      << (recovery ? std::to_string(recovery->count()) + " ms" : "—") << " |\n";
  std::cout << row.str();
  if (const char* path = std::getenv("ACTION_TRIGGERS_RELIABILITY"); path != nullptr) {
    std::ofstream(path, std::ios::app) << row.str();
  }
  return verdict;
}

}  // namespace action_triggers::tests
