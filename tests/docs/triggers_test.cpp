// SPDX-License-Identifier: MIT
// docs/triggers.md: its configurations with its snippets, and each row of its table of conditions.
#include <action_triggers/action_triggers.hpp>
#include <action_triggers/testing/trigger_fixture.hpp>
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace at = action_triggers;
using at::testing::BodyIs;
using at::testing::BodyIsJson;
using at::testing::ContentTypeIs;
using at::testing::FromTrigger;
using at::testing::HasCode;
using at::testing::HeaderIs;
using at::testing::KeyIs;
using at::testing::NotSent;
using at::testing::RoutingKeyIs;
using at::testing::Sent;
using at::testing::TopicIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

namespace {

std::string page() {
  std::ifstream in(ACTION_TRIGGERS_SOURCE_DIR "/docs/triggers.md", std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// What stands between two marks of the page, the second one after the first.
std::string between(const std::string& first, const std::string& second) {
  const std::string text = page();
  const std::size_t begin = text.find(first);
  const std::size_t end = text.find(second, begin + first.size());
  if (end == std::string::npos) throw std::runtime_error("docs/triggers.md has no " + first);
  return text.substr(begin + first.size(), end - begin - first.size());
}

/// The page's configuration of this name, behind no servers.
at::testing::TriggerFixture fixture_of(const std::string& file) {
  return at::testing::TriggerFixture::parse(between("<!-- file " + file + " -->\n```json\n", "```"));
}

/// What `action` writes to a stream.
template <class Action>
std::string written_to(std::ostream& stream, Action&& action) {
  const std::ostringstream captured;
  std::streambuf* const before = stream.rdbuf(captured.rdbuf());
  action();
  stream.rdbuf(before);
  return captured.str();
}

TEST(TriggerPage, EmitsAndCounts) {
  at::TriggerDispatcher dispatcher(at::parse_config(R"({"brokers": {"m": {"broker_type": "memory"}},
      "triggers": {"order_paid": {"events": ["order.paid"], "targets": ["m"]}}})"));
  const std::string reports = written_to(std::cout, [&] {
    at::Emission emission = dispatcher.emit("order.paid", R"({"id": 42, "total": 99.90})");  // does not wait

    for (const at::DeliveryReport& report : emission.wait()) {  // only where the outcome matters
      std::cout << report.trigger << " > " << report.broker << ": " << report.status << '\n';
    }
  });
  EXPECT_EQ(reports, "order_paid > m: ok\n");
  EXPECT_TRUE(dispatcher.flush(10s));
  const std::string counters = written_to(std::cout, [&] {
    for (const auto& [name, trigger] : dispatcher.stats().triggers) {
      std::cout << name << ": " << trigger.matched << " matched, " << trigger.filtered << " filtered, " << trigger.sent
                << " sent, " << trigger.failed << " failed " << trigger.last_error << '\n';
    }
  });
  EXPECT_EQ(counters, "order_paid: 1 matched, 0 filtered, 1 sent, 0 failed \n");
}

TEST(TriggerPage, OutcomesOfAnEvent) {
  at::TriggerDispatcher dispatcher(at::parse_config(R"({"brokers": {"m": {"broker_type": "memory"}},
      "triggers": {"order_paid": {"events": ["order.paid"], "targets": ["m", {"broker": "m", "key": "{{ /none }}"}]}}})"));
  const std::string said = written_to(std::cerr, [&] {
    const at::Emission emission = dispatcher.emit("order.paid", R"({"id": 42})");
    if (emission.empty()) std::cerr << "no trigger sends this event anywhere\n";  // not an error; counted
    if (!emission.wait_for(2s)) std::cerr << "not all outcomes are known yet\n";
    for (const at::DeliveryReport& report : emission) {  // waits for what is not known
      if (!report.status.ok()) std::cerr << report.trigger << " > " << report << '\n';
    }
  });
  EXPECT_THAT(said, ::testing::ContainsRegex("^order_paid > m.*invalid_argument.*/none.*\n$"));
}

TEST(TriggerPage, TheFirstExample) {
  auto fixture = fixture_of("brokers.json");
  EXPECT_THAT(fixture.emitted("order.42.paid", R"({"id": 42, "status": "paid", "total": 100})"),
              ElementsAre(Sent("order_events"),
                          Sent("order_mails", BodyIsJson(R"({"order": 42, "text": "Order 42 of a customer"})"),
                               KeyIs("order-42"), HeaderIs("event", "order.42.paid"), RoutingKeyIs("mail"))));
  EXPECT_THAT(fixture.emitted("order.paid", R"({"id": 42, "status": "paid", "total": 99.99})"),
              ElementsAre(Sent("order_events")));
  EXPECT_THAT(fixture.emitted("order.paid", R"({"id": 42, "status": "new"})"), IsEmpty());
  const at::DeliveryReport report = fixture.dispatcher().fire("order_mails", "x").wait();
  EXPECT_THAT(report, HasCode(at::StatusCode::not_found));
  EXPECT_THAT(report.status.message(), ::testing::HasSubstr("routing_key"));
}

TEST(TriggerPage, OneEventToKafkaAndRabbitMq) {
  auto fixture = fixture_of("both-brokers.json");
  EXPECT_THAT(fixture.emitted("order.placed", R"({"id": 42})"),
              ElementsAre(Sent("order_events", TopicIs("orders"), KeyIs("order-42"), BodyIs(R"({"id": 42})")),
                          Sent("order_jobs", RoutingKeyIs("order_jobs"), BodyIs(R"({"id": 42})"))));
}

TEST(TriggerPage, OnlyLargeOrders) {
  auto fixture = fixture_of("large-orders.json");
  EXPECT_THAT(fixture.emitted("order.placed", R"({"total": 1000.00})"), ElementsAre(Sent("fraud_checks")));
  EXPECT_THAT(fixture.emitted("order.placed", R"({"total": 999.99})"), IsEmpty());
  EXPECT_THAT(fixture.emitted("order.placed", R"({"total": 5000, "customer": {"known": true}})"), IsEmpty());
}

TEST(TriggerPage, AMailInAShapeOfItsOwn) {
  auto fixture = fixture_of("mails.json");
  const std::string paid = R"({"id": 42, "customer": {"mail": "ann@example.org"}, "lines": [{"sku": "tea"}]})";
  const std::string mail =
      R"({"to": "ann@example.org", "text": "Dear customer, order 42 is paid.", "lines": [{"sku": "tea"}]})";
  EXPECT_THAT(
      fixture.emitted("order.paid", paid),
      ElementsAre(Sent("mails", RoutingKeyIs("mail.thanks"), ContentTypeIs("application/json"), BodyIsJson(mail))));
  EXPECT_THAT(fixture.emitted("order.overdue", R"({"customer": {}})"),
              ElementsAre(NotSent("mails", HasCode(at::StatusCode::invalid_argument))));  // there is no address
}

TEST(TriggerPage, ToEachTenantItsOwnQueue) {
  auto fixture = fixture_of("tenants.json");
  const at::Message message{.body = "{}", .headers = {{"tenant", "acme"}}};
  EXPECT_THAT(fixture.emitted("invoice.sent", message),
              ElementsAre(Sent("tenants", RoutingKeyIs("acme"), HeaderIs("event", "invoice.sent"))));
  EXPECT_THAT(fixture.emitted("invoice.sent", "{}"), ElementsAre(Sent("tenants", RoutingKeyIs("nobody"))));
}

TEST(TriggerPage, AnAuditOfEverything) {
  auto fixture = fixture_of("audit.json");
  const auto sent = fixture.emitted("user.login", R"({"user": 7})");
  ASSERT_THAT(sent, ElementsAre(Sent("audit")));
  const nlohmann::json record = nlohmann::json::parse(sent[0].body);
  EXPECT_EQ(record.at("event"), "user.login");
  EXPECT_EQ(record.at("id"), sent[0].id);
  EXPECT_EQ(record.at("payload").at("user"), 7);
}

TEST(TriggerPage, EventsAsATopicExchange) {
  auto fixture = fixture_of("topic-exchange.json");
  EXPECT_THAT(fixture.emitted("order.42.paid", "{}"), ElementsAre(Sent("events", RoutingKeyIs("order.42.paid"))));
}

TEST(TriggerPage, AFunctionForWhatDataCannotSay) {
  auto fixture = fixture_of("kitchens.json");
  at::TriggerDispatcher& dispatcher = fixture.dispatcher();
  dispatcher.on("order.placed", [](const at::Event& event) -> std::vector<at::AddressedMessage> {
    const nlohmann::json order = nlohmann::json::parse(event.payload);  // what it throws is reported
    const int cups = order.at("cups").get<int>();
    if (cups == 0) return {};  // nothing is sent

    at::Message message = event.copy();  // payload, key, headers and id, to be changed
    message.headers.push_back(at::Header::integer("litres", (cups + 3) / 4));
    return {{"kitchen_" + order.at("city").get<std::string>(), message}};
  });
  EXPECT_THAT(fixture.emitted("order.placed", R"({"city": "berlin", "cups": 9})"),
              ElementsAre(Sent("audit"), Sent("kitchen_berlin", HeaderIs("litres", "3"), FromTrigger("order.placed"))));
  EXPECT_THAT(fixture.emitted("order.placed", R"({"city": "paris", "cups": 1})"),
              ElementsAre(Sent("audit"), NotSent("kitchen_paris", HasCode(at::StatusCode::not_found))));
  EXPECT_THAT(fixture.emitted("order.placed", "no JSON"),
              ElementsAre(Sent("audit"), NotSent("", HasCode(at::StatusCode::invalid_argument))));
  EXPECT_THAT(fixture.emitted("order.placed", R"({"cups": 0})"), ElementsAre(Sent("audit")));
  EXPECT_EQ(dispatcher.stats().triggers.at("order.placed").filtered, 1U);
  EXPECT_TRUE(dispatcher.off("order.placed"));
  EXPECT_THAT(fixture.emitted("order.placed", "{}"), ElementsAre(Sent("audit")));
}

/// The cells of a row of a table, without the backticks around them.
std::vector<std::string> cells(const std::string& row) {
  std::vector<std::string> found;
  for (std::size_t begin = row.find("| `"); begin != std::string::npos; begin = row.find("| `", begin)) {
    begin += 3;
    const std::size_t end = row.find("` |", begin);
    found.push_back(row.substr(begin, end - begin));
  }
  return found;
}

TEST(TriggerPage, EachConditionMatchesWhatItsRowSays) {
  std::istringstream table(between("<!-- conditions -->\n", "<!-- end -->"));
  int rows = 0;
  for (std::string row; std::getline(table, row);) {
    const std::vector<std::string> cell = cells(row);
    if (cell.size() != 3) continue;  // its head
    ++rows;
    auto fixture = at::testing::TriggerFixture::parse(R"({"brokers": {"m": {"broker_type": "memory"}},
        "triggers": {"t": {"events": ["e"], "targets": ["m"], "when": )" +
                                                      cell[0] + "}}}");
    EXPECT_THAT(fixture.emitted("e", cell[1]), ElementsAre(Sent("m"))) << row;
    EXPECT_THAT(fixture.emitted("e", cell[2]), IsEmpty()) << row;
  }
  EXPECT_EQ(rows, 22);
}

}  // namespace
