// SPDX-License-Identifier: MIT
#include "triggers/target_message.hpp"

#include <algorithm>
#include <vector>

#include "core/all_but_body.hpp"

namespace action_triggers::detail {
namespace {

bool render(const TextTemplate& text, EventView& event, TargetMessage& made, Text& to) {
  made.text.clear();
  if (!text.render(event, made.text, made.error)) return false;
  static_cast<std::string&>(to) = made.text;
  return true;
}

/// What is said of a body that another one takes the place of.
void say_nothing_of_the_given_body(Message& message) {
  if (!message.properties) return;
  message.properties->tombstone = false;
  message.properties->content_encoding.clear();
}

bool add_header(const HeaderTemplate& header, EventView& event, TargetMessage& made) {
  std::vector<Header>& headers = made.message.headers;
  const auto has_its_name = [&](const Header& one) { return one.name == header.fixed.name; };
  if (header.is_default && std::any_of(headers.begin(), headers.end(), has_its_name)) return true;
  std::erase_if(headers, has_its_name);
  headers.push_back(header.fixed);
  return !header.template_ || render(*header.template_, event, made, headers.back().value);
}

}  // namespace

const char* make_target_message(const TargetConfig& target, EventView& event, const Message& given,
                                TargetMessage& made) {
  Message& message = made.message;
  copy_all_but_body(given, message);
  made.body.clear();
  made.error.clear();
  if (target.body) {
    if (!target.body->render(event, made.body, made.error)) return "body";
    say_nothing_of_the_given_body(message);
  }
  if (target.key && !render(*target.key, event, made, message.key)) return "key";
  if (target.content_type && !render(*target.content_type, event, made, message.content_type)) return "content_type";
  for (const HeaderTemplate& header : target.headers) {
    if (!add_header(header, event, made)) return "headers";
  }
  return nullptr;
}

std::string cannot_be_made(const TriggerConfig& trigger, std::size_t target, const char* field,
                           const std::string& why) {
  return "trigger '" + trigger.name + "', target " + std::to_string(target) + ", " + field + ": " + why;
}

}  // namespace action_triggers::detail
