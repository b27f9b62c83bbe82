// SPDX-License-Identifier: MIT
#include "faults/oracle.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <sstream>
#include <utility>

#include "faults/complaint.hpp"

namespace action_triggers::tests {
namespace {

std::string said_of(std::size_t index, const Fired& fired) {
  std::ostringstream text;
  text << "message " << index << ": " << fired.code << ", " << fired.persistence << ": " << fired.text;
  if (fired.offset >= 0) text << " (partition " << fired.partition << ", offset " << fired.offset << ")";
  return text.str();
}

/// What the broker has, message by message.
struct Arrivals {
  std::vector<std::size_t> copies;
  std::vector<std::set<std::pair<std::int64_t, std::int64_t>>> places;  // Kafka: partition and offset
  std::size_t duplicates = 0;
};

Arrivals count_arrivals(const std::string& run, const std::vector<Fired>& fired, const std::vector<Received>& received,
                        const Rules& rules, std::vector<std::string>& complaints) {
  Arrivals all{.copies = std::vector<std::size_t>(fired.size()),
               .places = std::vector<std::set<std::pair<std::int64_t, std::int64_t>>>(fired.size())};
  std::map<std::string, std::size_t> newest;  // by name or key: first copies come in the order of firing
  Complaint foreign("messages that nobody fired like this");
  Complaint out_of_order("messages out of order");
  for (const Received& message : received) {
    const std::size_t index = std::strtoull(message.body.c_str(), nullptr, 10);
    if (index >= fired.size() || message.id != run + "-" + std::to_string(index) ||
        message.body != body_of(index, fired[index].bytes)) {
      foreign.add(message.id + ": " + message.body.substr(0, 20));
      continue;
    }
    if (message.offset >= 0) all.places[index].emplace(message.partition, message.offset);
    if (++all.copies[index] > 1) {
      ++all.duplicates;
      continue;
    }
    if (rules.order_per_key && fired[index].key.empty()) continue;
    const auto [last, is_first] =
        newest.emplace(fired[index].name + (rules.order_per_key ? "/" + fired[index].key : ""), index);
    if (!is_first && index < last->second) {
      out_of_order.add("after " + std::to_string(last->second) + ": " + said_of(index, fired[index]));
    } else {
      last->second = index;
    }
  }
  foreign.tell(complaints);
  if (rules.check_order) out_of_order.tell(complaints);
  if (all.duplicates > rules.most_duplicates) {
    complaints.push_back(std::to_string(all.duplicates) + " duplicates, where " +
                         std::to_string(rules.most_duplicates) + " are explained");
  }
  return all;
}

}  // namespace

std::string body_of(std::size_t index, std::size_t bytes) {
  std::string body = std::to_string(index) + " ";
  body.resize(std::max(bytes, body.size()), static_cast<char>('a' + index % 26));
  return body;
}

Verdict judge(const std::string& run, const std::vector<Fired>& fired, const std::vector<Received>& received,
              const Rules& rules) {
  Verdict verdict;
  const Arrivals arrivals = count_arrivals(run, fired, received, rules, verdict.complaints);
  Complaint not_once("messages without exactly one report");
  Complaint lost("messages reported persisted that the broker does not have");
  Complaint lied("messages reported not_persisted that the broker has");
  Complaint half_ok("messages whose status and persistence contradict each other");
  Complaint elsewhere("messages that are not where their report says");
  Complaint unexplained("failures that this fault does not explain");
  for (std::size_t i = 0; i < fired.size(); ++i) {
    const Fired& one = fired[i];
    const bool there = arrivals.copies[i] > 0;
    const bool ok = one.code == StatusCode::ok;
    if (one.reports != 1) not_once.add("message " + std::to_string(i) + ": " + std::to_string(one.reports));
    if (one.reports == 0) continue;
    ++verdict.by_status[one.code];
    if (ok != (one.persistence == Persistence::persisted)) half_ok.add(said_of(i, one));
    if ((ok || one.persistence == Persistence::persisted) && !there) lost.add(said_of(i, one));
    if (one.persistence == Persistence::not_persisted && there) lied.add(said_of(i, one));
    if (ok && there && one.offset >= 0 && !arrivals.places[i].contains({one.partition, one.offset})) {
      elsewhere.add(said_of(i, one));
    }
    if (!ok && one.persistence == Persistence::possibly_persisted) {
      ++verdict.unsure;
      if (there) ++verdict.unsure_there;
    }
    const bool explained = (one.guilty && Status(one.code, {}).permanent()) ||
                           std::find(rules.explained.begin(), rules.explained.end(), one.code) != rules.explained.end();
    if (!ok && !explained) unexplained.add(said_of(i, one));
  }
  for (const Complaint* complaint : {&not_once, &lost, &lied, &half_ok, &elsewhere, &unexplained}) {
    complaint->tell(verdict.complaints);
  }
  if (verdict.unsure > rules.most_unsure) {
    verdict.complaints.push_back(std::to_string(verdict.unsure) + " messages of which it is not known whether they " +
                                 "arrived, where " + std::to_string(rules.most_unsure) + " are explained");
  }
  verdict.lost = lost.count();
  verdict.duplicates = arrivals.duplicates;
  return verdict;
}

}  // namespace action_triggers::tests
