// SPDX-License-Identifier: MIT
// What must not compile, and beside it what must: a mistake here would be sent, or crash.
#include <gtest/gtest.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/json.hpp"
#include "action_triggers/trigger_dispatcher.hpp"

namespace action_triggers {
namespace {

// Braces can only be tried where the dispatcher's type is a template's: else the error would be a real one.
#define COMPILES(...)                        \
  []<class D>(D*) {                          \
    return requires(D & d) { __VA_ARGS__; }; \
  }(static_cast<TriggerDispatcher*>(nullptr))
#define MUST_COMPILE(...) static_assert(COMPILES(__VA_ARGS__))
#define MUST_NOT_COMPILE(...) static_assert(!COMPILES(__VA_ARGS__))

const DeliveryCallback callback = [](const DeliveryReport&) {};
const nlohmann::json json;
struct Convertible {};

}  // namespace

template <>
struct MessageConverter<Convertible> {
  static Message to_message(const Convertible&) { return {}; }
};

namespace {

// A std::string, or a std::string_view, from an address and a size.
MUST_NOT_COMPILE(d.fire("orders", {{"order", 42}}));
MUST_NOT_COMPILE(d.fire("orders", {"order", 42}));
MUST_NOT_COMPILE(d.fire("orders", {{{"order", 42}}}));
MUST_NOT_COMPILE(d.fire("orders", {{"order", 42}, {"customer", 7}}));
MUST_NOT_COMPILE(d.fire("orders", {{"order", 42}}, callback));
MUST_NOT_COMPILE(d.fire({"orders", 60}, "body"));
MUST_NOT_COMPILE(d.fire({"orders"}, "body"));
// Lists and nothing.
MUST_NOT_COMPILE(d.fire("orders", {"a"}));
MUST_NOT_COMPILE(d.fire("orders", {"a", "b"}));
MUST_NOT_COMPILE(d.fire("orders", {{"a"}}));
MUST_NOT_COMPILE(d.fire("orders", {}));
MUST_NOT_COMPILE(d.fire("orders", {{}}));
MUST_NOT_COMPILE(d.fire("orders", {}, callback));
MUST_NOT_COMPILE(d.fire("orders", {1, 2, 3}));
// Numbers. 0 is a null pointer, too.
MUST_NOT_COMPILE(d.fire("orders", 42));
MUST_NOT_COMPILE(d.fire("orders", 0));
MUST_NOT_COMPILE(d.fire("orders", 0, callback));
MUST_NOT_COMPILE(d.fire("orders", 4.2));
MUST_NOT_COMPILE(d.fire("orders", 'a'));
MUST_NOT_COMPILE(d.fire("orders", true));
MUST_NOT_COMPILE(d.fire(0, "body"));
MUST_NOT_COMPILE(d.fire(42, "body"));
// A string at no address.
MUST_NOT_COMPILE(d.fire("orders", nullptr));
MUST_NOT_COMPILE(d.fire("orders", nullptr, callback));
MUST_NOT_COMPILE(d.fire("orders", {nullptr}));
MUST_NOT_COMPILE(d.fire(nullptr, "body"));
MUST_NOT_COMPILE(d.fire(nullptr, Message{}));
MUST_NOT_COMPILE(d.fire({}, "body"));
// What has no converter, and no body at all.
MUST_NOT_COMPILE(d.fire("orders", std::vector<int>{1, 2}));
MUST_NOT_COMPILE(d.fire("orders"));
MUST_NOT_COMPILE(d.fire("orders", "body", "key"));
MUST_NOT_COMPILE(TriggerDispatcher(d));

MUST_COMPILE(d.fire("orders", "body"));
MUST_COMPILE(d.fire("orders", ""));
MUST_COMPILE(d.fire("orders", std::string("body")));
MUST_COMPILE(d.fire(std::string("orders"), std::string_view("body"), callback));
MUST_COMPILE(d.fire("orders", static_cast<const char*>("body")));
MUST_COMPILE(d.fire("orders", Message{.body = "body", .key = "key", .headers = {{"a", "b"}}}));
MUST_COMPILE(d.fire("orders", {.body = "body", .key = "key"}));
MUST_COMPILE(d.fire("orders", {.body = "body"}, callback));
MUST_COMPILE(d.fire("orders", Message{}));
MUST_COMPILE(d.fire("orders", Convertible{}));
MUST_COMPILE(d.fire("orders", json));
MUST_COMPILE(d.fire("orders", nlohmann::json{{"order", 42}}, callback));
MUST_COMPILE(d.fire("orders", "body", nullptr));  // no callback

}  // namespace
}  // namespace action_triggers
