// SPDX-License-Identifier: MIT
#include "faults/ledger.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

namespace action_triggers::tests {
namespace {

std::mutex reports_mutex;
std::condition_variable reports_came;
std::uint64_t reports = 0;  // of all ledgers

}  // namespace

std::string Ledger::body_of(std::size_t index) {
  std::string body = std::to_string(index) + " ";
  body.resize(256, static_cast<char>('a' + index % 26));
  return body;
}

void Ledger::fire(TriggerDispatcher& dispatcher, const std::string& name) {
  std::size_t index = 0;
  {
    const std::lock_guard lock(mutex_);
    index = entries_.size();
    entries_.push_back({.name = name, .fired_at = Clock::now(), .reported_at = {}, .text = {}});
  }
  Message message;
  message.body = body_of(index);
  message.id = id_of(index);
  message.key = std::to_string(index % keys);
  const Clock::time_point begin = Clock::now();
  dispatcher.fire(name, message, [this, index](const DeliveryReport& report) {
    std::unique_lock lock(mutex_);
    Entry& entry = entries_[index];
    ++entry.reports;
    entry.reported_at = Clock::now();
    entry.code = report.status.code();
    entry.persistence = report.persistence;
    entry.text = report.status.message();
    entry.partition = report.partition;
    entry.offset = report.offset;
    lock.unlock();
    const std::lock_guard reports_lock(reports_mutex);
    ++reports;
    reports_came.notify_all();
  });
  const std::chrono::nanoseconds took = Clock::now() - begin;
  const std::lock_guard lock(mutex_);
  longest_fire_ = std::max(longest_fire_, took);
}

void Ledger::wait_for_a_report(std::chrono::milliseconds at_most) {
  std::unique_lock lock(reports_mutex);
  reports_came.wait_for(lock, at_most, [before = reports] { return reports != before; });
}

std::uint64_t Ledger::fired() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

std::uint64_t Ledger::reported() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::uint64_t>(
      std::count_if(entries_.begin(), entries_.end(), [](const Entry& entry) { return entry.reports > 0; }));
}

std::uint64_t Ledger::count(StatusCode code) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::uint64_t>(std::count_if(entries_.begin(), entries_.end(), [code](const Entry& entry) {
    return entry.reports > 0 && entry.code == code;
  }));
}

std::uint64_t Ledger::ok_fired_after(Clock::time_point moment) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::uint64_t>(std::count_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.fired_at > moment && entry.reports > 0 && entry.code == StatusCode::ok;
  }));
}

std::chrono::milliseconds Ledger::recovery_since(Clock::time_point moment) const {
  const std::lock_guard lock(mutex_);
  Clock::time_point first = Clock::time_point::max();
  for (const Entry& entry : entries_) {
    if (entry.reports > 0 && entry.code == StatusCode::ok && entry.reported_at > moment) {
      first = std::min(first, entry.reported_at);
    }
  }
  if (first == Clock::time_point::max()) return std::chrono::milliseconds(0);
  return std::chrono::duration_cast<std::chrono::milliseconds>(first - moment);
}

std::size_t Ledger::check(const std::string& broker, const std::string& fault, const std::vector<Received>& received,
                          const Rules& rules, Clock::time_point healed) {
  const std::chrono::milliseconds recovery = recovery_since(healed);
  const std::lock_guard lock(mutex_);
  std::vector<std::size_t> arrivals(entries_.size());
  std::map<std::string, std::size_t> newest;  // by name or key: first copies come in the order of firing
  std::size_t duplicates = 0;
  std::size_t foreign = 0;
  std::size_t out_of_order = 0;
  for (const Received& message : received) {
    const std::size_t index = std::strtoull(message.body.c_str(), nullptr, 10);
    if (index >= entries_.size() || message.id != id_of(index) || message.body != body_of(index)) {
      ++foreign;
      continue;
    }
    if (++arrivals[index] > 1) {
      ++duplicates;
      continue;
    }
    const std::string order = entries_[index].name + (rules.order_per_key ? "/" + std::to_string(index % keys) : "");
    const auto [last, is_first] = newest.emplace(order, index);
    if (!is_first && index < last->second) {
      if (++out_of_order <= 3) std::cout << "out of order: " << index << " after " << last->second << '\n';
    } else {
      last->second = index;
    }
  }
  std::vector<std::size_t> lost;
  std::size_t lied = 0;
  std::size_t not_once = 0;
  std::size_t unexplained = 0;
  std::map<StatusCode, std::size_t> by_status;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    if (entry.reports != 1) ++not_once;
    ++by_status[entry.code];
    if (entry.code == StatusCode::ok && arrivals[i] == 0) lost.push_back(i);
    if (entry.code != StatusCode::ok && entry.persistence == Persistence::not_persisted && arrivals[i] > 0) ++lied;
    if (entry.code != StatusCode::ok &&
        std::find(rules.explained.begin(), rules.explained.end(), entry.code) == rules.explained.end()) {
      if (++unexplained <= 3) std::cout << to_string(entry.code) << ": " << entry.text << '\n';
    }
  }
  EXPECT_EQ(not_once, 0U) << "messages without exactly one report";
  EXPECT_EQ(lost.size(), 0U) << "messages reported ok that the broker does not have";
  for (std::size_t i = 0; i < std::min<std::size_t>(lost.size(), 5); ++i) {
    const Entry& entry = entries_[lost[i]];
    std::cout << "lost: " << lost[i] << ", reported at partition " << entry.partition << ", offset " << entry.offset;
    for (const Received& message : received) {
      if (message.offset == entry.offset && message.partition == entry.partition) {
        std::cout << ", where there is " << message.id;
      }
    }
    std::cout << '\n';
  }
  EXPECT_EQ(lied, 0U) << "messages reported not_persisted that the broker has";
  EXPECT_EQ(foreign, 0U) << "messages that nobody fired like this";
  EXPECT_EQ(unexplained, 0U) << "failures that this fault does not explain";
  EXPECT_LE(duplicates, rules.most_duplicates);
  if (rules.check_order) {
    EXPECT_EQ(out_of_order, 0U);
  }

  std::ostringstream row;
  std::string failures;
  for (const auto& [code, number] : by_status) {
    if (code == StatusCode::ok) continue;
    failures += (failures.empty() ? "" : ", ") + std::to_string(number) + " `" + std::string(to_string(code)) + "`";
  }
  row << "| " << broker << " | " << fault << " | " << entries_.size() << " | " << by_status[StatusCode::ok] << " | "
      << (failures.empty() ? "—" : failures) << " | " << duplicates << " | " << lost.size() << " | "
      << static_cast<double>(longest_fire_.count()) / 1e6 << " ms | " << recovery.count() << " ms |\n";
  std::cout << row.str();
  if (const char* path = std::getenv("ACTION_TRIGGERS_RELIABILITY"); path != nullptr) {
    std::ofstream(path, std::ios::app) << row.str();
  }
  return duplicates;
}

}  // namespace action_triggers::tests
