// SPDX-License-Identifier: MIT
#include "outbox/outbox_world.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace action_triggers::tests {
namespace {

constexpr const char* brokers[] = {"orders", "mails"};

std::vector<std::string> parts_of(const std::string& line, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(line);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

bool is_guilty(const std::string& body) { return body.starts_with("dead") || body.starts_with("poison"); }

/// The destinations of a row.
std::vector<std::string> destinations_of(const std::string& target) {
  if (target == "event" || target.starts_with("event:")) return {"orders", "mails"};
  return {target};
}

}  // namespace

OutboxWorld::OutboxWorld(const std::string& variant, const std::string& settings) : database_(make_database(variant)) {
  for (const char* const name : brokers) mend_broker(name);
  const std::string members = database_->outbox_section() + R"(, "batch": )" + std::to_string(batch) + settings;
  write_configuration("relay.json", true, members);
  write_configuration("writer.json", true, members + R"(, "relay": false)");
  write_configuration("command.json", false, members);
  if (command({"outbox", "install"}) != 0) throw std::runtime_error(log());
  sql("CREATE TABLE committed (n " + database_->numbered() +
      ", message_id TEXT, target TEXT, message_key TEXT, body TEXT)");
  database_->settle();
}

void OutboxWorld::write_configuration(const std::string& name, bool has_appending_brokers,
                                      const std::string& settings) const {
  std::string section;
  for (const char* const broker : brokers) {
    section += section.empty() ? "" : ", ";
    section += "\"" + std::string(broker) + "\": ";
    section += has_appending_brokers
                   ? R"({"broker_type": "appending", "conn_details": {"path": ")" + broker_file(broker) +
                         R"("}, "params": {"retry": {"initial_backoff_ms": 10, "max_backoff_ms": 50}}})"
                   : R"({"broker_type": "memory"})";
  }
  std::ofstream(file(name)) << R"({"brokers": {)" << section
                            << R"(}, "triggers": {"placed": {"events": ["order.placed"],)"
                            << R"( "targets": ["orders", "mails"]}}, "outbox": {)" << settings << "}}\n";
}

void OutboxWorld::forget() {
  sql("DELETE FROM committed");
  sql("DELETE FROM action_triggers_dead_letters");
  std::filesystem::remove(file("attempts"));
  for (const char* const broker : brokers) std::filesystem::remove(broker_file(broker));
  forget_log();
}

void OutboxWorld::forget_log() { std::ofstream(file("log"), std::ios::trunc).close(); }

// ------------------------------------------------------------------------------------------------------------ programs

std::map<std::string, std::string> OutboxWorld::environment(std::uint64_t kill_at) const {
  std::map<std::string, std::string> variables{{"LD_PRELOAD", ACTION_TRIGGERS_FAULT_SHIM},
                                               {"ASAN_OPTIONS", "verify_asan_link_order=0"},
                                               {"AT_WITHOUT_SYNC", "1"}};
  if (kill_at != 0) variables["AT_KILL_AT"] = std::to_string(kill_at);
  if (fails_files_) variables["AT_FILE_ERRORS"] = file("error");
  return variables;
}

std::unique_ptr<ChildProgram> OutboxWorld::start(const std::vector<std::string>& role, std::uint64_t kill_at) {
  const bool only_writes = role.at(0) == "write";
  std::vector<std::string> command{ACTION_TRIGGERS_OUTBOX_PROCESS, database_->type(), database_->place(),
                                   file(only_writes ? "writer.json" : "relay.json"), file("attempts")};
  command.insert(command.end(), role.begin(), role.end());
  return std::make_unique<ChildProgram>(command, environment(kill_at), file("log"));
}

int OutboxWorld::run(const std::vector<std::string>& role, std::uint64_t kill_at) {
  return ended(start(role, kill_at)->wait());
}

int OutboxWorld::command(std::vector<std::string> arguments, std::uint64_t kill_at) {
  arguments.insert(arguments.begin(), ACTION_TRIGGERS_COMMAND);
  arguments.push_back(file("command.json"));
  return ended(ChildProgram(arguments, environment(kill_at), file("log")).wait());
}

int OutboxWorld::ended(int status) {
  if (status != killed) return status;
  database_->settle();
  sql("UPDATE action_triggers_shards SET expires = NULL");  // as if it had been waited for
  return status;
}

// -------------------------------------------------------------------------------------------------------------- faults

void OutboxWorld::fail_files(const std::string& error) {
  fails_files_ = true;
  if (error.empty()) {
    std::filesystem::remove(file("error"));
    return;
  }
  std::ofstream(file("error.new")) << error;
  std::filesystem::rename(file("error.new"), file("error"));
}

void OutboxWorld::break_broker(const std::string& name) { std::filesystem::rename(file(name), file(name + ".gone")); }

void OutboxWorld::mend_broker(const std::string& name) {
  if (std::filesystem::exists(file(name + ".gone"))) {
    std::filesystem::rename(file(name + ".gone"), file(name));
  } else {
    std::filesystem::create_directory(file(name));
  }
}

// ------------------------------------------------------------------------------------------------------- what became
// of it

std::string OutboxWorld::value(const std::string& statement) {
  const std::vector<std::string> all = sql(statement);
  return all.empty() ? "" : all.front();
}

bool OutboxWorld::has_said(const std::string& text) const {
  return eventually([&] { return log().find(text) != std::string::npos; });
}

bool OutboxWorld::is_empty_soon() {
  return eventually([&] { return value("SELECT count(*) FROM action_triggers_outbox") == "0"; });
}

std::vector<std::string> OutboxWorld::arrived(const std::string& broker) const { return lines_of(broker_file(broker)); }

History OutboxWorld::history() {
  History history;
  std::set<std::string> bodies;
  for (const std::string& row : sql("SELECT message_id, target, message_key, body FROM committed ORDER BY n")) {
    const std::vector<std::string> parts = parts_of(row, '|');
    bodies.insert(parts.at(3));
    for (const std::string& destination : destinations_of(parts[1])) {
      history.committed.push_back({.destination = destination,
                                   .body = parts[3],
                                   .id = parts[0],
                                   .key = parts[2],
                                   .guilty = is_guilty(parts[3])});
    }
  }
  for (const std::string& body : lines_of(file("attempts"))) {
    if (!bodies.contains(body)) history.rolled_back.insert(body);
  }
  return history;
}

Outcome OutboxWorld::outcome() {
  Outcome outcome;
  for (const char* const broker : brokers) {
    std::vector<Received>& messages = outcome.arrived[broker];
    for (const std::string& line : arrived(broker)) {
      const std::vector<std::string> parts = parts_of(line, '\t');
      Received& message = messages.emplace_back();
      message.id = parts.at(0);
      message.key = parts.at(1);
      message.body = parts.at(2);
    }
  }
  const std::string body = database_->text_of("body");
  for (const std::string& row : sql("SELECT target, " + body + " FROM action_triggers_outbox")) {
    const std::vector<std::string> parts = parts_of(row, '|');
    for (const std::string& destination : destinations_of(parts.at(0))) {
      outcome.waiting.push_back({.destination = destination, .body = parts.at(1)});
    }
  }
  for (const std::string& row : sql("SELECT destination, " + body + " FROM action_triggers_dead_letters")) {
    const std::vector<std::string> parts = parts_of(row, '|');
    outcome.dead.push_back({.destination = parts.at(0), .body = parts.at(1)});
  }
  return outcome;
}

}  // namespace action_triggers::tests
