// SPDX-License-Identifier: MIT
// Any template with any payload: the first line of the input is the template, the rest is the payload. A template of
// JSON makes JSON or an error, whatever the payload; and what is JSON, the JSON library decides as well.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"
#include "config/json_parser.hpp"
#include "config/load_context.hpp"
#include "triggers/body_template.hpp"
#include "triggers/text_template.hpp"

namespace at = action_triggers;

namespace {

enum class Verdict : std::uint8_t { json, no_json, beyond_a_double };

Verdict verdict_of_library(std::string_view text) {
  try {
    static_cast<void>(nlohmann::json::parse(text));
    return Verdict::json;
  } catch (const nlohmann::json::out_of_range&) {
    return Verdict::beyond_a_double;  // a number, and what follows it was not read
  } catch (const nlohmann::json::parse_error&) {
    return Verdict::no_json;
  }
}

void require(bool holds) {
  if (!holds) std::abort();
}

void compare_readers(std::string_view text, at::detail::PayloadJson& json) {
  const bool is_json = json.read(text);
  if (is_json) {
    require(verdict_of_library(text) != Verdict::no_json);
    return;
  }
  require(json.error().offset <= text.size() && !json.error().text.empty());
  if (json.error().text.find("deeper") != std::string::npos) return;  // than the 64 levels that we read
  // The library skips a byte order mark, and ends at a NUL.
  if (text.starts_with("\xEF\xBB\xBF") || text.find('\0') != std::string_view::npos) return;
  require(verdict_of_library(text) != Verdict::json);
}

/// Everything that a value can be asked.
std::size_t visit(const at::detail::PayloadJson::Value& value) {
  std::string scratch;
  std::size_t size = value.raw().size();
  if (value.kind() == at::detail::JsonKind::string) size += value.text(scratch).size();
  for (auto inside = value.first(); inside; inside = inside->next()) {
    size += visit(*inside);
    if (value.kind() != at::detail::JsonKind::object) continue;
    const std::string key(inside->key(scratch));
    require(value.member(key).has_value());
  }
  return size;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view of_template = input.substr(0, input.find('\n'));
  const std::string_view payload = input.substr(std::min(of_template.size() + 1, input.size()));

  at::detail::PayloadJson json;
  compare_readers(payload, json);
  if (json.read(payload)) require(visit(json.root()) >= json.root().raw().size());

  static const at::BrokerRegistry registry;
  const at::ConfigOptions options{.names = {{"payload", [&] { return std::string(payload); }},
                                            {"throws", []() -> std::string { throw std::runtime_error("no"); }}}};
  at::detail::LoadContext context(of_template, registry, options);
  const at::detail::Node node = at::detail::parse_document(of_template, context.positions, context.findings.problems);
  at::detail::TemplateReader reader(context);
  const at::detail::BodyTemplate body(reader, node, {});
  if (!context.findings.problems.empty()) return 0;

  const at::Message message{
      .key = std::string(payload),
      .headers = {{"h", std::string(payload)}, {"l", std::string(payload), at::HeaderType::list}}};
  at::detail::EventView event({.name = payload, .id = "id", .body = payload, .message = &message}, json);
  std::string result;
  std::string error;
  if (!body.render(event, result, error)) {
    require(!error.empty());
  } else if (body.is_json()) {
    at::detail::PayloadJson of_result;
    compare_readers(result, of_result);
    require(verdict_of_library(result) != Verdict::no_json);
  }
  return 0;
}
