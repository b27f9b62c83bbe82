// A real RabbitMQ with faults in front of it and inside it, under load, held against the ledger.
#include <csignal>

#include "faults/fault_proxy.hpp"
#include "faults/support.hpp"

namespace action_triggers::tests {
namespace {

constexpr std::size_t window = 200;  // max_in_flight, and so the most duplicates of one lost connection

struct Stage {
  FaultProxy& proxy;
  std::string queue;
};

struct Fault {
  std::string name;  ///< As the table has it.
  std::function<void(Stage&)> begin;
  std::function<void(Stage&)> heal;
  std::chrono::milliseconds lasts{1'000};

  friend void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }
};

int broker_pid() {
  return std::stoi(
      run("bash -c 'eval \"$(" ACTION_TRIGGERS_SOURCE_DIR "/scripts/servers env)\"; echo $AT_RABBITMQ_PID'"));
}
void restart_broker() {
  run(ACTION_TRIGGERS_SOURCE_DIR "/scripts/servers restart rabbitmq");
  Servers::start();
}
void with_pika(const std::string& statements) {
  run("/usr/bin/python3 -c 'import pika; c = pika.BlockingConnection(pika.ConnectionParameters(\"" +
      Servers::rabbitmq_host() + "\", " + std::to_string(Servers::rabbitmq_port()) + ")); ch = c.channel(); " +
      statements + "; c.close()'");
}

class RabbitMqFaultTest : public ::testing::TestWithParam<Fault> {};

TEST_P(RabbitMqFaultTest, LosesNothing) {
  const Fault& fault = GetParam();
  FaultProxy proxy(Servers::rabbitmq_host(), Servers::rabbitmq_port());
  Stage stage{proxy, unique("fault")};
  Ledger ledger;
  Ledger::Clock::time_point healed;
  {
    TriggerDispatcher dispatcher(config_with(
        broker("b", "rabbitmq",
               R"("conn_details": {"host": "127.0.0.1", "port": )" + std::to_string(proxy.port()) +
                   R"(, "heartbeat": 1, "connect_timeout": 2})",
               R"("queue": ")" + stage.queue + R"(", "declare": true, "timeout_secs": 60, "max_in_flight": )" +
                   std::to_string(window))));
    Load load(dispatcher, ledger, "b");
    ASSERT_TRUE(eventually([&] { return ledger.count(StatusCode::ok) > 200; }));
    fault.begin(stage);
    std::this_thread::sleep_for(fault.lasts);  // the fault's own length
    fault.heal(stage);
    healed = Ledger::Clock::now();
    // A fresh fire works after healing.
    ASSERT_TRUE(eventually([&] { return ledger.ok_fired_after(healed) > 200; }))
        << dispatcher.stats().brokers["b"].last_error;
    load.stop();
    ASSERT_TRUE(dispatcher.flush(90s));
    EXPECT_TRUE(dispatcher.close(5s).complete());
  }
  const auto lost_connections = static_cast<std::size_t>(proxy.connections_made() - 1);
  ledger.check("RabbitMQ", fault.name, drain_queue(stage.queue), {.most_duplicates = lost_connections * window},
               healed);
}

void nothing(Stage& /*stage*/) {}
void heal_proxy(Stage& stage) { stage.proxy.heal(); }

std::vector<Fault> faults() {
  std::vector<Fault> all;
  all.push_back({.name = "connection reset", .begin = [](Stage& stage) { stage.proxy.reset_all(); }, .heal = nothing});
  all.push_back({.name = "half-closed by the peer",
                 .begin = [](Stage& stage) { stage.proxy.half_close_all(); },
                 .heal = nothing});
  all.push_back({.name = "black hole for 5 s",
                 .begin = [](Stage& stage) { stage.proxy.black_hole(); },
                 .heal = heal_proxy,
                 .lasts = 5s});
  all.push_back({.name = "reset, then accepted and silent",
                 .begin =
                     [](Stage& stage) {
                       stage.proxy.accept_and_stay_silent();
                       stage.proxy.reset_all();
                     },
                 .heal =
                     [](Stage& stage) {
                       stage.proxy.heal();
                       stage.proxy.reset_all();
                     },
                 .lasts = 3s});
  all.push_back({.name = "reset, then refused",
                 .begin =
                     [](Stage& stage) {
                       stage.proxy.refuse();
                       stage.proxy.reset_all();
                     },
                 .heal = heal_proxy,
                 .lasts = 2s});
  all.push_back({.name = "published, but every answer dropped",
                 .begin = [](Stage& stage) { stage.proxy.drop_answers(); },
                 .heal =
                     [](Stage& stage) {
                       stage.proxy.reset_all();
                       stage.proxy.heal();
                     }});
  all.push_back({.name = "200 ms late in each direction",
                 .begin = [](Stage& stage) { stage.proxy.delay(200ms); },
                 .heal = heal_proxy,
                 .lasts = 2s});
  all.push_back({.name = "100 kB/s",
                 .begin = [](Stage& stage) { stage.proxy.limit_bandwidth(100'000); },
                 .heal = heal_proxy,
                 .lasts = 2s});
  all.push_back({.name = "cut after 20,000 bytes, again and again",
                 .begin = [](Stage& stage) { stage.proxy.cut_after(20'000); },
                 .heal = heal_proxy,
                 .lasts = 3s});
  all.push_back({.name = "broker killed and restarted",
                 .begin =
                     [](Stage&) {
                       // RabbitMQ forgets a queue that was declared a moment before, with all in it: docs/delivery.md.
                       Servers::rabbitmqctl("eval 'mnesia:sync_log().'");
                       ::kill(broker_pid(), SIGKILL);
                     },
                 .heal = [](Stage&) { restart_broker(); }});
  all.push_back({.name = "broker stopped for 5 s (SIGSTOP)",
                 .begin = [](Stage&) { ::kill(broker_pid(), SIGSTOP); },
                 .heal = [](Stage&) { ::kill(broker_pid(), SIGCONT); },
                 .lasts = 5s});
  all.push_back({.name = "close_all_connections",
                 .begin = [](Stage&) { Servers::rabbitmqctl("close_all_connections fault"); },
                 .heal = nothing});
  all.push_back({.name = "stop_app, start_app",
                 .begin = [](Stage&) { Servers::rabbitmqctl("stop_app"); },
                 .heal =
                     [](Stage&) {
                       Servers::rabbitmqctl("start_app");
                       Servers::rabbitmqctl("await_startup");
                     }});
  all.push_back({.name = "memory alarm for 2 s",
                 .begin = [](Stage&) { Servers::rabbitmqctl("set_vm_memory_high_watermark 0"); },
                 .heal = [](Stage&) { Servers::rabbitmqctl("set_vm_memory_high_watermark 0.4"); },
                 .lasts = 2s});
  all.push_back({.name = "disk alarm for 2 s",
                 .begin = [](Stage&) { Servers::rabbitmqctl("set_disk_free_limit mem_relative 10000"); },
                 .heal = [](Stage&) { Servers::rabbitmqctl("set_disk_free_limit 50MB"); },
                 .lasts = 2s});
  return all;
}

INSTANTIATE_TEST_SUITE_P(, RabbitMqFaultTest, ::testing::ValuesIn(faults()), [](const auto& parameter) {
  std::string name;
  for (const char c : parameter.param.name) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
});

// ------------------------------------------------------------------------------------- faults with outcomes of their
// own

/// Runs a load straight at the broker; `during` does its worst and puts it right again.
void run_with(const std::string& fault, const std::string& params, const std::string& queue,
              const std::function<void(Ledger&)>& during, const Ledger::Rules& rules,
              const std::string& conn = rabbitmq_conn()) {
  Ledger ledger;
  Ledger::Clock::time_point healed;
  {
    TriggerDispatcher dispatcher(config_with(broker("b", "rabbitmq", conn, params + R"(, "timeout_secs": 60)")));
    Load load(dispatcher, ledger, "b");
    ASSERT_TRUE(eventually([&] { return ledger.count(StatusCode::ok) > 200; }));
    during(ledger);
    healed = Ledger::Clock::now();
    ASSERT_TRUE(eventually([&] { return ledger.ok_fired_after(healed) > 200; }))
        << dispatcher.stats().brokers["b"].last_error;
    load.stop();
    ASSERT_TRUE(dispatcher.flush(90s));
  }
  ledger.check("RabbitMQ", fault, drain_queue(queue), rules, healed);
}

TEST(RabbitMqOutcomeTest, AQueueDeletedMidRunIsUnroutableUntilItIsBack) {
  const std::string queue = unique("fault");
  with_pika("ch.queue_declare(\"" + queue + "\", durable=True)");
  std::vector<Received> before;
  Ledger ledger;
  Ledger::Clock::time_point healed;
  {
    TriggerDispatcher dispatcher(config_with(broker("b", "rabbitmq", rabbitmq_conn(), R"("queue": ")" + queue + "\"")));
    Load load(dispatcher, ledger, "b");
    ASSERT_TRUE(eventually([&] { return ledger.count(StatusCode::ok) > 200; }));
    load.stop();
    ASSERT_TRUE(dispatcher.flush(30s));
    before = drain_queue(queue);  // what is in it would be deleted with it
    with_pika("ch.queue_delete(\"" + queue + "\")");
    Load without(dispatcher, ledger, "b");
    ASSERT_TRUE(eventually([&] { return ledger.count(StatusCode::unroutable) > 200; }));
    with_pika("ch.queue_declare(\"" + queue + "\", durable=True)");
    healed = Ledger::Clock::now();
    ASSERT_TRUE(eventually([&] { return ledger.ok_fired_after(healed) > 200; }));
    without.stop();
    ASSERT_TRUE(dispatcher.flush(30s));
  }
  std::vector<Received> received = drain_queue(queue);
  received.insert(received.begin(), before.begin(), before.end());
  ledger.check("RabbitMQ", "queue deleted and declared again", received, {.explained = {StatusCode::unroutable}},
               healed);
}

TEST(RabbitMqOutcomeTest, AnExchangeDeletedMidRunIsNotFoundUntilItIsBack) {
  const std::string name = unique("fault");
  const std::string declare = "ch.exchange_declare(\"" + name + "\", \"direct\", durable=True); ";
  const std::string bind = "ch.queue_bind(\"" + name + "\", \"" + name + "\", \"key\")";
  with_pika(declare + "ch.queue_declare(\"" + name + "\", durable=True); " + bind);
  run_with("exchange deleted and declared again", R"("exchange": ")" + name + R"(", "routing_key": "key")", name,
           [&](Ledger& ledger) {
             with_pika("ch.exchange_delete(\"" + name + "\")");
             ASSERT_TRUE(eventually([&] { return ledger.count(StatusCode::not_found) > 200; }));
             with_pika(declare + bind);
           },
           // Between declaring the exchange and binding the queue, messages find no queue.
           {.most_duplicates = 1'000, .explained = {StatusCode::not_found, StatusCode::unroutable}});
}

TEST(RabbitMqOutcomeTest, AFullQueueRejectsUntilThereIsRoom) {
  const std::string queue = unique("fault");
  std::vector<Received> taken;
  Ledger ledger;
  Ledger::Clock::time_point healed;
  {
    TriggerDispatcher dispatcher(config_with(
        broker("b", "rabbitmq", rabbitmq_conn(),
               R"("timeout_secs": 60, "queue": ")" + queue +
                   R"(", "declare": {"arguments": {"x-max-length": 500, "x-overflow": "reject-publish"}})")));
    for (int i = 0; i < 1'000; ++i) ledger.fire(dispatcher, "b");
    ASSERT_TRUE(eventually([&] { return ledger.count(StatusCode::ok) >= 500; }));
    EXPECT_FALSE(dispatcher.flush(500ms));  // the rest is refused, and tried again
    ASSERT_TRUE(eventually([&] {
      const auto more = drain_queue(queue);
      taken.insert(taken.end(), more.begin(), more.end());
      return ledger.reported() == 1'000;
    }));
    healed = Ledger::Clock::now();
  }
  const auto more = drain_queue(queue);
  taken.insert(taken.end(), more.begin(), more.end());
  // A refused message comes after those confirmed meanwhile: docs/delivery.md.
  ledger.check("RabbitMQ", "queue full (reject-publish), then drained", taken, {.check_order = false}, healed);
}

TEST(RabbitMqOutcomeTest, APasswordChangedWhileRunningIsReportedUntilItIsRight) {
  const std::string user = unique("user");
  const std::string queue = unique("fault");
  Servers::rabbitmqctl("add_user " + user + " right");
  Servers::rabbitmqctl("set_permissions " + user + " '.*' '.*' '.*'");
  run_with(
      "password changed, then changed back", R"("queue": ")" + queue + R"(", "declare": true)", queue,
      [&](Ledger& ledger) {
        Servers::rabbitmqctl("change_password " + user + " other");
        Servers::rabbitmqctl("close_all_connections password");
        ASSERT_TRUE(eventually([&] { return ledger.count(StatusCode::unauthenticated) > 200; }));
        Servers::rabbitmqctl("change_password " + user + " right");
      },
      {.most_duplicates = 1'000, .explained = {StatusCode::unauthenticated}},
      rabbitmq_conn(R"(, "username": ")" + user + R"(", "password": "right")"));
  Servers::rabbitmqctl("delete_user " + user);
}

TEST(RabbitMqOutcomeTest, PermissionsClearedWhileRunningAreReportedUntilTheyAreBack) {
  const std::string user = unique("user");
  const std::string name = unique("fault");
  Servers::rabbitmqctl("add_user " + user + " right");
  Servers::rabbitmqctl("set_permissions " + user + " '.*' '.*' '.*'");
  with_pika("ch.exchange_declare(\"" + name + "\", \"direct\", durable=True); ch.queue_declare(\"" + name +
            "\", durable=True); ch.queue_bind(\"" + name + "\", \"" + name + "\", \"key\")");
  run_with(
      "permissions cleared, then given back", R"("exchange": ")" + name + R"(", "routing_key": "key")", name,
      [&](Ledger& ledger) {
        Servers::rabbitmqctl("clear_permissions " + user);
        Servers::rabbitmqctl("close_all_connections permissions");
        ASSERT_TRUE(eventually([&] { return ledger.count(StatusCode::permission_denied) > 200; }));
        Servers::rabbitmqctl("set_permissions " + user + " '.*' '.*' '.*'");
      },
      {.most_duplicates = 1'000, .explained = {StatusCode::permission_denied}},
      rabbitmq_conn(R"(, "username": ")" + user + R"(", "password": "right")"));
  Servers::rabbitmqctl("delete_user " + user);
}

}  // namespace
}  // namespace action_triggers::tests
