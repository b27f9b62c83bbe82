// SPDX-License-Identifier: MIT
#include "outbox/row_codec.hpp"

#include <array>
#include <chrono>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "base/suggestion.hpp"
#include "base/text.hpp"
#include "config/json_text.hpp"
#include "triggers/json_escape.hpp"

namespace action_triggers::detail {
namespace {

using Value = PayloadJson::Value;

constexpr std::string_view headers_are_pairs =
    R"(The column 'headers' must be a list of pairs, [["name", "value"], …])";

// ------------------------------------------------------------------------------------------------------------- writing

[[noreturn]] void refuse_bytes(const std::string& what) {
  throw RowError(what + " is not UTF-8, and the outbox keeps it as text; send bytes in the body or the key.");
}

void append_json_string(std::string& to, std::string_view text, const std::string& what) {
  to += '"';
  if (append_escaped(to, text) != std::string_view::npos) refuse_bytes(what);
  to += '"';
}

bool is_utf8(std::string_view text) {
  unsigned char all = 0;
  for (const char c : text) all |= static_cast<unsigned char>(c);
  std::size_t at = all < 0x80 ? text.size() : 0;  // most are ASCII
  while (at < text.size()) {
    const std::size_t length = utf8_length(text.substr(at, 4));
    if (length == 0) return false;
    at += length;
  }
  return true;
}

/// A text with a column of its own.
void check_text(std::string_view text, std::string_view what) {
  if (!is_utf8(text)) refuse_bytes(std::string(what));
  if (text.find('\0') != std::string_view::npos) {
    throw RowError(std::string(what) + " must not have a NUL character.");
  }
}

bool is_list(const std::string& value) {
  PayloadJson json;
  return json.read(value) && json.root().kind() == JsonKind::array && json.root().raw() == value;
}

bool is_integer(const std::string& value) {
  const auto number = parse_number<std::int64_t>(value);
  return number && std::to_string(*number) == value;
}

void append_value(std::string& to, const Header& header) {
  const std::string what = "The value of the header " + in_quotes(header.name);
  switch (header.type) {
    case HeaderType::text:
      return append_json_string(to, header.value, what);
    case HeaderType::integer:
      if (!is_integer(header.value)) throw RowError(what + " is no integer; Header::integer() makes one.");
      break;
    case HeaderType::boolean:
      if (header.value != "true" && header.value != "false") {
        throw RowError(what + " is no boolean; Header::boolean() makes one.");
      }
      break;
    case HeaderType::list:
      if (!is_list(header.value)) throw RowError(what + " is no JSON array; Header::list() makes one.");
      break;
  }
  to += header.value;
}

std::string headers_text(const std::vector<Header>& headers) {
  std::string text = "[";
  for (const Header& header : headers) {
    if (header.name.empty()) throw RowError("A header has no name.");
    text += text.size() > 1 ? ",[" : "[";
    append_json_string(text, header.name, "The name of a header");
    text += ',';
    append_value(text, header);
    text += ']';
  }
  return text + "]";
}

struct TextProperty {
  const char* name;
  Text Properties::*member;
};
constexpr std::array text_properties{TextProperty{"type", &Properties::type},
                                     TextProperty{"correlation_id", &Properties::correlation_id},
                                     TextProperty{"reply_to", &Properties::reply_to},
                                     TextProperty{"app_id", &Properties::app_id},
                                     TextProperty{"content_encoding", &Properties::content_encoding},
                                     TextProperty{"user_id", &Properties::user_id}};

std::string properties_text(const Message& message) {
  std::string text;
  const auto add = [&](const char* name) -> std::string& {
    text += text.empty() ? "{\"" : ",\"";
    return text.append(name).append("\":");
  };
  if (message.expiration) add("expiration") += std::to_string(message.expiration->count());
  if (message.priority) add("priority") += std::to_string(*message.priority);
  if (message.properties) {
    const Properties& properties = *message.properties;
    for (const TextProperty& property : text_properties) {
      const Text& value = properties.*property.member;
      if (!value.empty()) append_json_string(add(property.name), value, "The property " + in_quotes(property.name));
    }
    if (properties.timestamp) add("timestamp") += std::to_string(properties.timestamp->time_since_epoch().count());
    if (properties.partition) add("partition") += std::to_string(*properties.partition);
    if (properties.tombstone) add("tombstone") += "true";
  }
  return text.empty() ? text : text + "}";
}

// ------------------------------------------------------------------------------------------------------------- reading

const std::set<std::string, std::less<>>& property_names() {
  static const std::set<std::string, std::less<>> names = [] {
    std::set<std::string, std::less<>> all{"expiration", "priority", "timestamp", "partition", "tombstone"};
    for (const TextProperty& property : text_properties) all.emplace(property.name);
    return all;
  }();
  return names;
}

[[noreturn]] void refuse_property(std::string_view name, const std::string& wanted) {
  throw RowError("The property " + in_quotes(name) + " must be " + wanted + ".");
}

template <class Integer>
Integer integer_of(std::string_view name, const Value& value) {
  constexpr auto least = std::numeric_limits<Integer>::min();
  constexpr auto most = std::numeric_limits<Integer>::max();
  const auto number = value.kind() == JsonKind::number ? parse_number<std::int64_t>(value.raw()) : std::nullopt;
  if (!number || *number < least || *number > most) {
    refuse_property(name, "an integer from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return static_cast<Integer>(*number);
}

void read_json(PayloadJson& json, std::string_view text, const char* column) {
  if (json.read(text)) return;
  throw RowError("The column " + in_quotes(column) + " is not JSON: " + json.error().text + " (byte " +
                 std::to_string(json.error().offset + 1) + ")");
}

bool may_be_in_list(const Value& item) {
  switch (item.kind()) {
    case JsonKind::string:
    case JsonKind::boolean:
      return true;
    case JsonKind::number:
      return parse_number<std::int64_t>(item.raw()).has_value();
    default:
      return false;
  }
}

}  // namespace

NewRow to_row(std::string target, const MessageParts& message, std::string id) {
  check_text(target, "The target");
  check_text(id, "The id");
  NewRow row{.target = std::move(target),
             .body = std::string(message.body),
             .key = std::nullopt,
             .message_id = std::move(id),
             .content_type = std::nullopt,
             .headers = std::nullopt,
             .properties = std::nullopt};
  if (message.rest == nullptr) return row;
  const Message& rest = *message.rest;
  check_text(rest.content_type, "The content type");
  if (!rest.key.empty()) row.key = rest.key;
  if (!rest.content_type.empty()) row.content_type = rest.content_type;
  if (!rest.headers.empty()) row.headers = headers_text(rest.headers);
  if (std::string properties = properties_text(rest); !properties.empty()) row.properties = std::move(properties);
  return row;
}

std::string derived_message_id(std::string_view outbox_id, std::int64_t row_id,
                               std::chrono::sys_time<std::chrono::microseconds> created_at) {
  return std::string(outbox_id) + "-" + std::to_string(row_id) + "-" +
         std::to_string(created_at.time_since_epoch().count());
}

MessageParts RowReader::read(const OutboxRow& row) {
  message_ = Message();
  if (row.key) message_.key = *row.key;
  if (row.content_type) message_.content_type = *row.content_type;
  message_.id = row.message_id && !row.message_id->empty() ? *row.message_id
                                                           : derived_message_id(outbox_id_, row.id, row.created_at);
  if (row.headers) read_headers(*row.headers);
  if (row.properties) read_properties(*row.properties);
  return {row.body, &message_};
}

void RowReader::read_headers(std::string_view text) {
  read_json(json_, text, "headers");
  if (json_.root().kind() != JsonKind::array) throw RowError(std::string(headers_are_pairs) + ".");
  for (auto pair = json_.root().first(); pair; pair = pair->next()) add_header(*pair);
}

void RowReader::add_header(const Value& pair) {
  const auto name = pair.element(0);
  const auto value = pair.element(1);
  if (!name || !value || pair.element(2) || name->kind() != JsonKind::string) {
    throw RowError(std::string(headers_are_pairs) + ".");
  }
  Header header{.name = name->text(scratch_), .value = {}};
  if (header.name.empty()) throw RowError("A header has no name.");
  switch (value->kind()) {
    case JsonKind::string:
      header.value = value->text(scratch_);
      message_.headers.push_back(std::move(header));
      return;
    case JsonKind::boolean:
      message_.headers.push_back(Header::boolean(std::move(header.name), value->boolean()));
      return;
    case JsonKind::number:
      if (const auto number = parse_number<std::int64_t>(value->raw())) {
        message_.headers.push_back(Header::integer(std::move(header.name), *number));
        return;
      }
      break;
    case JsonKind::array: {
      bool is_well = true;
      for (auto item = value->first(); item; item = item->next()) is_well = is_well && may_be_in_list(*item);
      if (!is_well) break;
      header.value = value->raw();
      header.type = HeaderType::list;
      message_.headers.push_back(std::move(header));
      return;
    }
    default:
      break;
  }
  throw RowError("The value of the header " + in_quotes(header.name) +
                 " must be a text, an integer, true or false, or a list of these.");
}

void RowReader::read_properties(std::string_view text) {
  read_json(json_, text, "properties");
  if (json_.root().kind() != JsonKind::object) {
    throw RowError("The column 'properties' must be an object, such as {\"type\": \"order.paid\"}.");
  }
  std::string name;
  for (auto member = json_.root().first(); member; member = member->next()) {
    read_property(member->key(name), *member);
  }
}

void RowReader::read_property(std::string_view name, const Value& value) {
  using std::chrono::milliseconds;
  if (!property_names().contains(name)) {
    throw RowError("Unknown property " + in_quotes(name) + ". " + suggestion(name, property_names()));
  }
  if (name == "expiration") {
    message_.expiration = milliseconds(integer_of<std::int64_t>(name, value));
    return;
  }
  if (name == "priority") {
    message_.priority = integer_of<std::uint8_t>(name, value);
    return;
  }
  if (!message_.properties) message_.properties = Properties();
  Properties& properties = *message_.properties;
  if (name == "timestamp") {
    properties.timestamp = std::chrono::sys_time<milliseconds>(milliseconds(integer_of<std::int64_t>(name, value)));
  } else if (name == "partition") {
    properties.partition = integer_of<std::int32_t>(name, value);
  } else if (name == "tombstone") {
    if (value.kind() != JsonKind::boolean) refuse_property(name, "true or false");
    properties.tombstone = value.boolean();
  } else {
    if (value.kind() != JsonKind::string) refuse_property(name, "a text");
    for (const TextProperty& property : text_properties) {
      if (name == property.name) properties.*property.member = value.text(scratch_);
    }
  }
}

}  // namespace action_triggers::detail
