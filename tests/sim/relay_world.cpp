// SPDX-License-Identifier: MIT
#include "sim/relay_world.hpp"

namespace action_triggers::tests {

bool RelayWorld::step(TimePoint until) {
  if (events_.empty() || events_.top().time > until) {
    now = until;
    return false;
  }
  const std::function<void()> run = events_.top().run;
  now = events_.top().time;
  events_.pop();
  database.now = now;
  ++events;
  run();
  return true;
}

void RelayWorld::note(const std::string& text) {
  for (const char c : text) trace = (trace ^ static_cast<unsigned char>(c)) * 1'099'511'628'211ULL;
  if (text_ == nullptr) return;
  text_->push_back(std::to_string((now - begin_) / std::chrono::microseconds(1)) + " us: " + text);
}

void RelayWorld::violation(const std::string& text) {
  note("VIOLATION " + text);
  if (violations.size() < 20) violations.push_back(text);
}

}  // namespace action_triggers::tests
