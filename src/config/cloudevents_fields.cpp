// SPDX-License-Identifier: MIT
#include "config/cloudevents_fields.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "config/field_table.hpp"
#include "config/json_text.hpp"

namespace action_triggers::detail {
namespace {

const std::vector<std::string> envelopes{"none", "cloudevents_binary", "cloudevents_structured"};

/// Names that have a meaning of their own.
constexpr std::array<std::string_view, 10> reserved{
    "specversion", "id", "source", "type", "subject", "time", "dataschema", "data", "data_base64", "datacontenttype"};

bool is_letter_or_digit(char c) { return is_digit(c) || (is_letter(c) && c != '_'); }

/// RFC 3986: only the characters that a URI reference may have, and percent signs before two digits.
bool is_uri_reference(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size() || !is_hex_digit(text[i + 1]) || !is_hex_digit(text[i + 2])) return false;
    } else if (!is_letter_or_digit(text[i]) &&
               std::string_view("-._~:/?#[]@!$&'()*+,;=").find(text[i]) == std::string_view::npos) {
      return false;
    }
  }
  return !text.empty();
}

bool has_scheme(std::string_view text) {
  const std::string_view scheme = text.substr(0, text.find(':'));
  return scheme.size() < text.size() && !scheme.empty() && is_letter(scheme.front()) && scheme.front() != '_' &&
         std::all_of(scheme.begin(), scheme.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '+' || c == '-' || c == '.'; });
}

std::string read_text(ConfigSection& from, std::string_view key) {
  std::string text = from.string(key).value_or("");
  if (has_control_character(text)) {
    from.problem(key, "The field '" + std::string(key) +
                          "' must not have control characters, which no attribute of a "
                          "CloudEvent has.");
  }
  return text;
}

std::string read_source(ConfigSection& from) {
  std::string source = from.string("source").value_or("");
  if (!source.empty() && !is_uri_reference(source)) {
    from.problem("source",
                 "The field 'source' must be a URI reference, which " + from.quoted("source", source) + " is not.",
                 "Such as '/shop/orders' or 'https://example.org/shop'; write other characters as %20 and so on.");
  }
  return source;
}

std::string read_dataschema(ConfigSection& from) {
  std::string schema = from.string("dataschema").value_or("");
  if (!schema.empty() && !(is_uri_reference(schema) && has_scheme(schema))) {
    from.problem("dataschema",
                 "The field 'dataschema' must be a URI, which " + from.quoted("dataschema", schema) + " is not.",
                 "Such as 'https://example.org/order.json'.");
  }
  return schema;
}

void read_extensions(ConfigSection from, CloudEventsConfig& to) {
  for (const std::string& name : from.keys()) {
    std::string value = read_text(from, name);
    if (is_reserved_attribute(name)) {
      from.problem(name, "'" + name + "' is no extension: CloudEvents has it already.",
                   "What 'cloudevents' does not have is given as a header of the message, or of a trigger's target.");
    } else if (!is_attribute_name(name)) {
      from.problem(name, "The name of an extension has lower-case letters and digits only.");
    } else if (!value.empty()) {
      to.extensions.emplace(name, std::move(value));
    }
  }
}

}  // namespace

bool is_reserved_attribute(std::string_view name) noexcept {
  return std::find(reserved.begin(), reserved.end(), name) != reserved.end();
}

bool is_attribute_name(std::string_view name) noexcept {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z'); });
}

std::vector<const FieldInfo*> cloudevents_fields() {
  static const std::vector<FieldInfo> rows{
      {in_params,
       "envelope",
       {},
       "str",
       "none",
       "How messages are wrapped: as [CloudEvents](cloudevents.md), with the attributes in headers or with all in one "
       "JSON object.",
       false,
       "`none`, `cloudevents_binary` or `cloudevents_structured`"},
      {in_params,
       "cloudevents",
       {},
       "dict",
       "",
       "The keys below: attributes of all messages. Required with an `envelope`.",
       false,
       {}},
      {in_params, "cloudevents.source", {}, "str", "", "Who sends: a URI reference.", true, "such as `/shop/orders`"},
      {in_params,
       "cloudevents.type",
       {},
       "str",
       "the event's name, or else the destination's",
       "What has happened.",
       false,
       "such as `org.example.order.paid`"},
      {in_params, "cloudevents.subject", {}, "str", "", "What it has happened to.", false, {}},
      {in_params, "cloudevents.dataschema", {}, "str", "", "A URI: where the schema of the body is.", false, {}},
      {in_params,
       "cloudevents.extensions",
       {},
       "dict of str",
       "",
       "Further attributes: names of lower-case letters and digits.",
       false,
       {}},
  };
  std::vector<const FieldInfo*> all;
  all.reserve(rows.size());
  for (const FieldInfo& row : rows) all.push_back(&row);
  return all;
}

void read_cloudevents(ConfigSection& params, std::string_view prefix, std::string_view content_type,
                      CloudEventsSupport& to) {
  const auto envelope = read_choice(params, "envelope", envelopes);
  ConfigSection from = params.object("cloudevents");
  auto config = std::make_shared<CloudEventsConfig>();
  config->header_prefix = prefix;
  config->content_type = content_type;
  config->source = read_source(from);
  config->type = read_text(from, "type");
  config->subject = read_text(from, "subject");
  config->dataschema = read_dataschema(from);
  read_extensions(from.object("extensions"), *config);
  if (params.has("cloudevents") && !params.has("envelope")) {
    params.problem(
        "cloudevents", "The field 'cloudevents' needs an 'envelope'.",
        "Say \"envelope\": \"cloudevents_binary\" or \"cloudevents_structured\"; with \"none\" messages are sent "
        "as they are.");
    return;
  }
  if (!envelope || *envelope == "none") return;
  if (!params.has("cloudevents")) {
    params.missing("cloudevents", "At least its 'source': {\"source\": \"/shop/orders\"}.");
  } else if (!from.has("source")) {
    from.problem("source", "The field 'source' must be provided.",
                 "It says who sends, as a URI reference such as '/shop/orders'.");
  }
  if (*envelope == "cloudevents_structured") config->mode = CloudEventsMode::structured;
  to.cloudevents = std::move(config);
}

}  // namespace action_triggers::detail
