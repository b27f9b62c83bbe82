// SPDX-License-Identifier: MIT
// The snippets of docs/, as they stand there (tests/docs/check_docs.py compares them), inside tests that run them.
#include <action_triggers/action_triggers.hpp>
#include <action_triggers/async.hpp>
#include <action_triggers/config_watcher.hpp>
#include <action_triggers/json.hpp>
#include <action_triggers/prometheus.hpp>
#include <action_triggers/testing/broker_contract.hpp>
#include <action_triggers/testing/matchers.hpp>
#include <action_triggers/testing/mock_broker.hpp>
#include <chrono>
#include <fstream>
#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace at = action_triggers;
using namespace std::chrono_literals;

namespace {

at::Config one_memory_broker() { return at::parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}}})"); }

/// What `action` writes to std::cerr.
template <class Action>
std::string errors_of(Action&& action) {
  const std::ostringstream captured;
  std::streambuf* const before = std::cerr.rdbuf(captured.rdbuf());
  action();
  std::cerr.rdbuf(before);
  return captured.str();
}

// ------------------------------------------------------------------------------------------------------- delivery.md

TEST(Snippets, WaitingForAnOutcome) {
  at::TriggerDispatcher dispatcher(one_memory_broker());
  const std::string said = errors_of([&] {
    at::InMemoryBroker::named()->unroutable_next();
    at::Delivery delivery = dispatcher.fire("orders", "…");
    if (const at::DeliveryReport* report = delivery.wait_for(2s); report == nullptr) {
      std::cerr << "no outcome yet; it will come, at the latest at the deadline\n";
    } else if (!report->status.ok()) {
      std::cerr << report->message_id << " was not delivered: " << report->status << '\n';
    }
  });
  EXPECT_THAT(said, ::testing::ContainsRegex("was not delivered: unroutable"));
}

TEST(Snippets, CallbacksAndOnFailure) {
  std::mutex mutex;
  std::vector<std::string> failed;
  const auto remember = [&](const at::DeliveryReport& report) {
    const std::lock_guard lock(mutex);
    failed.push_back(report.broker + ": " + std::string(to_string(report.status.code())));
  };
  bool confirmed = false;  // declared before the dispatcher, whose destructor still calls callbacks
  at::DispatcherOptions options;
  options.on_failure = remember;  // hears of every failure, of fire-and-forget messages too
  at::TriggerDispatcher dispatcher(one_memory_broker(), std::move(options));

  dispatcher.fire("orders", "…", [&confirmed](const at::DeliveryReport& report) { confirmed = report.status.ok(); });
  dispatcher.fire("odrers", "…");  // no such name: an outcome, not an exception

  ASSERT_TRUE(dispatcher.flush(5s));  // everything fired so far has its outcome, and its callbacks have run
  EXPECT_TRUE(confirmed);
  EXPECT_THAT(failed, ::testing::ElementsAre("odrers: not_found"));
}

TEST(Snippets, OnFailureSavesTheMessage) {
  std::vector<std::pair<std::string, at::Message>> unsent;
  at::DispatcherOptions options;
  options.on_failure = [&unsent](const at::DeliveryReport& report, const at::MessageView& message) {
    unsent.emplace_back(report.broker, message.copy());
  };
  at::TriggerDispatcher dispatcher(one_memory_broker(), std::move(options));
  dispatcher.fire("odrers", at::Message{.body = "kept", .key = "order-42"});
  ASSERT_EQ(unsent.size(), 1U);
  EXPECT_EQ(unsent[0].first, "odrers");
  EXPECT_EQ(unsent[0].second.body, "kept");
  EXPECT_EQ(unsent[0].second.key, "order-42");
}

class Order {
 public:
  void place(at::TriggerDispatcher& dispatcher) {
    dispatcher.fire("orders", "…", callbacks_([this](const at::DeliveryReport& report) { state_ = report.status; }));
  }

 private:
  at::Status state_{at::StatusCode::unavailable, "not placed yet"};
  at::CallbackScope callbacks_;  // ends first
};

TEST(Snippets, AnObjectMayEndBeforeItsCallbacks) {
  at::TriggerDispatcher dispatcher(one_memory_broker());
  at::InMemoryBroker::named()->hold();
  std::make_unique<Order>()->place(dispatcher);
  at::InMemoryBroker::named()->release();
  EXPECT_TRUE(dispatcher.flush(5s));
}

TEST(Snippets, OutcomesAsFutures) {
  at::TriggerDispatcher dispatcher(one_memory_broker());
  std::future<at::DeliveryReport> mail = at::fire_future(dispatcher, "orders", "…");
  std::future<at::DeliveryReport> event = at::fire_future(dispatcher, "orders", {.body = "…", .key = "order-42"});
  const bool both_arrived = mail.get().status.ok() && event.get().status.ok();  // not in a callback
  EXPECT_TRUE(both_arrived);
}

struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

Task place(at::TriggerDispatcher& dispatcher) {
  at::FiredMessage fired = at::fire_async(dispatcher, "orders", "…");  // under way from here on
  const at::DeliveryReport report = co_await fired;
  if (!report.status.ok()) std::cerr << report << '\n';  // on the lane's thread, or on the executor
}

TEST(Snippets, OutcomesForCoroutines) {
  at::TriggerDispatcher dispatcher(one_memory_broker());
  const std::string said = errors_of([&] {
    at::InMemoryBroker::named()->unroutable_next();
    place(dispatcher);
    EXPECT_TRUE(dispatcher.flush(5s));
  });
  EXPECT_THAT(said, ::testing::HasSubstr("orders"));
  EXPECT_THAT(said, ::testing::HasSubstr("unroutable"));
}

TEST(Snippets, WaitingForConnections) {
  at::TriggerDispatcher dispatcher(one_memory_broker());
  const std::string said = errors_of([&] {
    dispatcher.close();                                                                   // for the example's sake
    if (!dispatcher.wait_until_connected(10s)) std::cerr << dispatcher.health() << '\n';  // who has none, and why
  });
  EXPECT_THAT(said, ::testing::StartsWith("down\norders: closed"));
}

// ----------------------------------------------------------------------------------------------------- monitoring.md

TEST(Snippets, Health) {
  at::TriggerDispatcher dispatcher(one_memory_broker());
  dispatcher.close();
  const std::string said = errors_of([&] {
    const at::Health health = dispatcher.health();
    const int status = health.state == at::HealthState::down ? 503 : 200;  // of GET /healthz
    for (const at::HealthReason& reason : health.reasons) {
      std::cerr << reason.destination << " is " << reason.state << ": " << reason.what << "; " << reason.to_do << '\n';
    }
    EXPECT_EQ(status, 503);
  });
  EXPECT_THAT(said, ::testing::StartsWith("orders is down: closed"));
}

TEST(Snippets, Metrics) {
  const at::TriggerDispatcher dispatcher(one_memory_broker());
  const std::string page = at::prometheus_text(dispatcher.stats());  // for GET /metrics
  const std::string_view type = at::prometheus_content_type;
  EXPECT_THAT(page, ::testing::HasSubstr("destination=\"orders\""));
  EXPECT_THAT(std::string(type), ::testing::StartsWith("text/plain"));
}

TEST(Snippets, HeadersAndProperties) {
  at::TriggerDispatcher dispatcher(one_memory_broker());
  dispatcher.fire("orders", {.body = "…",
                             .headers = {{"tenant", "a"}, at::Header::list("CC", {"audit", "statistics"})},
                             .properties = at::Properties{.type = "order.paid", .user_id = "shop"}});
  ASSERT_TRUE(dispatcher.flush(5s));
  const at::Message arrived = at::InMemoryBroker::named()->messages("orders").back();
  EXPECT_EQ(arrived.headers.at(1).value, R"(["audit","statistics"])");
  EXPECT_EQ(arrived.properties->user_id, "shop");
}

TEST(Snippets, ClosingAccountsForEverything) {
  at::TriggerDispatcher dispatcher(one_memory_broker());
  const std::string said = errors_of([&] {
    at::InMemoryBroker::named()->hold();
    dispatcher.fire("orders", "…");
    const at::CloseReport left = dispatcher.close(100ms);
    for (const auto& [broker, count] : left.abandoned_by_broker) {
      std::cerr << count << " messages to " << broker << " were reported 'closed'\n";
    }
    at::InMemoryBroker::named()->release();
  });
  EXPECT_EQ(said, "1 messages to orders were reported 'closed'\n");
}

// -------------------------------------------------------------------------------------------------------- tracing.md

struct Request {
  std::string traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
};
const Request& current_request() {
  static const Request request;
  return request;
}

TEST(Snippets, TraceContext) {
  at::DispatcherOptions options;
  options.trace_context = [] { return at::TraceContext{.traceparent = current_request().traceparent}; };
  at::TriggerDispatcher dispatcher(one_memory_broker(), std::move(options));
  ASSERT_TRUE(dispatcher.fire("orders", "…").wait().status.ok());
  EXPECT_THAT(at::InMemoryBroker::named()->messages("orders").back().headers,
              ::testing::ElementsAre(at::Header{"traceparent", current_request().traceparent}));
}

// -------------------------------------------------------------------------------------------------- configuration.md

TEST(Snippets, EveryProblemOfAFile) {
  const std::string path = ::testing::TempDir() + "action_triggers_snippet.json";
  std::ofstream(path) << R"({"brokers": {"orders": {"broker_type": "kafka", "params": {"topci": "orders"}}}})";
  const std::string said = errors_of([&] {
    try {
      const at::Config config = at::load_config(path);
    } catch (const at::ConfigError& error) {
      for (const at::ConfigProblem& problem : error.problems()) {
        std::cerr << problem.line << ":" << problem.column << " " << problem.pointer << ": " << problem.text << '\n';
      }
    }
  });
  EXPECT_THAT(said, ::testing::HasSubstr("The field 'topic' must be provided."));
  EXPECT_THAT(said, ::testing::HasSubstr("/brokers/orders/params/topci: Unknown field 'topci'. Did you mean 'topic'?"));
}

TEST(Snippets, ResolversOfYourOwn) {
  const std::string path = ::testing::TempDir() + "action_triggers_snippet.json";
  std::ofstream(path) << R"({"brokers": {"mails": {"broker_type": "rabbitmq",
    "conn_details": {"password": "${vault:rabbitmq/password}", "virtual_host": "{{ tenant }}"}, "params": {"queue": "q"}}}})";
  const auto read_from_vault = [](std::string_view secret) {
    return secret == "rabbitmq/password" ? std::optional<std::string>("s3cret") : std::nullopt;
  };
  at::ConfigOptions options;
  options.resolvers["vault"] = read_from_vault;                  // "${vault:rabbitmq/password}"
  options.names["tenant"] = [] { return std::string("acme"); };  // "{{ tenant }}"
  const at::Config config = at::load_config(path, at::BrokerRegistry::builtin(), options);
  EXPECT_EQ(config.find_as<at::RabbitMqConfig>("mails")->password.reveal(), "s3cret");
  EXPECT_EQ(config.find_as<at::RabbitMqConfig>("mails")->virtual_host, "acme");
}

// ------------------------------------------------------------------------------------------------------ threading.md

/// Stands for an application's pool of threads.
class ThreadPool {
 public:
  ~ThreadPool() {
    for (std::thread& thread : threads_) thread.join();
  }
  void post(std::function<void()> task) {
    const std::lock_guard lock(mutex_);
    threads_.emplace_back(std::move(task));
  }

 private:
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

// ------------------------------------------------------------------------------------------------------ triggers.md

TEST(Snippets, AConfigurationThatChanges) {
  const std::string path = ::testing::TempDir() + "at-snippet-watched.json";
  const auto deploy = [&](const std::string& timeout) {
    std::ofstream(path) << R"({"brokers": {"orders": {"broker_type": "memory", "params": {"timeout_secs": )" << timeout
                        << "}}}}";
  };
  deploy("1");
  at::TriggerDispatcher dispatcher(at::load_config(path));
  const std::string said = errors_of([&] {
    at::ConfigWatcherOptions watching;
    watching.on_reload = [](const at::ReloadReport& report, const std::string& error) {
      if (!error.empty()) std::cerr << "still the old configuration: " << error << '\n';
      for (const std::string& name : report.changed) std::cerr << name << " has changed\n";
    };
    at::ConfigWatcher watcher(dispatcher, path, watching);

    deploy("2");
    while (dispatcher.stats().reloads == 0) std::this_thread::yield();
    watcher.reload_now();
  });
  EXPECT_THAT(said, ::testing::HasSubstr("orders has changed"));
  EXPECT_TRUE(dispatcher.fire("orders", "…").wait().status.ok());
}

TEST(Snippets, AnExecutorForCallbacks) {
  std::thread::id ran_on;
  {
    ThreadPool pool;  // outlives the dispatcher
    at::DispatcherOptions options;
    options.executor = [&pool](std::function<void()> task) { pool.post(std::move(task)); };
    at::TriggerDispatcher dispatcher(one_memory_broker(), at::BrokerRegistry::builtin(), std::move(options));
    dispatcher.fire("orders", "…", [&](const at::DeliveryReport&) { ran_on = std::this_thread::get_id(); });
    ASSERT_TRUE(dispatcher.flush(5s));
  }
  EXPECT_NE(ran_on, std::thread::id());
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

// ------------------------------------------------------------------------------------------------ adding-a-broker.md

class PrintBroker : public at::Broker {
  std::size_t send(std::span<const at::OutboundMessage* const> batch, at::BrokerEvents& events) override {
    for (const at::OutboundMessage* message : batch) {
      std::cerr << message->body() << '\n';
      events.complete(*message, at::Outcome::persisted());
    }
    return batch.size();
  }
};

TEST(Snippets, TheSmallestBroker) {
  const std::string said = errors_of([] {
    at::BrokerRegistry registry = at::BrokerRegistry::builtin();
    registry.add("print", [](const at::BrokerConfig&) { return std::make_unique<PrintBroker>(); });
    at::TriggerDispatcher dispatcher(at::parse_config(R"({"brokers": {"p": {"broker_type": "print"}}})", registry),
                                     registry);
    EXPECT_THAT(dispatcher.fire("p", "hello").wait(), at::testing::IsOk());
  });
  EXPECT_EQ(said, "hello\n");
}

at::Config two_names_on_one_connection() {
  at::Config config;
  for (const char* name : {"first", "second"}) {
    auto broker = std::make_shared<at::BrokerConfig>();
    broker->name = name;
    broker->broker_type = "subject";
    broker->connection_key = "one connection";
    config.brokers[name] = broker;
  }
  return config;
}

INSTANTIATE_TEST_SUITE_P(Print, BrokerContract,
                         ::testing::Values(at::testing::ContractSubject{
                             .name = "print",
                             .config = two_names_on_one_connection,
                             .make = [](const at::BrokerConfig&) { return std::make_unique<PrintBroker>(); },
                             .arrived = {}}));

// ----------------------------------------------------------------------------------------- testing-your-application.md

TEST(Snippets, AMockBroker) {
  auto mock = std::make_shared<at::testing::StrictMockBroker>();
  at::BrokerRegistry registry = at::BrokerRegistry::builtin().add("memory", at::testing::maker(mock));
  at::TriggerDispatcher dispatcher(one_memory_broker(), registry);

  EXPECT_CALL(*mock, publish("orders", at::testing::BodyIs("42")))
      .WillOnce(::testing::Return(at::Status(at::StatusCode::unavailable, "a hiccup")))  // tried again by itself
      .WillOnce(::testing::Return(at::Status()));
  EXPECT_THAT(dispatcher.fire("orders", "42").wait(), at::testing::AttemptsAre(2U));
}

TEST(Snippets, ScriptedFaults) {
  auto broker = std::make_shared<at::InMemoryBroker>();
  at::BrokerRegistry registry = at::BrokerRegistry::builtin().add("memory", broker->maker());
  at::TriggerDispatcher dispatcher(one_memory_broker(), registry);

  broker->unroutable_next();  // the next message finds no queue
  EXPECT_THAT(dispatcher.fire("orders", "1").wait(), at::testing::HasCode(at::StatusCode::unroutable));
  broker->lose_confirmation_next();  // it arrives, its confirmation does not: sent again, with the same id
  EXPECT_THAT(dispatcher.fire("orders", "2").wait(), at::testing::IsOk());
  EXPECT_EQ(broker->messages("orders").size(), 2U);
  EXPECT_EQ(broker->messages("orders")[0].id, broker->messages("orders")[1].id);
}

// ---------------------------------------------------------------------------------------------------- model-hooks.md

/// Stands for any database.
struct Transaction {
  explicit Transaction(bool fails = false) : fails_(fails) {}
  void insert_order(int) {}
  void commit() {
    if (fails_) throw std::runtime_error("a deferred constraint");
  }
  bool fails_;
};

void place(at::TriggerDispatcher& dispatcher, Transaction& transaction) {
  at::CommitScope scope(dispatcher);  // its destructor rolls back
  transaction.insert_order(42);
  scope.fire("orders", "order 42");
  transaction.commit();
  scope.commit();
}

TEST(Snippets, CommitScopes) {
  at::TriggerDispatcher dispatcher(one_memory_broker());
  at::InMemoryBroker::named()->clear();
  Transaction fails(true);
  EXPECT_THROW(place(dispatcher, fails), std::runtime_error);
  ASSERT_TRUE(dispatcher.flush(5s));
  EXPECT_EQ(at::InMemoryBroker::named()->size(), 0U);
  Transaction succeeds;
  place(dispatcher, succeeds);
  ASSERT_TRUE(dispatcher.flush(5s));
  EXPECT_EQ(at::InMemoryBroker::named()->size(), 1U);

  at::CommitScope scope(dispatcher);
  const auto before = scope.savepoint();  // beside SAVEPOINT
  const at::Delivery mail = scope.fire("orders", "…");
  scope.rollback_to(before);         // beside ROLLBACK TO
  std::cerr << mail.wait() << '\n';  // rolled_back
  EXPECT_THAT(mail.wait(), at::testing::HasCode(at::StatusCode::rolled_back));
}

// ------------------------------------------------------------------------------------------------------------- others

TEST(Snippets, JsonPayloads) {
  at::TriggerDispatcher dispatcher(one_memory_broker());
  at::InMemoryBroker::named()->clear();
  const nlohmann::json order{{"order", 42}};
  EXPECT_THAT(dispatcher.fire("orders", order).wait(), at::testing::IsOk());
  EXPECT_EQ(at::InMemoryBroker::named()->messages("orders").back().body, R"({"order":42})");
}

}  // namespace
