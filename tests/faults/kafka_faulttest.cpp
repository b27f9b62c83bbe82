// A real Apache Kafka with faults, under load, held against the ledger.
#include <csignal>

#include "faults/support.hpp"

namespace action_triggers::tests {
namespace {

struct Fault {
  std::string name;  ///< As the table has it.
  std::function<void(const std::string& topic)> begin;
  std::function<void(const std::string& topic)> heal;
  std::chrono::milliseconds lasts{1'000};

  friend void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }
};

int broker_pid() {
  return std::stoi(run("bash -c 'eval \"$(" ACTION_TRIGGERS_SOURCE_DIR "/scripts/servers env)\"; echo $AT_KAFKA_PID'"));
}
void restart_broker() {
  run(ACTION_TRIGGERS_SOURCE_DIR "/scripts/servers restart kafka");
  Servers::start();
}

class KafkaFaultTest : public ::testing::TestWithParam<Fault> {};

TEST_P(KafkaFaultTest, LosesNothing) {
  const Fault& fault = GetParam();
  const std::string topic = unique("fault");
  create_topics({topic}, 3);
  Ledger ledger;
  Ledger::Clock::time_point healed;
  std::mutex mutex;
  std::string log;
  {
    DispatcherOptions options;
    options.log = [&](LogLevel, std::string_view, std::string_view text) {
      const std::lock_guard lock(mutex);
      log.append(text).append("\n");
    };
    TriggerDispatcher dispatcher(
        config_with(broker("b", "kafka", kafka_conn(), R"("topic": ")" + topic + R"(", "timeout_secs": 90)")),
        BrokerRegistry::builtin(), std::move(options));
    Load load(dispatcher, ledger, "b");
    ASSERT_TRUE(eventually([&] { return ledger.count(StatusCode::ok) > 200; }));
    fault.begin(topic);
    std::this_thread::sleep_for(fault.lasts);  // the fault's own length
    fault.heal(topic);
    healed = Ledger::Clock::now();
    ASSERT_TRUE(eventually([&] { return ledger.ok_fired_after(healed) > 200; }))
        << dispatcher.stats().brokers["b"].last_error;
    load.stop();
    ASSERT_TRUE(dispatcher.flush(120s));
    EXPECT_TRUE(dispatcher.close(5s).complete());
  }
  // The idempotent producer's own retries do not duplicate, as long as the broker knows the producer and the client
  // lives. Otherwise what was on the wire may: five requests for each of three partitions.
  constexpr std::size_t on_the_wire = 3UL * 5UL * 10'000UL;
  const std::size_t duplicates = ledger.check("Kafka", fault.name, read_topic(topic),
                                              {.most_duplicates = on_the_wire, .order_per_key = true}, healed);
  if (duplicates > 0) std::cout << "the client said:\n" << log;
}

std::vector<Fault> faults() {
  return {
      {.name = "broker killed and restarted",
       .begin = [](const std::string&) { ::kill(broker_pid(), SIGKILL); },
       .heal = [](const std::string&) { restart_broker(); }},
      {.name = "broker stopped for 5 s (SIGSTOP)",
       .begin = [](const std::string&) { ::kill(broker_pid(), SIGSTOP); },
       .heal = [](const std::string&) { ::kill(broker_pid(), SIGCONT); },
       .lasts = 5s},
  };
}

INSTANTIATE_TEST_SUITE_P(, KafkaFaultTest, ::testing::ValuesIn(faults()), [](const auto& parameter) {
  std::string name;
  for (const char c : parameter.param.name) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
});

}  // namespace
}  // namespace action_triggers::tests
