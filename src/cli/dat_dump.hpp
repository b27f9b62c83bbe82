// SPDX-License-Identifier: MIT
/// The triggers that django-action-triggers keeps in its database, as Django's `dumpdata` writes them.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace action_triggers::cli {

/// A message_broker_queues row: a destination of a trigger.
struct DatQueue {
  std::string name;  // in settings.ACTION_TRIGGERS["brokers"]
  nlohmann::ordered_json conn_details;
  nlohmann::ordered_json params;
  std::optional<double> timeout_secs;
};

/// A Config row, with what refers to it.
struct DatConfig {
  std::string pk;
  nlohmann::ordered_json payload;
  bool active = true;
  std::string created_on;
  std::vector<std::string> models;   // "shop.order"
  std::vector<std::string> signals;  // "post_save"
  std::vector<DatQueue> queues;
  std::vector<std::string> others;  // webhooks and actions, as people call them
  std::vector<std::string> lost;    // what the dump says of it and does not explain
};

/// In the order of the dump. Throws std::invalid_argument, with a sentence, if it is no such dump.
std::vector<DatConfig> read_dat_dump(const nlohmann::ordered_json& dump);

}  // namespace action_triggers::cli
