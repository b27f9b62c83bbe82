// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_connection_watch.hpp"

#include <algorithm>
#include <charconv>
#include <mutex>
#include <string_view>
#include <utility>

#include "brokers/kafka/kafka_client.hpp"

namespace action_triggers::detail {
namespace {

// Without an answer for so long, the cluster cannot be reached: with messages that wait, and without. The client tries
// a host's next address after the pause of retry; idle, it looks for a connection once a second.
constexpr std::chrono::milliseconds down_time{1'000};
constexpr std::chrono::milliseconds idle_down_time{4'000};
// The client names a failure again at least every 30 s, as long as it needs the broker.
constexpr std::chrono::seconds stale_after{60};
constexpr std::chrono::milliseconds watch_time{100};        // answers wake nobody
constexpr std::chrono::milliseconds throttle_grace{1'000};  // until the next answer says whether it goes on

/// Or those that answered were servers of the configuration, whose numbers are not known yet.
bool has_known_brokers(const std::map<std::int32_t, std::uint64_t>& answered) {
  return !answered.empty() && answered.rbegin()->first >= 0;
}

}  // namespace

void KafkaConnectionWatch::restart() {
  down_.reset();
  was_told_down_ = false;
  is_reachable_ = false;
  was_throttled_ = false;
  answers_ = 0;
  unreachable_.clear();
  told_trouble_.clear();
}

void KafkaConnectionWatch::all_down(TimePoint now) {
  is_certain_ = true;
  if (down_) return;
  down_ = now;
  failing_.clear();
}

void KafkaConnectionWatch::failed(std::string text, TimePoint now, BrokerEvents& events) {
  keep_unreachable(text, now);
  if (const std::size_t suffix = text.rfind(" (after "); suffix != std::string::npos) text.erase(suffix);
  if (is_reachable_ || was_told_down_) log_once(LogLevel::warning, text, now, events);  // or its disconnection says it
  if (is_in_doubt() && failing_.insert(text).second) down_ = now;                       // there was one more address
  last_error_ = std::move(text);
}

/// Of `text`, which begins with the broker's name: HOST:PORT/ID, or HOST:PORT/bootstrap.
void KafkaConnectionWatch::keep_unreachable(const std::string& text, TimePoint now) {
  if (text.find(" in state UP") != std::string::npos) return;  // a connection that ended, maybe since it was idle
  const std::string name = text.substr(0, text.find(": "));
  const std::size_t slash = name.rfind('/');
  if (slash == std::string::npos) return;
  std::int32_t id = -1;
  const std::string_view number = std::string_view(name).substr(slash + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), id);
  if (error != std::errc() && number != "bootstrap") return;
  Unreachable& broker = unreachable_.try_emplace(name, Unreachable{id, {}, now, now, answers_}).first->second;
  broker.text = text.substr(0, text.rfind(" (after "));
  broker.latest = now;
}

void KafkaConnectionWatch::look(KafkaSigns& signs, TimePoint now) {
  if (unreachable_.empty()) return;
  const std::lock_guard lock(signs.mutex);
  std::erase_if(unreachable_, [&](const auto& entry) {
    const auto answer = signs.latest_answers.find(entry.second.id);
    return (answer != signs.latest_answers.end() && answer->second > entry.second.answers) ||
           now - entry.second.latest >= stale_after;
  });
  if (down_ || !have_all_failed(signs.latest_answers)) return;
  all_down(now);
  is_certain_ = !has_known_brokers(signs.latest_answers);  // or there may be more, which it has not asked yet
}

bool KafkaConnectionWatch::have_all_failed(const std::map<std::int32_t, std::uint64_t>& answered) const {
  const auto has_failed = [&](std::int32_t id) {
    return std::any_of(unreachable_.begin(), unreachable_.end(),
                       [&](const auto& entry) { return entry.second.id == id; });
  };
  if (has_known_brokers(answered)) {
    return std::all_of(answered.begin(), answered.end(),
                       [&](const auto& entry) { return entry.first < 0 || has_failed(entry.first); });
  }
  const auto failed =
      std::count_if(unreachable_.begin(), unreachable_.end(), [](const auto& entry) { return entry.second.id < 0; });
  return static_cast<std::size_t>(failed) >= kafka_servers(config_);
}

bool KafkaConnectionWatch::has_answered(std::uint64_t answers) {
  if (answers == answers_) return false;
  answers_ = answers;
  down_.reset();
  was_told_down_ = false;
  return true;
}

bool KafkaConnectionWatch::tell_up(BrokerEvents& events) {
  if (std::exchange(is_reachable_, true)) return false;
  last_error_.clear();
  failures_.clear();
  told_trouble_.clear();
  events.reconnecting(false, {});
  return true;
}

bool KafkaConnectionWatch::is_down(bool has_messages, TimePoint now) const {
  const auto least = 2 * config_.retry.initial_backoff;  // the client's pause before a host's next address
  // Without messages it does not hurry: it looks for a connection once a second.
  const bool is_soon = has_messages && is_certain_;
  const auto patience = std::max<std::chrono::nanoseconds>(is_soon ? down_time : idle_down_time, least);
  return now - *down_ >= patience;
}

std::string KafkaConnectionWatch::why_down() const { return kafka_unreachable(config_, last_error_); }

void KafkaConnectionWatch::tell_down(TimePoint now, BrokerEvents& events) {
  const std::string why = why_down();
  was_told_down_ = true;
  is_reachable_ = false;
  log_once(LogLevel::warning, why, now, events);
  events.reconnecting(true, why);
}

std::string KafkaConnectionWatch::trouble(TimePoint now) const {
  const auto latest = std::max_element(unreachable_.begin(), unreachable_.end(),
                                       [](const auto& a, const auto& b) { return a.second.latest < b.second.latest; });
  // Not at once: the host may have another address.
  if (latest == unreachable_.end() || now - latest->second.since < down_time) return {};
  const std::string address = latest->first.substr(0, latest->first.rfind('/'));
  const bool is_given = config_.bootstrap_servers.find(address.substr(address.rfind('/') + 1)) != std::string::npos;
  return "a broker cannot be reached: " + latest->second.text +
         (is_given ? "" : "; its address comes from its advertised.listeners");
}

void KafkaConnectionWatch::tell_trouble(bool has_messages, TimePoint now, BrokerEvents& events) {
  if (!is_reachable_ || down_ || was_throttled_) return;
  std::string now_true = has_messages ? trouble(now) : std::string();
  if (now_true == told_trouble_) return;
  told_trouble_ = std::move(now_true);
  events.reconnecting(false, told_trouble_);
}

void KafkaConnectionWatch::throttled(const char* by, std::chrono::milliseconds pause, TimePoint now) {
  throttled_until_ = pause > pause.zero() ? now + pause + throttle_grace : TimePoint::min();
  if (pause > pause.zero()) throttled_by_ = by;
}

void KafkaConnectionWatch::watch_throttle(TimePoint now, BrokerEvents& events) {
  const bool is_throttled = now < throttled_until_;
  if (is_throttled == was_throttled_) return;
  was_throttled_ = is_throttled;
  const std::string why = is_throttled ? "over its quota, this client is throttled by broker " + throttled_by_ : "";
  if (is_throttled) log_once(LogLevel::warning, why, now, events);
  events.blocked(is_throttled, why);
}

TimePoint KafkaConnectionWatch::next_look(bool has_client, TimePoint now) const {
  TimePoint at = TimePoint::max();
  if (has_client && (!is_reachable_ || down_ || !unreachable_.empty())) at = now + watch_time;
  if (was_throttled_) at = std::min(at, throttled_until_);
  return at;
}

/// Once until a broker answers again, or a minute has passed: then with the number of times.
void KafkaConnectionWatch::log_once(LogLevel level, const std::string& text, TimePoint now, BrokerEvents& events) {
  constexpr std::size_t most_kinds = 100;
  if (failures_.size() >= most_kinds) failures_.clear();
  const auto [entry, is_new] = failures_.try_emplace(text);
  Logged& logged = entry->second;
  ++logged.times;
  if (!is_new && now - logged.at < std::chrono::minutes(1)) return;
  events.log(level, is_new ? text : text + " (" + std::to_string(logged.times) + " times since)");
  logged = {.times = 0, .at = now};
}

}  // namespace action_triggers::detail
