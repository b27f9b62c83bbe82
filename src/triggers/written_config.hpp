// SPDX-License-Identifier: MIT
/// A configuration file as it is written, for `action-triggers explain`: where everything stands, and where the
/// settings of a destination come from. Values that placeholders stand for are not in it.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/export.hpp"
#include "config/document.hpp"

namespace action_triggers::detail {

/// One setting of a destination.
struct WrittenSetting {
  std::string section;            ///< "conn_details" or "params".
  std::string key;                ///< Nested with dots.
  std::string value;              ///< As the file has it, or "***" if nobody may see it. Of a default: for people.
  std::size_t line = 0;           ///< 0: a default.
  bool is_of_target = false;      ///< Not the broker's own: a trigger's target adds it.
  std::vector<std::string> from;  ///< What its placeholders are: "environment variable DB_PASSWORD".
};

/// Of a text that loads: parse_config() took it. Exported, with hidden types, for the command of the same version.
class ACTION_TRIGGERS_EXPORT WrittenConfig {
 public:
  /// Keeps the text.
  explicit WrittenConfig(std::string text);

  /// Where a destination, a trigger or one of its targets begins; 0: there is none.
  [[nodiscard]] std::size_t line_of_broker(std::string_view name) const;
  [[nodiscard]] std::size_t line_of_trigger(std::string_view name) const;
  [[nodiscard]] std::size_t line_of_target(std::string_view trigger, std::size_t target) const;

  /// A `when` as one line of JSON, with its placeholders; empty: there is none.
  [[nodiscard]] std::string condition_of(std::string_view trigger) const;
  [[nodiscard]] std::string condition_of(std::string_view trigger, std::size_t target) const;

  /// All that a target uses: what the file gives, in its order, then defaults.
  [[nodiscard]] std::vector<WrittenSetting> settings(std::string_view broker, std::string_view trigger,
                                                     std::size_t target, const BrokerRegistry& registry) const;

  /// The file with "***" for each `${…}` in what targets send: its messages may be shown.
  [[nodiscard]] std::string without_secrets() const;

 private:
  [[nodiscard]] std::vector<const Node*> sections(std::string_view key, std::string_view alias) const;
  [[nodiscard]] const Member* find(const std::vector<const Node*>& maps, std::string_view name) const;
  [[nodiscard]] const Member* broker(std::string_view name) const;
  [[nodiscard]] const Member* trigger(std::string_view name) const;
  [[nodiscard]] const Node* target(std::string_view trigger, std::size_t index) const;
  [[nodiscard]] std::size_t line_at(std::size_t offset) const;
  [[nodiscard]] std::vector<WrittenSetting> settings_of_target(const Node& of_target) const;
  void add_maximum(std::vector<WrittenSetting>& all, std::set<std::string>& given) const;
  [[nodiscard]] std::string condition_in(const Node* object) const;

  std::string text_;
  TextPositions positions_;
  Node root_;
};

/// Whether the key names something that nobody may see.
ACTION_TRIGGERS_EXPORT bool is_secret_key(std::string_view key);

}  // namespace action_triggers::detail
