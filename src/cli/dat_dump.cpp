// SPDX-License-Identifier: MIT
#include "cli/dat_dump.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

namespace action_triggers::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& fields, const char* key) {
  const auto found = fields.find(key);
  return found == fields.end() || !found->is_string() ? std::string() : found->get<std::string>();
}

Json object_of(const Json& fields, const char* key) {
  const auto found = fields.find(key);
  return found == fields.end() || !found->is_object() ? Json::object() : *found;
}

/// Without what may be a secret in it.
std::string shown_url(const std::string& url) {
  const std::string path = url.substr(0, url.find('?'));
  return path.find('@') == std::string::npos ? path : "***";
}

/// Reads the rows, which may stand in any order.
class DumpReader {
 public:
  explicit DumpReader(const Json& dump) {
    if (!dump.is_array()) throw std::invalid_argument("A dump of Django is a list of objects.");
    for (const Json& row : dump) {
      if (!row.is_object() || !row.contains("model") || !row.at("model").is_string() || !row.contains("fields") ||
          !row.at("fields").is_object()) {
        throw std::invalid_argument("An element of Django's dump has 'model' and 'fields'.");
      }
      rows_[row.at("model").get<std::string>()].push_back(&row);
    }
  }

  std::vector<DatConfig> read() {
    for (const Json* const row : rows_["contenttypes.contenttype"]) {
      const Json& fields = row->at("fields");
      models_[pk_of(*row)] = text_of(fields, "app_label") + "." + text_of(fields, "model");
    }
    for (const Json* const row : rows_["action_triggers.config"]) add_config(*row);
    for (const Json* const row : rows_["action_triggers.configsignal"]) {
      if (DatConfig* const config = config_of(*row)) config->signals.push_back(text_of(row->at("fields"), "signal"));
    }
    for (const Json* const row : rows_["action_triggers.messagebrokerqueue"]) add_queue(*row);
    for (const Json* const row : rows_["action_triggers.webhook"]) {
      const Json& fields = row->at("fields");
      if (DatConfig* const config = config_of(*row)) {
        config->others.push_back("the webhook " + text_of(fields, "http_method") + " " +
                                 shown_url(text_of(fields, "url")));
      }
    }
    for (const Json* const row : rows_["action_triggers.action"]) {
      if (DatConfig* const config = config_of(*row)) {
        config->others.push_back("the action '" + text_of(row->at("fields"), "name") + "'");
      }
    }
    return std::move(configs_);
  }

 private:
  static std::string pk_of(const Json& row) {
    const auto pk = row.find("pk");
    return pk == row.end() ? std::string() : id_of(*pk);
  }
  /// A key as it stands in a dump: a number, a text, or with --natural-foreign a list.
  static std::string id_of(const Json& key) { return key.is_string() ? key.get<std::string>() : key.dump(); }

  void add_config(const Json& row) {
    const Json& fields = row.at("fields");
    DatConfig config;
    config.pk = pk_of(row);
    config.payload = fields.contains("payload") ? fields.at("payload") : Json();
    config.active = fields.value("active", true);
    config.created_on = text_of(fields, "created_on");
    if (const auto types = fields.find("content_types"); types != fields.end() && types->is_array()) {
      for (const Json& type : *types) add_model(type, config);
    }
    configs_.push_back(std::move(config));
  }

  void add_model(const Json& type, DatConfig& config) {
    const auto found = models_.find(id_of(type));
    if (found != models_.end()) {
      config.models.push_back(found->second);
    } else if (type.is_array() && type.size() == 2 && type[0].is_string() && type[1].is_string()) {
      config.models.push_back(type[0].get<std::string>() + "." + type[1].get<std::string>());
    } else {
      config.lost.push_back("which model content type " + id_of(type) +
                            " is; dump `contenttypes` too, or with --natural-foreign");
    }
  }

  void add_queue(const Json& row) {
    DatConfig* const config = config_of(row);
    if (config == nullptr) return;
    const Json& fields = row.at("fields");
    DatQueue queue{.name = text_of(fields, "name"),
                   .conn_details = object_of(fields, "conn_details"),
                   .params = object_of(fields, "parameters"),
                   .timeout_secs = std::nullopt};
    const auto timeout = fields.find("timeout_secs");
    if (timeout != fields.end() && timeout->is_number()) queue.timeout_secs = timeout->get<double>();
    config->queues.push_back(std::move(queue));
  }

  /// nullptr: the dump does not have it.
  DatConfig* config_of(const Json& row) {
    const auto key = row.at("fields").find("config");
    const std::string pk = key == row.at("fields").end() ? std::string() : id_of(*key);
    const auto found = std::find_if(configs_.begin(), configs_.end(), [&](const DatConfig& c) { return c.pk == pk; });
    return found == configs_.end() ? nullptr : &*found;
  }

  std::map<std::string, std::vector<const Json*>> rows_;  // by model
  std::map<std::string, std::string> models_;             // by the key of their content type
  std::vector<DatConfig> configs_;
};

}  // namespace

std::vector<DatConfig> read_dat_dump(const nlohmann::ordered_json& dump) { return DumpReader(dump).read(); }

}  // namespace action_triggers::cli
