// SPDX-License-Identifier: MIT
/// What tests of capture on all databases share: a configuration's captures, and events as lines.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "action_triggers/config.hpp"
#include "capture/capture_config.hpp"
#include "outbox/outbox_config.hpp"

namespace action_triggers::tests {

/// The section `capture` of a file with this outbox.
inline detail::CaptureConfig captures_of(const std::string& outbox, const std::string& captures) {
  const Config config = parse_config(R"({"brokers": {}, "outbox": )" + outbox + R"(, "capture": )" + captures + "}");
  return *config.section<detail::CaptureConfig>();
}

/// "insert 1: null -> {"id":1}", read by a parser that is not ours, which refuses what is no JSON or no UTF-8. `key`:
/// "-" if there is none. What else the payload has follows.
inline std::string line_of(const std::string& target, const std::string& key, const std::string& body) {
  nlohmann::ordered_json payload = nlohmann::ordered_json::parse(body);
  const std::string op = payload.at("op");
  if (target.substr(0, 6) != "event:") throw std::runtime_error("no event: " + target);
  std::string line = target.substr(6) + " " + key + ": " + payload.at("old").dump() + " -> " + payload.at("new").dump();
  if (target.size() < op.size() || target.substr(target.size() - op.size()) != op) line += " op=" + op;
  if (!payload.at("context").is_null()) line += " context=" + payload.at("context").dump();
  if (payload.contains("oversize")) line += " oversize=" + payload.at("oversize").dump();
  if (payload.contains("error")) line += " error=" + payload.at("error").dump();
  return line;
}

using Lines = std::vector<std::string>;

}  // namespace action_triggers::tests
