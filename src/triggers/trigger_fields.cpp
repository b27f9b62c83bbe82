// SPDX-License-Identifier: MIT
#include "triggers/trigger_fields.hpp"

#include <utility>

namespace action_triggers::detail {
namespace {

FieldInfo field(std::string_view section, std::string key, std::string type, std::string default_value,
                std::string description, bool required = false, std::string values = {}) {
  return {.section = section,
          .key = std::move(key),
          .aliases = {},
          .type = std::move(type),
          .default_value = std::move(default_value),
          .description = std::move(description),
          .required = required,
          .values = std::move(values)};
}

}  // namespace

const std::vector<FieldInfo>& trigger_fields() {
  static const std::vector<FieldInfo> fields{
      field("trigger", "events", "str or list of str", {}, "Names of events, or [patterns](#events) of them.", true,
            "such as `order.paid`, `order.*`"),
      field("trigger", "active", "bool", "true", "false: the trigger is checked with the file, and does nothing."),
      field("trigger", "when", "dict", "any payload",
            "The [condition](#conditions) that the payload must meet; of all targets."),
      field("trigger", "targets", "list of str and dict", {},
            "Where the event goes: names of brokers, or objects with the keys below.", true),
  };
  return fields;
}

const std::vector<FieldInfo>& target_fields() {
  static const std::vector<FieldInfo> fields{
      field("target", "broker", "str", {}, "The name of an entry of `brokers`.", true),
      field("target", "when", "dict", "any payload", "A condition of this target, beside the trigger's."),
      field("target", "body", "any JSON", "the payload, byte for byte",
            "The body, a [template](templates.md); a string is a text."),
      field("target", "key", "str", "the message's", "The key, a template.", false,
            "may be empty, such as `order-{{ /id }}`"),
      field("target", "headers", "dict of str, int and bool", "the message's",
            "Headers to add, or to set in place of those of the same names; the strings are templates.", false,
            "may be empty"),
      field("target", "content_type", "str", "the message's", "The content type, a template.", false, "may be empty"),
      field("target", "params", "dict", {},
            "What the broker's own `params` lack: [derived destinations](#derived-destinations)."),
      field("target", timeout_key, "float", "the broker's", "As in `params`, spelled shorter.", false,
            "0.001 to 31536000"),
  };
  return fields;
}

std::vector<const FieldInfo*> trigger_and_target_fields() {
  static const std::vector<FieldInfo> all = [] {
    std::vector<FieldInfo> fields = trigger_fields();
    for (FieldInfo field : target_fields()) {
      field.key.insert(0, "targets.");
      fields.push_back(std::move(field));
    }
    return fields;
  }();
  std::vector<const FieldInfo*> fields;
  for (const FieldInfo& field : all) fields.push_back(&field);
  return fields;
}

std::set<std::string, std::less<>> keys_of(const std::vector<FieldInfo>& fields) {
  std::set<std::string, std::less<>> keys;
  for (const FieldInfo& each : fields) keys.insert(each.key);
  return keys;
}

}  // namespace action_triggers::detail
