// SPDX-License-Identifier: MIT
#include "outbox/application.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <stdexcept>
#include <utility>

#include "live/servers.hpp"

namespace action_triggers::tests {
namespace {

constexpr std::size_t keys = 40;
constexpr std::chrono::milliseconds reconnect_pause{20};
const std::string hex_digits = "0123456789abcdef";

/// Numbers that have nothing to do with each other.
std::uint64_t mixed(std::uint64_t number) {
  number += 0x9e3779b97f4a7c15U;
  number = (number ^ (number >> 30U)) * 0xbf58476d1ce4e5b9U;
  number = (number ^ (number >> 27U)) * 0x94d049bb133111ebU;
  return number ^ (number >> 31U);
}

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += hex_digits[byte >> 4U];
    text += hex_digits[byte & 15U];
  }
  return text;
}

std::vector<std::string> columns_of(const std::string& row) {
  std::vector<std::string> columns;
  std::size_t begin = 0;
  for (std::size_t bar = 0; (bar = row.find('|', begin)) != std::string::npos; begin = bar + 1) {
    columns.push_back(row.substr(begin, bar - begin));
  }
  columns.push_back(row.substr(begin));
  return columns;
}

std::string bytea(const std::string& bytes) { return "'\\x" + hex(bytes) + "'::bytea"; }
std::string text_or_null(const std::string& text) { return text.empty() ? "NULL" : "'" + text + "'"; }

}  // namespace

std::string from_hex(const std::string& text) {
  std::string bytes;
  for (std::size_t at = 0; at + 1 < text.size(); at += 2) {
    bytes += static_cast<char>(16 * hex_digits.find(text[at]) + hex_digits.find(text[at + 1]));
  }
  return bytes;
}

Application::Application(Options options)
    : options_(std::move(options)), run_(unique("order")), conninfo_(options_.conninfo) {}

Application::~Application() { stop(); }

void Application::install(Sql& sql) const {
  const std::string& schema = options_.schema;
  sql("CREATE TABLE " + schema +
      ".entities (key text PRIMARY KEY, version bigint NOT NULL DEFAULT 0);"
      "CREATE TABLE " +
      schema + "." + orders +
      " (number bigint PRIMARY KEY, target text NOT NULL, key text NOT NULL,"
      " version bigint NOT NULL, message_id text, body bytea NOT NULL);"
      "CREATE TABLE " +
      schema +
      ".once (id integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED);"
      "INSERT INTO " +
      schema +
      ".once VALUES (1);"
      "INSERT INTO " +
      schema + ".entities (key) SELECT letter || number FROM generate_series(0, " + std::to_string(keys - 1) +
      ") AS number, (VALUES ('e'), ('p')) AS kind (letter)");
}

void Application::move_to(const std::string& conninfo) {
  const std::lock_guard lock(mutex_);
  conninfo_ = conninfo;
}

std::string Application::conninfo() {
  const std::lock_guard lock(mutex_);
  return conninfo_;
}

void Application::start() {
  is_stopping_ = false;
  for (int i = 0; i < options_.sessions; ++i) {
    threads_.emplace_back([this, i] { run(options_.seed * 1'000 + static_cast<std::uint32_t>(i)); });
  }
}

void Application::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  stopped_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Application::run(std::uint32_t seed) {
  std::mt19937 random(seed);
  while (!is_stopping_) {
    try {
      Sql sql(conninfo());
      run_session(sql, random);
    } catch (const std::exception&) {
      // The server is away; whether the last transaction was committed, its table says.
    }
    std::unique_lock lock(mutex_);
    stopped_.wait_for(lock, reconnect_pause, [this] { return is_stopping_.load(); });
  }
}

void Application::run_session(Sql& sql, std::mt19937& random) {
  while (!is_stopping_) {
    const auto chance = random() % 100;
    const End end = chance < 10 ? End::rollback : chance < 13 ? End::fails_at_commit : End::commit;
    try {
      const Transaction next = transaction(random, end);
      sql(next.script);
      if (end == End::commit) {
        const std::lock_guard lock(mutex_);
        acknowledged_.insert(next.numbers.begin(), next.numbers.end());
        ++commits_;
      }
    } catch (const std::exception&) {
      if (end == End::commit) ++failures_;
      if (PQstatus(sql.get()) != CONNECTION_OK) throw;
      sql("ROLLBACK");
    }
    if (options_.pause.count() == 0) continue;
    std::unique_lock lock(mutex_);
    stopped_.wait_for(lock, options_.pause, [this] { return is_stopping_.load(); });
  }
}

Application::Message Application::message(std::uint64_t number) const {
  const std::uint64_t chance = mixed(number + (std::uint64_t{options_.seed} << 40U));
  Message made;
  made.number = number;
  made.is_event = !options_.event_destinations.empty() && chance % 4 == 0;
  made.target = made.is_event ? std::string("event:") + event
                              : options_.destinations[(chance >> 8U) % options_.destinations.size()];
  made.key = (made.is_event ? "e" : "p") + std::to_string((chance >> 24U) % keys);
  if ((chance >> 16U) % 3 != 0) made.id = run_ + "-" + std::to_string(number);
  const std::string filling(options_.body_bytes, static_cast<char>('a' + number % 26));
  made.body = made.is_event ? R"({"number": )" + std::to_string(number) + R"(, "filling": ")" + filling + "\"}"
                            : std::to_string(number) + " " + filling + std::string("\0\n\xff", 3);
  return made;
}

std::vector<Application::Message> Application::next_messages(std::size_t count) {
  const std::lock_guard lock(mutex_);
  std::vector<Message> messages;
  std::set<std::string> used;
  const auto take = [&](std::uint64_t number) {
    Message one = message(number);
    if (!used.insert(one.key).second) return false;
    messages.push_back(std::move(one));
    return true;
  };
  for (auto number = put_off_.begin(); number != put_off_.end() && messages.size() < count;) {
    number = take(*number) ? put_off_.erase(number) : std::next(number);
  }
  while (messages.size() < count) {
    if (const std::uint64_t number = next_number_++; !take(number)) put_off_.insert(number);
  }
  std::sort(messages.begin(), messages.end(), [](const Message& a, const Message& b) { return a.key < b.key; });
  return messages;
}

/// Takes the key's lock, and with it the key's next version: that is the order of the commits.
std::string Application::order_of(const Message& message) const {
  const std::string& schema = options_.schema;
  return "WITH entity AS (UPDATE " + schema + ".entities SET version = version + 1 WHERE key = '" + message.key +
         "' RETURNING version) INSERT INTO " + schema + "." + orders + " SELECT " + std::to_string(message.number) +
         ", '" + message.target + "', '" + message.key + "', version, " + text_or_null(message.id) + ", " +
         bytea(message.body) + " FROM entity; ";
}

std::string Application::row_of(const std::vector<Message>& messages) const {
  std::string statement =
      "INSERT INTO " + options_.schema + ".action_triggers_outbox (target, body, key, message_id) VALUES ";
  for (const Message& one : messages) {
    statement += (&one == &messages.front() ? "('" : ", ('") + one.target + "', " + bytea(one.body) + ", '" + one.key +
                 "', " + text_or_null(one.id) + ")";
  }
  return statement + "; ";
}

/// Messages are inserted after what they tell of; the last one may stand behind a savepoint.
Application::Transaction Application::transaction(std::mt19937& random, End end) {
  std::vector<Message> messages = next_messages(1 + random() % 3);
  Transaction made{.script = "BEGIN; ", .numbers = {}};
  const auto chance = random() % 10;
  std::string behind_savepoint;
  if (messages.size() > 1 && chance < 4) {
    behind_savepoint = "SAVEPOINT before; " + order_of(messages.back()) + row_of({messages.back()}) +
                       (chance < 2 ? "ROLLBACK TO before; " : "RELEASE before; ");
    if (chance >= 2) made.numbers.push_back(messages.back().number);
    messages.pop_back();
  }
  for (const Message& one : messages) {
    made.script += order_of(one);
    made.numbers.push_back(one.number);
  }
  made.script += behind_savepoint + row_of(messages);
  if (end == End::fails_at_commit) made.script += "INSERT INTO " + options_.schema + ".once VALUES (1); ";
  made.script += end == End::rollback ? "ROLLBACK" : "COMMIT";
  return made;
}

std::string Application::open_transaction() {
  const std::vector<Message> messages = next_messages(1);
  return "BEGIN; " + order_of(messages.front()) + row_of(messages);
}

std::vector<std::string> Application::destinations_of(const std::string& target) const {
  return target.starts_with("event:") ? options_.event_destinations : std::vector<std::string>{target};
}

History Application::history(Sql& sql) const {
  History history;
  std::set<std::uint64_t> committed;
  for (const std::string& row : sql.rows("SELECT number, target, key, message_id, encode(body, 'hex') FROM " +
                                         options_.schema + "." + orders + " ORDER BY version, number")) {
    const std::vector<std::string> columns = columns_of(row);
    committed.insert(std::stoull(columns[0]));
    for (const std::string& destination : destinations_of(columns[1])) {
      history.committed.push_back(
          {.destination = destination, .body = from_hex(columns[4]), .id = columns[3], .key = columns[2]});
    }
  }
  const bool has_all = std::includes(committed.begin(), committed.end(), acknowledged_.begin(), acknowledged_.end());
  if (!has_all) throw std::runtime_error("the database has lost what it said was committed");
  for (std::uint64_t number = 0; number < next_number_; ++number) {
    if (!committed.contains(number) && !put_off_.contains(number)) history.rolled_back.insert(message(number).body);
  }
  return history;
}

}  // namespace action_triggers::tests
