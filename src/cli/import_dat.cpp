// SPDX-License-Identifier: MIT
// action-triggers import-dat: from the triggers that django-action-triggers keeps in its database to a configuration.
#include <algorithm>
#include <cerrno>
#include <fstream>
#include <initializer_list>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/dat_dump.hpp"
#include "cli/dat_payload.hpp"
#include "cli/load.hpp"
#include "cli/message_options.hpp"
#include "config/problem_line.hpp"
#include "triggers/written_config.hpp"

namespace action_triggers::cli {
namespace {

using Json = nlohmann::ordered_json;

/// What the package's settings say.
struct DatSettings {
  bool is_given = false;
  Json brokers = Json::object();
  Json max_broker_timeout;
};

/// One entry of a map of the configuration, with what is to be said of it.
struct Entry {
  std::string key;
  Json value;  // null: only the comments
  std::vector<std::string> comments;
};

/// A name as an environment variable has it: "ORDER_MAILS_PASSWORD".
std::string variable_name(const std::string& broker, const std::string& key) {
  std::string name = broker + "_" + key;
  for (char& c : name) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!is_letter) c = '_';
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return name;
}

bool has_braces(const Json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().find("{{") != std::string::npos;
  return value.is_structured() && std::any_of(value.begin(), value.end(), [](const Json& v) { return has_braces(v); });
}

/// Makes the configuration, and collects what is to be said.
class Import {
 public:
  Import(const DatSettings& settings, const std::vector<DatConfig>& configs) : settings_(settings) {
    for (const DatConfig& config : configs) {
      for (const DatQueue& queue : config.queues) guess_type(queue);
    }
    for (const DatConfig& config : configs) add(config);
  }

  [[nodiscard]] std::string text(const std::string& source) const {
    std::string result = "// Made by action-triggers import-dat from " + detail::printable(source) + ".\n{\n";
    if (!settings_.max_broker_timeout.is_null()) {
      result += "  \"settings\": " + Json{{"max_broker_timeout", settings_.max_broker_timeout}}.dump() + ",\n";
    }
    return result + map_text("brokers", brokers_) + ",\n" + map_text("triggers", triggers_) + "\n}\n";
  }

 private:
  /// Of a broker that the settings do not show, by what its rows have.
  void guess_type(const DatQueue& queue) {
    const auto has_any = [&](std::initializer_list<const char*> keys) {
      return std::any_of(keys.begin(), keys.end(), [&](const char* key) {
        return queue.conn_details.contains(key) || queue.params.contains(key);
      });
    };
    if (has_any({"bootstrap_servers", "topic"})) guessed_[queue.name] = "kafka";
    if (has_any({"host", "port", "url", "queue", "exchange", "routing_key"})) guessed_[queue.name] = "rabbitmq";
  }

  void add(const DatConfig& config) {
    name_ = "config_" + config.pk;
    comments_.clear();
    if (!config.created_on.empty()) comments_.push_back("created on " + config.created_on);
    for (const std::string& other : config.others) warn(other + " is left out: there is no such broker type here");
    for (const std::string& lost : config.lost) warn("the dump does not say " + lost);
    Json events = Json::array();
    for (const std::string& model : config.models) {
      for (const std::string& signal : config.signals) events.push_back(model + "." + signal);
    }
    if (events.empty()) warn("is left out: it has no model, or no signal");
    const DatPayload payload = convert_dat_payload(config.payload);
    for (const std::string& note : payload.notes) warn(note);
    for (const std::string& missing : payload.missing) warn("payload: " + missing);
    if (!payload.missing.empty()) {
      warn("is not active: give its targets a body, then set it to active; the payload was " + config.payload.dump());
    }
    Json targets = Json::array();
    for (const DatQueue& queue : config.queues) add_target(queue, payload, targets);
    if (targets.empty()) warn("is left out: no target of it is left");
    Json trigger{{"events", events}};
    if (!config.active || !payload.missing.empty()) trigger["active"] = false;
    trigger["targets"] = targets;
    triggers_.push_back({name_, events.empty() || targets.empty() ? Json() : std::move(trigger), std::move(comments_)});
  }

  /// On standard error, and beside the trigger in the file.
  void warn(const std::string& text) {
    comments_.push_back(text);
    std::cerr << "import-dat: " << detail::printable(name_ + ": " + text) << '\n';
  }
  void warn_broker(Entry& broker, const std::string& text) {
    broker.comments.push_back(text);
    std::cerr << "import-dat: " << detail::printable("broker " + broker.key + ": " + text) << '\n';
  }

  void add_target(const DatQueue& queue, const DatPayload& payload, Json& targets) {
    const std::optional<std::string> broker = broker_of(queue);
    if (!broker) return;
    Json target{{"broker", *broker}};
    if (!payload.body.is_null() && payload.missing.empty()) target["body"] = payload.body;
    const Json params = added("params", queue, queue.params);
    if (has_braces(params))
      warn("params of '" + queue.name + "' have {{ names }}: register them (ConfigOptions::names)");
    if (!params.empty()) target["params"] = params;
    if (queue.timeout_secs) {
      target["timeout_secs"] = std::max(*queue.timeout_secs, 0.001);
      if (*queue.timeout_secs < 0.001) warn("a timeout of 0 is 1 ms here");
    }
    targets.push_back(target.size() == 1 ? target["broker"] : std::move(target));
  }

  /// What a row adds to the settings, which win.
  Json added(const char* section, const DatQueue& queue, const Json& values) {
    Json base = Json::object();
    if (const auto broker = settings_.brokers.find(queue.name); broker != settings_.brokers.end()) {
      if (broker->contains(section) && broker->at(section).is_object()) base = broker->at(section);
    }
    Json result = Json::object();
    for (const auto& [key, value] : values.items()) {
      if (!base.contains(key)) {
        result[key] = value;
      } else if (base.at(key) != value) {
        warn(std::string(section) + "." + key + " of '" + queue.name + "' is left out: the settings' value wins");
      }
    }
    return result;
  }

  /// Its type in lower case; nothing, and a warning: it has none that we have.
  std::optional<std::string> type_of(const DatQueue& queue) {
    const auto broker = settings_.brokers.find(queue.name);
    if (broker == settings_.brokers.end()) {
      if (settings_.is_given) {
        warn("the target '" + queue.name + "' is left out: the settings have no such broker");
        return std::nullopt;
      }
      if (const auto guess = guessed_.find(queue.name); guess != guessed_.end()) return guess->second;
      warn("the target '" + queue.name + "' is left out: what kind of broker it is, --settings says");
      return std::nullopt;
    }
    const std::string type = broker->contains("broker_type") && broker->at("broker_type").is_string()
                                 ? detail::ascii_lower(broker->at("broker_type").get_ref<const std::string&>())
                                 : std::string();
    if (type == "kafka" || type == "rabbitmq") return type;
    warn("the target '" + queue.name + "' is left out: there is no broker type '" + type + "' here");
    return std::nullopt;
  }

  /// The name of the entry in the brokers map, which is made if there is none yet.
  std::optional<std::string> broker_of(const DatQueue& queue) {
    const std::optional<std::string> type = type_of(queue);
    if (!type) return std::nullopt;
    const Json more = added("conn_details", queue, queue.conn_details);
    const std::string identity = queue.name + "\n" + nlohmann::json(more).dump();
    if (const auto found = names_.find(identity); found != names_.end()) return found->second;
    Entry broker{.key = queue.name, .value = Json{{"broker_type", *type}}, .comments = {}};
    for (int number = 2; !used_.insert(broker.key).second; ++number) {
      broker.key = queue.name + "_" + std::to_string(number);
    }
    const auto base = settings_.brokers.find(queue.name);
    for (const char* section : {"conn_details", "params"}) {
      Json values = Json::object();
      if (base != settings_.brokers.end() && base->contains(section) && base->at(section).is_object()) {
        values = base->at(section);
      }
      if (std::string_view(section) == "conn_details") values.update(more);
      for (const auto& [key, value] : values.items()) {
        const bool is_own = !settings_.is_given || more.contains(key);
        hide_secret(broker, variable_name(is_own ? broker.key : queue.name, key), key, value);
      }
      if (!values.empty()) broker.value[section] = std::move(values);
    }
    if (*type == "kafka" &&
        (!broker.value.contains("conn_details") || !broker.value["conn_details"].contains("bootstrap_servers"))) {
      const std::string variable = variable_name(broker.key, "bootstrap_servers");
      broker.value["conn_details"]["bootstrap_servers"] = "${" + variable + "}";
      warn_broker(broker, "set the environment variable " + variable + ", or give the settings with --settings");
    }
    if (base == settings_.brokers.end()) warn_broker(broker, "its type is guessed: give the settings with --settings");
    if (has_braces(broker.value)) warn_broker(broker, "has {{ names }}: register them (ConfigOptions::names)");
    names_[identity] = broker.key;
    brokers_.push_back(std::move(broker));
    return names_[identity];
  }

  /// No secret is printed: an environment variable takes its place.
  void hide_secret(Entry& broker, const std::string& variable, const std::string& key, Json& value) {
    if (!value.is_string()) return;
    const auto& text = value.get_ref<const std::string&>();
    const bool is_placeholder = text.find("{{") != std::string::npos;
    const bool is_secret = detail::is_secret_key(key) || text.find('@') != std::string::npos;
    if (is_placeholder || !is_secret) return;
    value = "${" + variable + "}";
    warn_broker(broker, key + " is a secret: put it into the environment variable " + variable);
  }

  static std::string map_text(const char* name, const std::vector<Entry>& entries) {
    std::string text = "  \"" + std::string(name) + "\": {";
    const auto last = std::find_if(entries.rbegin(), entries.rend(), [](const Entry& e) { return !e.value.is_null(); });
    for (const Entry& entry : entries) {
      text += "\n";
      for (const std::string& comment : entry.comments) {
        text += "    // " + detail::printable(entry.key + ": " + comment) + "\n";
      }
      if (entry.value.is_null()) continue;
      std::string value = entry.value.dump(2, ' ', false, Json::error_handler_t::replace);
      for (std::size_t line = 0; (line = value.find('\n', line)) != std::string::npos; line += 5) {
        value.insert(line + 1, "    ");
      }
      text += "    " + Json(entry.key).dump() + ": " + value;
      if (&entry != &*last) text += ",";
    }
    return text + (text.ends_with('\n') ? "  }" : "\n  }");
  }

  const DatSettings& settings_;
  std::map<std::string, std::string> guessed_;  // broker types, by name
  std::vector<Entry> brokers_;
  std::vector<Entry> triggers_;
  std::map<std::string, std::string> names_;  // of entries, by what they are made of
  std::set<std::string> used_;
  std::string name_;                   // of the trigger that is made
  std::vector<std::string> comments_;  // on it
};

/// Nothing, and a line on standard error: it cannot be read or is no JSON.
std::optional<Json> read_json(const std::string& file, ExitCode& exit_code) {
  const std::optional<std::string> text = read_payload(file);
  exit_code = ExitCode::wrong_usage;
  if (!text) return std::nullopt;
  exit_code = ExitCode::failure;
  try {
    return Json::parse(*text);
  } catch (const Json::exception& error) {
    std::cerr << name_of(file) << ": is no JSON: " << detail::printable(error.what()) << '\n';
    return std::nullopt;
  }
}

/// From the settings as a Django project has them, with or without their names around them.
DatSettings settings_of(const Json& json) {
  DatSettings settings;
  settings.is_given = true;
  const Json& root = json.is_object() && json.contains("ACTION_TRIGGERS") ? json.at("ACTION_TRIGGERS") : json;
  if (!root.is_object() || !root.contains("brokers") || !root.at("brokers").is_object()) {
    throw std::invalid_argument("There is no 'brokers' map. Expected {\"ACTION_TRIGGERS\": {\"brokers\": {…}}}.");
  }
  settings.brokers = root.at("brokers");
  if (json.contains("ACTION_TRIGGER_SETTINGS") && json.at("ACTION_TRIGGER_SETTINGS").is_object()) {
    const Json& more = json.at("ACTION_TRIGGER_SETTINGS");
    if (more.contains("MAX_BROKER_TIMEOUT")) settings.max_broker_timeout = more.at("MAX_BROKER_TIMEOUT");
  }
  return settings;
}

ExitCode write(const std::string& text, const std::string& out) {
  if (out.empty()) {
    std::cout << text;
    return ExitCode::success;
  }
  errno = 0;
  std::ofstream file(out, std::ios::binary);
  file << text;
  file.close();
  if (file) return ExitCode::success;
  std::cerr << out << ": cannot be written: " << std::generic_category().message(errno) << '\n';
  return ExitCode::failure;
}

}  // namespace

ExitCode import_dat(const ImportDatOptions& options) {
  ExitCode exit_code = ExitCode::success;
  const std::optional<Json> dump = read_json(options.file, exit_code);
  if (!dump) return exit_code;
  DatSettings settings;
  std::string read = options.settings;
  try {
    if (!options.settings.empty()) {
      const std::optional<Json> json = read_json(options.settings, exit_code);
      if (!json) return exit_code;
      settings = settings_of(*json);
    }
    read = options.file;
    const std::vector<DatConfig> configs = read_dat_dump(*dump);
    if (configs.empty()) throw std::invalid_argument("There is no 'action_triggers.config' in it.");
    return write(Import(settings, configs).text(name_of(options.file)), options.out);
  } catch (const std::exception& error) {
    std::cerr << name_of(read) << ": " << detail::printable(error.what()) << '\n';
    return ExitCode::failure;
  }
}

}  // namespace action_triggers::cli
