// SPDX-License-Identifier: MIT
#include "triggers/cloudevents_message.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "config/cloudevents_fields.hpp"
#include "triggers/json_escape.hpp"
#include "triggers/template_renderer.hpp"

namespace action_triggers::detail {
namespace {

constexpr const char* structured_type = "application/cloudevents+json";

/// The attribute that a message brings as this header; empty: it is none. `data` is no attribute, whatever its name.
std::string_view attribute_in(const Header& header, const std::string& prefix) {
  const std::string_view name = header.name;
  if (!name.starts_with(prefix) || header.type == HeaderType::list) return {};
  const std::string_view attribute = name.substr(prefix.size());
  return is_attribute_name(attribute) && attribute != "data" ? attribute : std::string_view();
}

/// Takes the attributes out of a message that it brings as headers. Of several with one name the last one counts, an
/// empty one as none. `datacontenttype` becomes the content type, which is what it means.
std::vector<Header> take_attributes(const std::string& prefix, Message& message) {
  std::vector<Header> taken;
  const auto first = std::stable_partition(message.headers.begin(), message.headers.end(),
                                           [&](const Header& header) { return attribute_in(header, prefix).empty(); });
  for (auto header = first; header != message.headers.end(); ++header) {
    header->name = Text(std::string(attribute_in(*header, prefix)));
    if (header->value.empty()) continue;
    if (header->name == "datacontenttype") {
      message.content_type = std::move(header->value);
      continue;
    }
    if (is_reserved_attribute(header->name)) header->type = HeaderType::text;  // as CloudEvents has it
    std::erase_if(taken, [&](const Header& one) { return one.name == header->name; });
    taken.push_back(std::move(*header));
  }
  message.headers.erase(first, message.headers.end());
  return taken;
}

/// RFC 3339 has years of four digits.
bool can_be_written(std::chrono::sys_time<std::chrono::milliseconds> time) {
  using namespace std::chrono;
  return time >= sys_days(year(0) / January / 1) && time < sys_days(year(10'000) / January / 1);
}

/// What a message has, by its destination's configuration and by `own` ones, which win.
std::vector<Header> attributes_of(const CloudEventsConfig& config, const OutboundMessage& message,
                                  std::vector<Header> own) {
  std::vector<Header> all;
  const auto add = [&](std::string_view name, std::string_view value) {
    const auto is_own = [&](const Header& one) { return std::string_view(one.name) == name; };
    if (value.empty() || std::any_of(own.begin(), own.end(), is_own)) return;
    all.push_back({Text(std::string(name)), Text(std::string(value))});
  };
  add("specversion", "1.0");
  add("id", message.id());
  add("source", config.source);
  add("type", config.type.empty() ? message.destination().name : config.type);
  add("subject", config.subject);
  if (const auto more = message.properties(); more && more->timestamp && can_be_written(*more->timestamp)) {
    std::array<char, 24> text{};
    add("time", time_text(*more->timestamp, text));
  }
  add("dataschema", config.dataschema);
  for (const auto& [name, value] : config.extensions) add(name, value);
  all.insert(all.end(), std::make_move_iterator(own.begin()), std::make_move_iterator(own.end()));
  return all;
}

/// False: it is not UTF-8.
bool append_string(std::string& to, std::string_view text) {
  to += '"';
  if (append_escaped(to, text) != std::string_view::npos) return false;
  to += '"';
  return true;
}

/// Whether it is the same in JSON: CloudEvents' integers have 32 bits.
bool is_plain(const Header& attribute) {
  if (attribute.type == HeaderType::boolean) return attribute.value == "true" || attribute.value == "false";
  const auto number = parse_number<std::int32_t>(attribute.value);
  return attribute.type == HeaderType::integer && number && std::to_string(*number) == attribute.value;
}

/// False: the value is not UTF-8, and is named in `error`.
bool append_member(std::string& to, const Header& attribute, std::string& error) {
  to.append(to.size() > 1 ? ",\"" : "\"").append(attribute.name).append("\":");
  if (is_plain(attribute)) {
    to += attribute.value;
  } else if (!append_string(to, attribute.value)) {
    error = "the CloudEvents attribute '" + std::string(attribute.name) + "' is not UTF-8";
    return false;
  }
  return true;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(bytes.size() - i, 3);
    unsigned group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8U | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j) text += j <= count ? digits[group >> (18 - 6 * j) & 63U] : '=';
  }
  return text;
}

/// A media type without its parameters, in lower case.
std::string media_type(std::string_view content_type) {
  std::string type = ascii_lower(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  return type;
}

bool is_json_type(const std::string& type) {
  return type == "application/json" || type == "text/json" || type.ends_with("+json");
}
bool is_text_type(const std::string& type) {
  return type.starts_with("text/") || type == "application/xml" || type.ends_with("+xml");
}

}  // namespace

std::optional<Message> CloudEventsMaker::make(const CloudEventsConfig& config, const OutboundMessage& message) {
  Message sent = message.copy();
  std::vector<Header> attributes = attributes_of(config, message, take_attributes(config.header_prefix, sent));
  const bool is_tombstone = sent.properties && sent.properties->tombstone;  // which has no place for JSON
  if (config.mode == CloudEventsMode::structured && !is_tombstone) {
    if (!wrap(config, std::move(attributes), sent)) return std::nullopt;
    return sent;
  }
  for (Header& attribute : attributes) {
    static_cast<std::string&>(attribute.name).insert(0, config.header_prefix);
    sent.headers.push_back(std::move(attribute));
  }
  return sent;
}

bool CloudEventsMaker::wrap(const CloudEventsConfig& config, std::vector<Header> attributes, Message& sent) {
  if (sent.properties && !sent.properties->content_encoding.empty()) {
    error_ = "a structured CloudEvent cannot say the message's content_encoding";
    return false;
  }
  std::string content_type = sent.content_type.empty() ? config.content_type : std::string(sent.content_type);
  if (content_type.empty() && !sent.body.empty() && !json_.read(sent.body)) content_type = "application/octet-stream";
  if (!content_type.empty()) attributes.push_back({"datacontenttype", content_type});
  std::string json = "{";
  for (const Header& attribute : attributes) {
    if (!append_member(json, attribute, error_)) return false;
  }
  append_data(content_type, sent.body, json);
  static_cast<std::string&>(sent.body) = std::move(json += '}');
  sent.content_type = structured_type;
  return true;
}

/// JSON as it is, other text as a string, and what is neither in base64.
void CloudEventsMaker::append_data(const std::string& content_type, const std::string& body, std::string& to) {
  if (body.empty()) return;
  const std::string type = media_type(content_type);
  if ((type.empty() || is_json_type(type)) && json_.read(body)) {
    to.append(",\"data\":").append(body);
    return;
  }
  const std::size_t before = to.size();
  to += ",\"data\":";
  if (is_text_type(type) && !is_json_type(type) && append_string(to, body)) return;
  to.resize(before);
  to.append(",\"data_base64\":\"").append(base64(body)).append("\"");
}

}  // namespace action_triggers::detail
