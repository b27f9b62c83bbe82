// SPDX-License-Identifier: MIT
// What must not compile, and beside it what must: a mistake here would be sent, or crash.
#include <gtest/gtest.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "action_triggers/json.hpp"
#include "action_triggers/trigger_dispatcher.hpp"

namespace action_triggers {
namespace {

// Braces can only be tried where the types are a template's (D, M, H and P): else the error would be a real one.
#define COMPILES(...)                                                                                        \
  []<class D, class M, class H, class P>(D*, M*, H*, P*) {                                                   \
    return requires(D & d, M & message) { __VA_ARGS__; };                                                    \
  }(static_cast<TriggerDispatcher*>(nullptr), static_cast<Message*>(nullptr), static_cast<Header*>(nullptr), \
    static_cast<Properties*>(nullptr))
#define MUST_COMPILE(...) static_assert(COMPILES(__VA_ARGS__))
#define MUST_NOT_COMPILE(...) static_assert(!COMPILES(__VA_ARGS__))

const DeliveryCallback callback = [](const DeliveryReport&) {};
const nlohmann::json json;
[[maybe_unused]] const std::string text;
[[maybe_unused]] const std::string_view view;
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

// The same mistakes in what a message is made of: std::string takes all of these.
MUST_NOT_COMPILE(M{{"order", 42}});
MUST_NOT_COMPILE(M{{{"order", 42}}});
MUST_NOT_COMPILE(M{{"a", "b"}});  // from the address of "a" to the one of "b"
MUST_NOT_COMPILE(M{.body = {"order", 42}});
MUST_NOT_COMPILE(M{.body = {{"order", 42}}});
MUST_NOT_COMPILE(M{.body = {"a", "b"}});
MUST_NOT_COMPILE(M{.body = {5, 'a'}});
MUST_NOT_COMPILE(M{.key = {"order", 42}});
MUST_NOT_COMPILE(M{.content_type = {"order", 42}});
MUST_NOT_COMPILE(M{.id = {"order", 42}});
MUST_NOT_COMPILE(P{.type = {"order", 42}});
MUST_NOT_COMPILE(M{.body = 0});
MUST_NOT_COMPILE(M{.body = nullptr});
MUST_NOT_COMPILE(M{.body = 42});
MUST_NOT_COMPILE(M{.body = 'a'});
MUST_NOT_COMPILE(M{.body = true});
MUST_NOT_COMPILE(M{0});
MUST_NOT_COMPILE(M{nullptr});
MUST_NOT_COMPILE(H{"a", 0});
MUST_NOT_COMPILE(H{"a", nullptr});
MUST_NOT_COMPILE(H{"a", 42});
MUST_NOT_COMPILE(H{"a", 'b'});
MUST_NOT_COMPILE(H{"a", true});
MUST_NOT_COMPILE(H{"a", {"b", 42}});
MUST_NOT_COMPILE(H{{"a", 42}, "b"});
MUST_NOT_COMPILE(H::integer({"a", 42}, 1));
MUST_NOT_COMPILE(H::integer(0, 1));
MUST_NOT_COMPILE(M{.headers = {{"a", 0}}});
MUST_NOT_COMPILE(M{.headers = {{"a", 1}}});
MUST_NOT_COMPILE(M{.headers = {{{"a", 42}, "b"}}});
MUST_NOT_COMPILE(M{.headers = {{{"a", "b"}, "c"}}});
MUST_NOT_COMPILE(d.fire("orders", {.body = {"order", 42}}));
MUST_NOT_COMPILE(message.body = 65);  // std::string: "A"
MUST_NOT_COMPILE(message.body = 0);
MUST_NOT_COMPILE(message.body = 'a');
MUST_NOT_COMPILE(message.body = nullptr);
MUST_NOT_COMPILE(message.body = {"order", 42});
MUST_NOT_COMPILE(message.key = {"order", 42});

MUST_COMPILE(M{.body = "body", .key = "key", .headers = {{"a", "b"}, {"c", "d"}}});
MUST_COMPILE(M{"body", "key", {{"a", "b"}}});
MUST_COMPILE(M{.body = text, .key = view});
MUST_COMPILE(M{
    .body = std::string("body"), .key = text + "key", .content_type = static_cast<const char*>("text/plain")});
MUST_COMPILE(M{.body = {}, .key = {"key"}});
MUST_COMPILE(M{.body = json.dump()});
MUST_COMPILE(M{.body = json});  // a JSON string, as for std::string
MUST_COMPILE(M{.headers = {{text, view}, {.name = "a", .value = std::to_string(4)}, H::integer("b", 4)}});
MUST_COMPILE(M{.headers = std::vector<Header>{{"a", "b"}}});
MUST_COMPILE(M{.body = std::string(text, 1, 2)});
MUST_COMPILE(M{.properties = Properties{.type = "order.paid"}});
MUST_COMPILE(json_message(json, "key"));
MUST_COMPILE(message.body = "body");
MUST_COMPILE(message.body = text);
MUST_COMPILE(message.body = view);
MUST_COMPILE(message.body = message.key + "more");
MUST_COMPILE(message.body = {});
MUST_COMPILE(message.body += "more");
MUST_COMPILE(message.body.assign("text", 2));

// What reads a Text as the std::string that it is.
MUST_COMPILE(static_cast<const std::string&>(message.body).size());
MUST_COMPILE(std::string(message.body) + message.key);
MUST_COMPILE(true ? message.body : text);
MUST_COMPILE(message.body == "a" && text == message.body && message.body == view && message.body == message.key);
MUST_COMPILE(message.body < text);
MUST_COMPILE(nlohmann::json(message.body)["a"] = message.key);
MUST_COMPILE(d.fire(message.key, message.body));
static_assert(std::is_nothrow_move_constructible_v<Message> && std::is_nothrow_move_assignable_v<Header>);
static_assert(sizeof(Text) == sizeof(std::string));

}  // namespace
}  // namespace action_triggers
