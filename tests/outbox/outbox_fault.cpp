// SPDX-License-Identifier: MIT
#include "outbox/outbox_fault.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>

namespace action_triggers::tests {
namespace {

const std::string servers = ACTION_TRIGGERS_SOURCE_DIR "/scripts/servers";

std::string variable_of(std::string server, const std::string& what) {
  for (char& c : server) c = c == '-' ? '_' : static_cast<char>(std::toupper(c));
  return "AT_" + server + "_" + what;
}

}  // namespace

void crash_server(const std::string& server) {
  const std::string variable = variable_of(server, "PID");
  if (::kill(std::stoi(Servers::variable(variable)), SIGKILL) != 0) {
    throw std::runtime_error(variable + " is no process any more");  // a fault that does not strike proves nothing
  }
}

void restart_server(const std::string& server) {
  run(servers + " restart " + server);
  Servers::start(server);  // and learn its new process id
}

void OutboxFaultTest::stop_all() {
  if (application_ != nullptr) application_->stop();
  if (HasFailure()) {
    for (const auto& relay : relays_) std::cerr << "a relay printed:\n" << relay->printed() << "\n";
  }
  relays_.clear();
}

OutboxFaultTest::~OutboxFaultTest() {
  stop_all();
  watch_.reset();
  try {
    Sql sql(PgServer::conninfo());
    sql("DROP SCHEMA IF EXISTS " + schema_ + " CASCADE");
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
}

void OutboxFaultTest::set_up(const Setting& setting) {
  setting_ = setting;
  conninfo_ = setting.conninfo.empty() ? PgServer::conninfo() : setting.conninfo;
  reading_ = PgServer::conninfo();
  places_ = {{.destination = "first", .name = unique("first")},
             {.destination = "second",
              .kind = setting.has_kafka ? Place::Kind::kafka : Place::Kind::rabbitmq,
              .name = unique("second")}};
  if (setting.has_kafka) Servers::start("kafka");
  make("first");
  if (setting.has_second) make("second");
  write_configuration();
  run(std::string(ACTION_TRIGGERS_COMMAND) + " outbox install " + folder_.file("config.json"));
  ApplicationOptions options{.conninfo = conninfo_,
                             .schema = schema_,
                             .destinations = {"first", "second"},
                             .event_destinations = {},
                             .sessions = setting.sessions,
                             .pause = setting.pause,
                             .seed = setting.seed};
  if (setting.has_events) options.event_destinations = options.destinations;
  application_ = std::make_unique<Application>(options);
  Sql sql(reading_);
  application_->install(sql);
  watch_ = std::make_unique<ArrivalWatch>(places_);
}

void OutboxFaultTest::write_configuration() const {
  std::string brokers;
  for (const Place& place : places_) {
    const bool is_kafka = place.kind == Place::Kind::kafka;
    const std::string details = is_kafka
                                    ? R"("bootstrap_servers": ")" + Servers::kafka_bootstrap() + "\""
                                    : R"("host": "127.0.0.1", "port": )" + std::to_string(Servers::rabbitmq_port());
    brokers += (brokers.empty() ? "" : ", ") + ("\"" + place.destination) + R"(": {"broker_type": ")" +
               (is_kafka ? "kafka" : "rabbitmq") + R"(", "conn_details": {)" + details + R"(}, "params": {")" +
               (is_kafka ? "topic" : "queue") + R"(": ")" + place.name + R"(", "max_in_flight": 200}})";
  }
  std::ofstream(folder_.file("config.json"))
      << R"({"brokers": {)" << brokers << R"(}, "triggers": {"placed": {"events": [")" << Application::event
      << R"("], "targets": ["first", "second"]}}, "outbox": )"
      << R"({"type": "postgresql", "conninfo": ")" << conninfo_ << R"(", "schema": ")" << schema_ << R"(", "shards": )"
      << setting_.shards << R"(, "lease_secs": )" << lease_seconds << R"(, "batch": )" << setting_.batch << "}}";
}

RelayProcess& OutboxFaultTest::add_relay(std::vector<std::string> environment) {
  const std::string log = folder_.file("relay-" + std::to_string(relays_.size()));
  relays_.push_back(std::make_unique<RelayProcess>(folder_.file("config.json"), log, std::move(environment)));
  return *relays_.back();
}

void OutboxFaultTest::move_to(const std::string& conninfo) {
  conninfo_ = reading_ = conninfo;
  application_->move_to(conninfo);
  write_configuration();
}

std::size_t OutboxFaultTest::window(int shards) const {
  // To each destination two batches may be under way, and one of what was confirmed waits to be removed.
  return static_cast<std::size_t>(shards * setting_.batch * 3) * places_.size();
}

void OutboxFaultTest::make(const std::string& destination) {
  make_place(*std::find_if(places_.begin(), places_.end(),
                           [&](const Place& place) { return place.destination == destination; }));
  made_.insert(destination);
}

bool OutboxFaultTest::eventually(const std::function<bool()>& condition, std::chrono::seconds patience) {
  const auto supervised = [&] {
    for (const auto& relay : relays_) relay->supervise();
    return condition();
  };
  return watch_->eventually(supervised, patience);
}

bool OutboxFaultTest::arrive(std::uint64_t messages) {
  return eventually([this, goal = watch_->count() + messages] { return watch_->count() >= goal; });
}

bool OutboxFaultTest::commit(std::uint64_t transactions) {
  return eventually([this, goal = application_->commits() + transactions] { return application_->commits() >= goal; },
                    600s);
}

std::optional<std::uint64_t> OutboxFaultTest::rows(const std::string& condition) {
  try {
    return std::stoull(ask("SELECT count(*) FROM " + outbox() + " WHERE " + condition));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

void OutboxFaultTest::begin_load() {
  application_->start();
  ASSERT_TRUE(arrive(200));
}

void OutboxFaultTest::take_away(const std::string& broker, std::uint64_t transactions) {
  // RabbitMQ forgets queues that are very new: docs/delivery.md
  if (broker == "rabbitmq") Servers::rabbitmqctl("eval 'mnesia:sync_log().'");
  const std::uint64_t before = application_->commits();
  const auto begin = Clock::now();
  crash_server(broker);
  explain(window(setting_.shards));
  ASSERT_TRUE(commit(transactions / 2));
  relays_.front()->kill_it();  // what it knows of events that have arrived at one of their two destinations is gone
  explain(window(setting_.shards));
  relays_.front()->start();
  ASSERT_TRUE(commit(transactions - transactions / 2));
  const std::chrono::duration<double> took = Clock::now() - begin;
  std::cout << static_cast<double>(application_->commits() - before) / took.count() << " commits a second for "
            << took.count() << " s without " << broker << '\n';
  application_->stop();  // or a broker takes minutes to start beside it, on two cores
  restart_server(broker);
  application_->start();
}

void OutboxFaultTest::end_load() {
  healed_ = Clock::now();
  ASSERT_TRUE(eventually([this] { return watch_->first_after(*healed_).has_value(); }));
  ASSERT_TRUE(commit(100));
  application_->stop();
  ASSERT_TRUE(eventually([this] { return rows() == 0U; }, 180s)) << *rows() << " rows are left";
}

void OutboxFaultTest::under_load(const std::string& fault, const std::function<void()>& during) {
  begin_load();
  if (HasFatalFailure()) return;
  during();
  if (HasFatalFailure()) return;
  end_load();
  if (HasFatalFailure()) return;
  for (const auto& relay : relays_) {
    EXPECT_EQ(relay->end_it(), "");
  }
  check(fault);
}

Outcome OutboxFaultTest::outcome(Sql& sql) {
  Outcome outcome;
  for (const Place& place : places_) {
    if (!made_.contains(place.destination)) continue;
    std::vector<Received> read = read_place(place);
    std::vector<Received>& all = arrived_[place.destination];
    if (place.kind == Place::Kind::kafka) all.clear();  // which is read from the beginning
    std::move(read.begin(), read.end(), std::back_inserter(all));
  }
  outcome.arrived = arrived_;
  for (const std::string& row : sql.rows("SELECT target, encode(body, 'hex') FROM " + outbox())) {
    const std::string target = row.substr(0, row.find('|'));
    for (const Place& place : places_) {
      if (target != place.destination && !target.starts_with("event:")) continue;
      outcome.waiting.push_back({place.destination, from_hex(row.substr(row.find('|') + 1))});
    }
  }
  for (const std::string& row : sql.rows("SELECT destination, encode(body, 'hex') FROM " + dead_letters())) {
    outcome.dead.push_back({row.substr(0, row.find('|')), from_hex(row.substr(row.find('|') + 1))});
  }
  return outcome;
}

void OutboxFaultTest::check(const std::string& fault, const std::set<std::string>& held) {
  Sql sql(reading_);
  History history = application_->history(sql);
  for (Committed& one : history.committed) one.guilty = one.body == guilty_;
  std::optional<std::chrono::milliseconds> recovery;
  if (healed_) recovery = watch_->first_after(*healed_);
  const CommittedVerdict verdict =
      check_commits("PostgreSQL", fault, history, outcome(sql),
                    {.most_duplicates = explained_, .held = held, .order_of_all = false}, recovery);
  EXPECT_GT(history.rolled_back.size(), 0U);
  EXPECT_GT(verdict.arrived, 0U);
}

}  // namespace action_triggers::tests
