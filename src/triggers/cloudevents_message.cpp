// SPDX-License-Identifier: MIT
#include "triggers/cloudevents_message.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "config/cloudevents_fields.hpp"
#include "triggers/json_escape.hpp"
#include "triggers/template_renderer.hpp"

namespace action_triggers::detail {
namespace {

constexpr const char* structured_type = "application/cloudevents+json";

/// An attribute that a message brings as a header of its own; empty: it is none.
std::string_view attribute_in(const Header& header, const std::string& prefix) {
  const std::string_view name = header.name;
  if (!name.starts_with(prefix) || header.type == HeaderType::list) return {};
  const std::string_view attribute = name.substr(prefix.size());
  return is_attribute_name(attribute) ? attribute : std::string_view();
}

/// The attributes that a message has, whatever its own headers say.
std::vector<std::pair<std::string_view, std::string>> attributes_of(const CloudEventsConfig& config,
                                                                    const OutboundMessage& message) {
  std::vector<std::pair<std::string_view, std::string>> all{
      {"specversion", "1.0"},
      {"id", std::string(message.id())},
      {"source", config.source},
      {"type", config.type.empty() ? message.destination().name : config.type}};
  if (!config.subject.empty()) all.emplace_back("subject", config.subject);
  if (const auto more = message.properties(); more && more->timestamp) {
    std::array<char, 24> text{};
    all.emplace_back("time", time_text(*more->timestamp, text));
  }
  if (!config.dataschema.empty()) all.emplace_back("dataschema", config.dataschema);
  for (const auto& [name, value] : config.extensions) all.emplace_back(name, value);
  return all;
}

bool has_attribute(const std::vector<Header>& headers, const std::string& prefix, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const Header& header) { return attribute_in(header, prefix) == name; });
}

void add_headers(const CloudEventsConfig& config, const OutboundMessage& message, Message& sent) {
  const std::size_t own = sent.headers.size();
  std::vector<Header> added;
  for (auto& [name, value] : attributes_of(config, message)) {
    if (own > 0 && has_attribute(sent.headers, config.header_prefix, name)) continue;
    added.push_back({config.header_prefix + std::string(name), std::move(value)});
  }
  sent.headers.insert(sent.headers.end(), added.begin(), added.end());
}

/// False: it is not UTF-8.
bool append_string(std::string& to, std::string_view text) {
  to += '"';
  if (append_escaped(to, text) != std::string_view::npos) return false;
  to += '"';
  return true;
}

/// False: the value is not UTF-8, and is named in `error`.
bool append_member(std::string& to, std::string_view name, const Header& value, std::string& error) {
  to.append(to.size() > 1 ? ",\"" : "\"").append(name).append("\":");
  if (value.type != HeaderType::text) {
    to += value.value;
  } else if (!append_string(to, value.value)) {
    error = "the CloudEvents attribute '" + std::string(name) + "' is not UTF-8";
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
  const bool is_tombstone = sent.properties && sent.properties->tombstone;  // which has no place for JSON
  if (config.mode == CloudEventsMode::binary || is_tombstone) {
    add_headers(config, message, sent);
    return sent;
  }
  if (!wrap(config, message, sent)) return std::nullopt;
  return sent;
}

bool CloudEventsMaker::wrap(const CloudEventsConfig& config, const OutboundMessage& message, Message& sent) {
  std::string json = "{";
  for (auto& [name, value] : attributes_of(config, message)) {
    if (has_attribute(sent.headers, config.header_prefix, name)) continue;
    if (!append_member(json, name, {"", std::move(value)}, error_)) return false;
  }
  const auto own = std::stable_partition(sent.headers.begin(), sent.headers.end(), [&](const Header& header) {
    return attribute_in(header, config.header_prefix).empty();
  });
  for (auto header = own; header != sent.headers.end(); ++header) {
    if (!append_member(json, attribute_in(*header, config.header_prefix), *header, error_)) return false;
  }
  sent.headers.erase(own, sent.headers.end());
  std::string content_type = sent.content_type.empty() ? config.content_type : std::string(sent.content_type);
  if (content_type.empty() && !sent.body.empty() && !json_.read(sent.body)) content_type = "application/octet-stream";
  if (!content_type.empty() && !append_member(json, "datacontenttype", {"", content_type}, error_)) return false;
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
