// SPDX-License-Identifier: MIT
#include "faults/ledger.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

namespace action_triggers::tests {
namespace {

std::mutex reports_mutex;
std::condition_variable reports_came;
std::uint64_t reports = 0;  // of all ledgers

constexpr std::size_t keys = 7;

}  // namespace

void Ledger::fire(TriggerDispatcher& dispatcher, const std::string& name, const Shape& shape) {
  Message message;
  std::size_t index = 0;
  {
    const std::lock_guard lock(mutex_);
    index = entries_.size();
    if (shape.keyed) message.key = std::to_string(index % keys);
    entries_.push_back({.name = name,
                        .bytes = shape.bytes,
                        .key = message.key,
                        .guilty = shape.guilty,
                        .text = {},
                        .fired_at = Clock::now(),
                        .reported_at = {}});
  }
  message.body = body_of(index, shape.bytes);
  message.id = run_ + "-" + std::to_string(index);
  const Clock::time_point begin = Clock::now();
  const auto reported = [this, index](const DeliveryReport& report) {
    std::unique_lock lock(mutex_);
    Fired& entry = entries_[index];
    if (++entry.reports == 1) {
      ++reported_;
    } else {
      --by_code_[entry.code];
      if (index >= asked_begin_ && entry.code == StatusCode::ok) --asked_ok_;
    }
    ++by_code_[report.status.code()];
    if (index >= asked_begin_ && report.status.ok()) ++asked_ok_;
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
  };
  if (shape.as_event) {
    dispatcher.emit(name, message, reported);
  } else {
    dispatcher.fire(name, message, reported);
  }
  const std::chrono::nanoseconds took = Clock::now() - begin;
  const std::lock_guard lock(mutex_);
  longest_fire_ = std::max(longest_fire_, took);
}

std::vector<Received> Ledger::own(const std::vector<Received>& received) const {
  std::vector<Received> own;
  std::copy_if(received.begin(), received.end(), std::back_inserter(own),
               [&](const Received& message) { return message.id.starts_with(run_ + "-"); });
  return own;
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
  return reported_;
}

std::uint64_t Ledger::count(StatusCode code) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_code_.find(code);
  return found == by_code_.end() ? 0 : found->second;
}

std::uint64_t Ledger::ok_fired_after(Clock::time_point moment) const {
  const std::lock_guard lock(mutex_);
  if (moment != asked_) {
    const auto first =
        std::upper_bound(entries_.begin(), entries_.end(), moment,
                         [](Clock::time_point asked, const Fired& entry) { return asked < entry.fired_at; });
    asked_ = moment;
    asked_begin_ = static_cast<std::size_t>(first - entries_.begin());
    asked_ok_ = static_cast<std::uint64_t>(std::count_if(
        first, entries_.end(), [](const Fired& entry) { return entry.reports > 0 && entry.code == StatusCode::ok; }));
  }
  return asked_ok_;
}

std::chrono::milliseconds Ledger::recovery_since(Clock::time_point moment) const {
  const std::lock_guard lock(mutex_);
  Clock::time_point first = Clock::time_point::max();
  for (const Fired& entry : entries_) {
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
  const Verdict verdict = judge(run_, entries_, received, rules);
  for (const std::string& complaint : verdict.complaints) ADD_FAILURE() << fault << ": " << complaint;

  std::ostringstream row;
  std::string failures;
  std::size_t ok = 0;
  for (const auto& [code, number] : verdict.by_status) {
    if (code == StatusCode::ok) {
      ok = number;
      continue;
    }
    failures += (failures.empty() ? "" : ", ") + std::to_string(number) + " `" + std::string(to_string(code)) + "`";
  }
  row << "| " << broker << " | " << fault << " | " << entries_.size() << " | " << ok << " | "
      << (failures.empty() ? "—" : failures) << " | ";
  if (verdict.unsure == 0) {
    row << "—";
  } else {
    row << verdict.unsure << ", " << verdict.unsure_there << " there";
  }
  row << " | " << verdict.duplicates << " | " << verdict.lost << " | "
      << static_cast<double>(longest_fire_.count()) / 1e6 << " ms | " << recovery.count() << " ms |\n";
  std::cout << row.str();
  if (const char* path = std::getenv("ACTION_TRIGGERS_RELIABILITY"); path != nullptr) {
    std::ofstream(path, std::ios::app) << row.str();
  }
  return verdict.duplicates;
}

}  // namespace action_triggers::tests
