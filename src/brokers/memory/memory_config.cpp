// SPDX-License-Identifier: MIT
#include "action_triggers/memory.hpp"
#include "brokers/memory/memory_type.hpp"
#include "config/cloudevents_fields.hpp"
#include "config/field_table.hpp"

namespace action_triggers::detail {
namespace {

const FieldTable<MemoryConfig>& fields() {
  static const FieldTable<MemoryConfig> table{
      text_field<MemoryConfig>(in_conn_details, "server", &MemoryConfig::server, "default",
                               "Which in-process broker; InMemoryBroker::named() gives access to it."),
  };
  return table;
}

}  // namespace

std::vector<const FieldInfo*> memory_fields() {
  std::vector<const FieldInfo*> all = infos(fields());
  for (const FieldInfo* field : cloudevents_fields()) all.push_back(field);
  return all;
}

std::unique_ptr<BrokerConfig> parse_memory(BrokerSection& section) {
  auto config = std::make_unique<MemoryConfig>();
  read_fields(fields(), section, *config);
  read_cloudevents(section.params, "ce_", "", *config);  // as Kafka has it
  config->connection_key = config->server;
  return config;
}

}  // namespace action_triggers::detail
