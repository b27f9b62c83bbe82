// SPDX-License-Identifier: MIT
/// What a broker type's parser reads: one destination's section of the configuration, with every problem recorded.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/export.hpp"
#include "action_triggers/secret.hpp"

namespace action_triggers {

namespace detail {
class SectionReader;
}

/// One object of the configuration (conn_details, params, or an object inside them) while a type's parser reads it.
///
/// Each getter makes its key known and checks the value; a wrong one is recorded as a ConfigProblem with its position,
/// and the getter returns as if it were absent. Keys that no getter asked for are reported as unknown, with the nearest
/// known key. Values are substituted already. Valid during the parser's call only.
class ACTION_TRIGGERS_EXPORT ConfigSection {
 public:
  explicit ConfigSection(std::shared_ptr<detail::SectionReader> reader) : reader_(std::move(reader)) {}

  [[nodiscard]] bool has(std::string_view key) const;       ///< Present, and not null.
  [[nodiscard]] bool has_null(std::string_view key) const;  ///< Present, and null.
  [[nodiscard]] bool is_boolean(std::string_view key) const;
  [[nodiscard]] bool is_integer(std::string_view key) const;

  /// Whether the value, or a part of it, came from `${…}` or `{{ … }}`: it counts as a secret, so no text may quote it.
  [[nodiscard]] bool is_substituted(std::string_view key) const;
  /// For an error text: 'value' in single quotes, or '***' if is_substituted(key) or if it may hold a password.
  [[nodiscard]] std::string quoted(std::string_view key, std::string_view value) const;

  /// A string, not empty. A missing required one is the problem "The field 'key' must be provided.".
  std::optional<std::string> string(std::string_view key);
  std::string required_string(std::string_view key);
  std::optional<Secret> secret(std::string_view key);

  /// A number, or a numeric string, wherever that came from. Out of [min, max]: a problem.
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t min = std::numeric_limits<std::int64_t>::min(),
                                      std::int64_t max = std::numeric_limits<std::int64_t>::max());
  std::optional<double> number(std::string_view key, double min, double max);
  std::optional<bool> boolean(std::string_view key);

  /// A string, number or boolean as text ("true", "5"), for values that somebody else checks.
  std::optional<std::string> scalar(std::string_view key);

  /// A list of strings, or one string.
  std::optional<std::vector<std::string>> strings(std::string_view key);

  /// A nested object; empty if absent or null.
  ConfigSection object(std::string_view key);

  /// A list of objects; empty if absent or null. What is wrong in the second element is reported as `key.1.…`.
  std::vector<ConfigSection> objects(std::string_view key);

  /// A list of strings and objects in the file's order; empty if absent or null. A string's section has text(), and no
  /// keys.
  std::vector<ConfigSection> items(std::string_view key);

  /// The string, if this is an element of items() that is one.
  [[nodiscard]] std::optional<std::string> text() const;

  /// Every key that the file has here, known or not.
  [[nodiscard]] std::vector<std::string> keys() const;

  /// Records a problem or a warning at this key (or at the object, if it has no such key). A hint says what else may
  /// help.
  void problem(std::string_view key, std::string text, std::string hint = {});
  void warning(std::string_view key, std::string text);

  /// Records that a required key is not there: "The field 'key' must be provided.". In `params` a trigger's target may
  /// supply what a destination lacks, so say it with this rather than with problem().
  void missing(std::string_view key, std::string hint = {});

 private:
  friend class detail::SectionReader;
  std::shared_ptr<detail::SectionReader> reader_;
};

/// What a configuration key is, for the reference page and other tools.
struct FieldInfo {
  std::string_view section;          ///< "conn_details" or "params".
  std::string key;                   ///< Nested with dots: "retry.max_attempts".
  std::vector<std::string> aliases;  ///< Other names that are accepted for it.
  std::string type;  ///< str, int, float, bool, dict; "list of str", "str or null", …; scalar: no list, no dict.
  std::string default_value;  ///< For people; empty if there is none.
  std::string description;
  bool required = false;
  std::string values;  ///< What is accepted: "1 to 65535", "`a` or `b`", "may be empty"; behind it "such as `c`".
};

/// One entry of the brokers map while it is being parsed.
struct ACTION_TRIGGERS_EXPORT BrokerSection {
  /// For a connection without TLS: unless `host` is this machine or empty, records at conn_details.`key` that messages
  /// and credentials go to it in plain text; a problem if TLS is required, else a warning. The text names the host as
  /// `shown` (empty: as `host`), unless the key's value came from a substitution. True: it recorded something.
  bool report_plaintext(std::string_view key, std::string_view host, std::string_view shown = {});

  std::string name;
  ConfigSection conn_details;
  ConfigSection params;      ///< The common keys (timeout_secs, retry, …) are read by the loader itself.
  bool require_tls = false;  ///< settings.require_tls: plaintext to a host other than loopback is a problem.
};

}  // namespace action_triggers
