// SPDX-License-Identifier: MIT
// The keys that every broker type has, and what all tables of fields share.
#include "config/field_table.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>

#include "config/section_reader.hpp"

namespace action_triggers::detail {
namespace {

constexpr double shortest_seconds = 0.001;
constexpr double longest_seconds = 31'536'000;   // a year
constexpr std::int64_t longest_ms = 86'400'000;  // a day

std::string as_text(std::chrono::milliseconds time) { return std::to_string(time.count()); }
std::string as_text(std::size_t number) { return std::to_string(number); }

/// Rows of params itself. Defaults are those of the structs, which are what counts.
using CommonField = Field<BrokerConfig>;

const std::vector<CommonField>& plain_fields() {
  static const BrokerConfig defaults;
  static const std::string default_seconds =
      std::to_string(std::chrono::duration_cast<std::chrono::seconds>(defaults.timeout).count());
  static const std::vector<CommonField> fields{
      custom_field<BrokerConfig>(
          in_params, "timeout_secs", "float", "0.001 to 31536000",
          "`settings.max_broker_timeout`, or else " + default_seconds,
          "Seconds from fire to outcome; more than `settings.max_broker_timeout` is reduced to it.",
          [](ConfigSection& from, std::string_view key, BrokerConfig& config) {
            if (const auto timeout = read_seconds(from, key)) config.timeout = *timeout;
          }),
      // Far below what the dispatcher can count.
      integer_field<BrokerConfig>(in_params, "max_queued_messages", &BrokerConfig::max_queued_messages, 1, 10'000'000,
                                  as_text(defaults.max_queued_messages),
                                  "How many messages may wait for their outcome."),
      integer_field<BrokerConfig>(in_params, "max_queued_bytes", &BrokerConfig::max_queued_bytes, 1, 1LL << 36,
                                  as_text(defaults.max_queued_bytes),
                                  "How many bytes of body, key and headers they may have together."),
      integer_field<BrokerConfig>(in_params, "max_in_flight", &BrokerConfig::max_in_flight, 1, 10'000'000,
                                  "1000 (RabbitMQ), 40000 (Kafka), unlimited (others)",
                                  "How many messages may be handed on and unconfirmed. 1 keeps the order even when the "
                                  "broker refuses a message."),
      choice_field<BrokerConfig>(
          in_params, "overflow", &BrokerConfig::overflow,
          {{"reject", Overflow::reject}, {"block", Overflow::block}, {"drop_oldest", Overflow::drop_oldest}},
          "What fire does at the bounds."),
      integer_field<BrokerConfig>(in_params, "max_block_ms", &BrokerConfig::max_block, 1, longest_ms, "",
                                  "How long fire waits for capacity; required with `block`, refused otherwise."),
      choice_field<BrokerConfig>(in_params, "on_dead", &BrokerConfig::on_dead,
                                 {{"skip", OnDead::skip}, {"stop_key", OnDead::stop_key}, {"stop", OnDead::stop}},
                                 "Of messages from an outbox: which ones wait behind one that is given up. None, those "
                                 "of its key, or all of the "
                                 "destination."),
      choice_field<BrokerConfig>(
          in_params, "durability", &BrokerConfig::durability,
          {{"none", Durability::none}, {"commit", Durability::commit}, {"outbox", Durability::outbox}},
          "The least that a fire has to promise; one that promises less is refused. `commit`: in a transaction; "
          "`outbox`: "
          "in an outbox's, or a row of its table."),
  };
  return fields;
}

std::vector<StatusCode> codes_for_retry_on() {
  std::vector<StatusCode> codes;
  for (std::size_t index = 0; index < status_code_count; ++index) {
    if (RetryPolicy::can_be_added(static_cast<StatusCode>(index))) codes.push_back(static_cast<StatusCode>(index));
  }
  return codes;
}

std::string all_retried_on() {
  std::string all;
  for (const StatusCode code : codes_for_retry_on()) {
    all.append(all.empty() ? "`" : ", `").append(to_string(code)).append("`");
  }
  return all;
}

void read_retry_on(ConfigSection& retry, std::string_view key, RetryPolicy& policy) {
  const std::vector<StatusCode> codes = codes_for_retry_on();
  const auto names = retry.strings(key);
  if (!names) return;
  for (const std::string& name : *names) {
    const auto code = std::find_if(codes.begin(), codes.end(), [&](StatusCode one) { return to_string(one) == name; });
    if (code != codes.end()) {
      policy.on.push_back(*code);
    } else if (name == "rejected" || name == "unavailable") {
      retry.problem(key, "The field 'on' need not have '" + name + "': it is always retried.");
    } else {
      std::string all;
      for (const StatusCode one : codes) all.append(all.empty() ? "'" : ", '").append(to_string(one)).append("'");
      retry.problem(key, "The field 'on' must have some of " + all + ".");
    }
  }
}

/// Rows of the object params.retry.
using RetryField = Field<RetryPolicy>;

const std::vector<RetryField>& retry_fields() {
  static const RetryPolicy defaults;
  static const std::vector<RetryField> fields{
      integer_field<RetryPolicy>(in_params, "max_attempts", &RetryPolicy::max_attempts, 1, 1'000'000, "unlimited",
                                 "How often a message is tried before its last failure is reported."),
      integer_field<RetryPolicy>(in_params, "initial_backoff_ms", &RetryPolicy::initial_backoff, 1, longest_ms,
                                 as_text(defaults.initial_backoff),
                                 "The longest pause after the first failure; it doubles with every further one."),
      integer_field<RetryPolicy>(
          in_params, "max_backoff_ms", &RetryPolicy::max_backoff, 1, longest_ms, as_text(defaults.max_backoff),
          "The longest pause of all. Pauses are drawn at random between a tenth of their limit and the limit."),
      custom_field<RetryPolicy>(in_params, "on", "list of str", all_retried_on(), "",
                                "Statuses that are retried beside `rejected` and `unavailable`: what somebody may mend "
                                "while the message waits.",
                                read_retry_on),
  };
  return fields;
}

}  // namespace

std::optional<std::chrono::milliseconds> read_seconds(ConfigSection& section, std::string_view key) {
  constexpr double any = std::numeric_limits<double>::max();
  const auto seconds = section.number(key, -any, any);
  if (!seconds) return std::nullopt;
  // Without any time every message would be given up before it was tried.
  const char* bound = *seconds < shortest_seconds  ? "at least 0.001"
                      : *seconds > longest_seconds ? "at most 31536000"
                                                   : "";
  if (*bound != '\0') {
    section.problem(key, "The field '" + std::string(key) + "' must be " + bound + " seconds, not " +
                             redacted_text(*SectionReader::of(section).find(key)) + ".");
    return std::nullopt;
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000));
}

std::optional<std::string> read_choice(ConfigSection& section, std::string_view key,
                                       const std::vector<std::string>& choices) {
  auto text = section.string(key);
  if (!text) return std::nullopt;
  if (std::find(choices.begin(), choices.end(), *text) != choices.end()) return text;
  std::string all;
  for (const std::string& choice : choices) all += (all.empty() ? "'" : ", '") + choice + "'";
  section.problem(key, "The field '" + std::string(key) + "' must be one of " + all + ".");
  return std::nullopt;
}

std::string spelling_of(const FieldInfo& field, ConfigSection& section) {
  std::string used = field.key;
  bool found = section.has(field.key);
  for (const std::string& alias : field.aliases) {
    if (!section.has(alias)) continue;
    if (found) {
      section.problem(alias, "The field '" + alias + "' is another name of '" + used + "'; give one of them.");
    } else {
      found = true;
      used = alias;
    }
  }
  return used;
}

void read_common_fields(ConfigSection& params, BrokerConfig& config) {
  for (const CommonField& field : plain_fields()) {
    if (params.has(field.key)) field.read(params, field.key, config);
  }
  const bool has_block_time = params.has("max_block_ms");
  if (SectionReader::of(params).is_unresolved("overflow")) {
    // nobody knows
  } else if (config.overflow == Overflow::block && !has_block_time) {
    params.problem("max_block_ms", "The field 'max_block_ms' must be provided.");
  } else if (config.overflow != Overflow::block && has_block_time) {
    params.problem("max_block_ms", "The field 'max_block_ms' goes with \"overflow\": \"block\" only.");
  }
  ConfigSection retry = params.object("retry");
  for (const RetryField& field : retry_fields()) {
    if (retry.has(field.key)) field.read(retry, field.key, config.retry);
  }
  const SectionReader& pauses = SectionReader::of(retry);
  const bool are_known = !pauses.is_unresolved("initial_backoff_ms") && !pauses.is_unresolved("max_backoff_ms");
  if (are_known && config.retry.initial_backoff > config.retry.max_backoff) {
    const auto shown = [&](const char* key, std::chrono::milliseconds time) {
      return std::string("'") + key + "' (" + (retry.is_substituted(key) ? "***" : as_text(time)) + ")";
    };
    retry.problem(retry.has("initial_backoff_ms") ? "initial_backoff_ms" : "max_backoff_ms",
                  "The field " + shown("initial_backoff_ms", config.retry.initial_backoff) +
                      " must not be larger than " + shown("max_backoff_ms", config.retry.max_backoff) + ".");
  }
}

std::vector<const FieldInfo*> common_fields() {
  std::vector<const FieldInfo*> fields = infos(plain_fields());
  static const std::vector<FieldInfo> prefixed = [] {
    std::vector<FieldInfo> result;
    for (const RetryField& field : retry_fields()) {
      result.push_back(field);
      result.back().key = "retry." + field.key;
    }
    return result;
  }();
  for (const FieldInfo& field : prefixed) fields.push_back(&field);
  return fields;
}

std::string reference_table(const std::vector<const FieldInfo*>& fields) {
  std::string text = "| section | key | type | default | meaning |\n|---|---|---|---|---|\n";
  for (const FieldInfo* field : fields) {
    if (field->type == "scalar") continue;  // too many for a page
    text += "| " + std::string(field->section) + " | `" + field->key + "`";
    for (const std::string& alias : field->aliases) text += ", `" + alias + "`";
    text += " | " + field->type + (field->values.empty() ? "" : ", " + field->values) + " | ";
    text += field->required ? "required" : field->default_value;
    text += " | " + field->description + " |\n";
  }
  return text;
}

}  // namespace action_triggers::detail
