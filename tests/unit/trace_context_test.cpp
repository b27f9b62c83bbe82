// SPDX-License-Identifier: MIT
// DispatcherOptions::trace_context: the trace of a hook goes with its messages, through every door.
#include "dispatch/trace_context.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "action_triggers/commit_scope.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "support/dispatcher_test.hpp"
#include "support/outbox_fixture.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::HasCode;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using Headers = std::vector<Header>;

const std::string parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const std::string other_parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
const Header parent_header{"traceparent", parent};
const Header state_header{"tracestate", "vendor=1"};

// ------------------------------------------------------------------------------------------------------ what is sent

class TraceContextTest : public tests::DispatcherTest {
 protected:
  /// A dispatcher with a destination "a" whose hooks run in a trace that `give` says.
  TriggerDispatcher& make_traced(std::function<TraceContext()> give) {
    DispatcherOptions options;
    options.trace_context = std::move(give);
    options.log = [this](LogLevel, std::string_view, std::string_view text) {
      const std::lock_guard lock(mutex_);
      log_.emplace_back(text);
    };
    options.on_failure = [this](const DeliveryReport&, const MessageView& message) {
      const std::lock_guard lock(mutex_);
      failed_.push_back(message.copy());
    };
    return make({"a"}, {}, std::move(options));
  }
  TriggerDispatcher& make_traced(const TraceContext& context) {
    return make_traced([context] { return context; });
  }
  Headers headers_of(const Message& message) {
    EXPECT_THAT(dispatcher_->fire("a", message).wait(), IsOk());
    return memory_->messages("a").back().headers;
  }
  std::vector<std::string> traces_in_log() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    for (const std::string& line : log_) {
      if (line.starts_with("trace_context ")) found.push_back(line);
    }
    return found;
  }

  std::mutex mutex_;
  std::vector<std::string> log_;
  std::vector<Message> failed_;
};

TEST_F(TraceContextTest, GoesWithAMessageAsHeaders) {
  make_traced({parent, "vendor=1"});
  EXPECT_THAT(headers_of({.body = "x"}), ElementsAre(parent_header, state_header));
  EXPECT_THAT(headers_of({.body = "x", .headers = {{"a", "b"}}}),
              ElementsAre(Header{"a", "b"}, parent_header, state_header));
  EXPECT_THAT(dispatcher_->fire("a", "only a body").wait(), IsOk());
  EXPECT_THAT(memory_->messages("a").back().headers, ElementsAre(parent_header, state_header));
}

TEST_F(TraceContextTest, NothingElseOfTheMessageChanges) {
  make_traced(TraceContext{.traceparent = parent});
  Message message{.body = "body",
                  .key = "key",
                  .headers = {Header::integer("n", 1)},
                  .content_type = "text/plain",
                  .id = "id",
                  .expiration = 5s,
                  .priority = 3,
                  .properties = Properties{.type = "t"}};
  EXPECT_THAT(dispatcher_->fire("a", message).wait(), IsOk());
  message.headers.push_back(parent_header);
  EXPECT_EQ(memory_->messages("a").back(), message);
}

TEST_F(TraceContextTest, TheMessagesOwnHeadersWin) {
  int calls = 0;
  make_traced([&calls] {
    ++calls;
    return TraceContext{parent, "vendor=1"};
  });
  EXPECT_THAT(headers_of({.body = "x", .headers = {{"traceparent", other_parent}}}),
              ElementsAre(Header{"traceparent", other_parent}))
      << "nor the state of another trace";
  EXPECT_EQ(calls, 0) << "nobody needs to know";
  EXPECT_THAT(headers_of({.body = "x", .headers = {{"tracestate", "mine=2"}}}),
              ElementsAre(Header{"tracestate", "mine=2"}, parent_header));
}

TEST_F(TraceContextTest, IsAskedForOnTheThreadThatFires) {
  std::thread::id asked_on;
  make_traced([&asked_on] {
    asked_on = std::this_thread::get_id();
    return TraceContext();
  });
  std::thread firing([&] { EXPECT_THAT(headers_of({.body = "x"}), IsEmpty()); });
  const std::thread::id fired_on = firing.get_id();
  firing.join();
  EXPECT_EQ(asked_on, fired_on);
}

TEST_F(TraceContextTest, WhatThrowsCostsTheContextOnly) {
  make_traced([]() -> TraceContext { throw std::runtime_error("no span"); });
  EXPECT_THAT(headers_of({.body = "x"}), IsEmpty());
  EXPECT_THAT(headers_of({.body = "x"}), IsEmpty());
  EXPECT_EQ(dispatcher_->stats().callback_exceptions, 2U);
  EXPECT_THAT(traces_in_log(), ElementsAre(AllOf(HasSubstr("has thrown: no span"), HasSubstr("goes without"))));

  make_traced([]() -> TraceContext { throw 1; });
  EXPECT_THAT(headers_of({.body = "x"}), IsEmpty());
  EXPECT_EQ(dispatcher_->stats().callback_exceptions, 1U);
}

TEST_F(TraceContextTest, WhatIsNoTraceparentIsNotSent) {
  make_traced({"00-0-0-00", "vendor=1"});
  EXPECT_THAT(headers_of({.body = "x"}), IsEmpty());
  EXPECT_THAT(headers_of({.body = "x"}), IsEmpty());
  EXPECT_THAT(traces_in_log(), ElementsAre(HasSubstr("not W3C Trace Context's")));
  EXPECT_EQ(dispatcher_->stats().callback_exceptions, 0U);
}

TEST_F(TraceContextTest, AStateThatNoBrokerTakesIsLeftOut) {
  make_traced({parent, "vendor=\xFF"});
  EXPECT_THAT(headers_of({.body = "x"}), ElementsAre(parent_header));
}

TEST_F(TraceContextTest, ARefusedMessageHasItToo) {
  make_traced(TraceContext{.traceparent = parent});
  EXPECT_THAT(dispatcher_->fire("nowhere", "x").wait(), HasCode(StatusCode::not_found));
  ASSERT_EQ(failed_.size(), 1U);
  EXPECT_THAT(failed_[0].headers, ElementsAre(parent_header)) << "on_failure can save it with its trace";
}

TEST_F(TraceContextTest, OfACommitScopeItIsThatOfTheFire) {
  std::string now = parent;
  make_traced([&now] { return TraceContext{now, {}}; });
  CommitScope scope(*dispatcher_);
  const Delivery fired = scope.fire("a", "x");
  now = other_parent;
  scope.commit();
  EXPECT_THAT(fired.wait(), IsOk());
  EXPECT_THAT(memory_->messages("a").back().headers, ElementsAre(parent_header));
}

// ------------------------------------------------------------------------------------------------ events and outboxes

class TracedOutboxTest : public tests::OutboxFixture {
 protected:
  TracedOutboxTest() {
    trace_context_ = [this] { return TraceContext{now_, "vendor=1"}; };
  }
  Headers headers_at(const std::string& destination) { return broker_->messages(destination).at(0).headers; }

  std::string now_ = parent;
};

constexpr const char* triggers = R"({"t": {"events": ["order.*"], "targets": [
  "orders",
  {"broker": "mails", "body": {"trace": "{{ message.headers.traceparent }}"}, "headers": {"tracestate": "mine=2"}}]}})";

std::vector<AddressedMessage> to_mails(const Event& /*event*/) { return {{"mails", {.body = "made"}}}; }

TEST_F(TracedOutboxTest, AnEventsGoesToAllTargets) {
  make(triggers);
  EXPECT_TRUE(dispatcher_->emit("order.paid", "{}").all_ok());
  EXPECT_THAT(headers_at("orders"), ElementsAre(parent_header, state_header));
  EXPECT_THAT(headers_at("mails"), ElementsAre(parent_header, Header{"tracestate", "mine=2"}))
      << "a target's own headers win";
  EXPECT_EQ(bodies("mails").at(0), R"({"trace":")" + parent + R"("})");
}

TEST_F(TracedOutboxTest, AnEventsGoesOnWithWhatFunctionsMakeOfIt) {
  make();
  dispatcher_->on("order.*", to_mails);
  dispatcher_->on("order.*", "own", [](const Event&) -> std::vector<AddressedMessage> {
    return {{"orders", {.body = "made", .headers = {{"traceparent", other_parent}}}}};
  });
  EXPECT_TRUE(dispatcher_->emit("order.paid", "{}").all_ok());
  EXPECT_THAT(headers_at("mails"), ElementsAre(parent_header, state_header));
  EXPECT_THAT(headers_at("orders"), ElementsAre(Header{"traceparent", other_parent}));
}

TEST_F(TracedOutboxTest, ARowKeepsThatOfItsHook) {
  Outbox& outbox = make(triggers);
  dispatcher_->on("order.made", to_mails);
  tests::MemoryTransaction transaction(outbox);
  transaction.fire("orders", "1");
  transaction.emit("order.made", "{}");
  EXPECT_EQ(transaction.rows()[0].headers, R"([["traceparent",")" + parent + R"("],["tracestate","vendor=1"]])");
  now_ = other_parent;  // the relay does not ask
  transaction.commit(table_);
  ASSERT_TRUE(outbox.wait_until_empty(30s));
  EXPECT_THAT(failures(), IsEmpty());
  for (const char* destination : {"orders", "mails"}) {
    const auto messages = broker_->messages(destination);
    EXPECT_EQ(messages.size(), 2U) << destination;
    for (const Message& message : messages) EXPECT_THAT(message.headers, ::testing::Contains(parent_header));
  }
}

TEST_F(TracedOutboxTest, RowsForOtherDatabaseLayersHaveItToo) {
  const Outbox& outbox = make();
  const std::string expected = R"([["a","b"],["traceparent",")" + parent + R"("],["tracestate","vendor=1"]])";
  EXPECT_EQ(outbox.row("orders", {.body = "b", .headers = {{"a", "b"}}}).values[5], expected);
  EXPECT_EQ(outbox.event_row("order.paid", {.body = "{}", .headers = {{"a", "b"}}}).values[5], expected);
}

// ------------------------------------------------------------------------------------------------- what a traceparent
// is

TEST(TraceparentTest, IsCheckedAsW3CSays) {
  EXPECT_TRUE(detail::is_traceparent(parent));
  EXPECT_TRUE(detail::is_traceparent("cc" + parent.substr(2))) << "of a later version";
  EXPECT_TRUE(detail::is_traceparent("cc" + parent.substr(2) + "-what-comes"));
  const auto with = [](std::size_t at, std::string_view text) {
    std::string changed = parent;
    changed.replace(at, text.size(), text);
    return changed;
  };
  for (const std::string& wrong :
       {std::string(), parent.substr(1), parent + "-more", "cc" + parent.substr(2) + "more", with(0, "ff"),
        with(0, "0x"), with(2, "_"), with(35, "_"), with(52, "_"), with(3, "A"), with(3, std::string(32, '0')),
        with(36, std::string(16, '0')), with(53, "0g"), "cc" + parent.substr(2) + "-\n"}) {
    EXPECT_FALSE(detail::is_traceparent(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace action_triggers
