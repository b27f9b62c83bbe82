// SPDX-License-Identifier: MIT
// The keys of `outbox`, and what two of them together must be like.
#include "outbox/outbox_section.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "config/field_table.hpp"
#include "config/json_text.hpp"
#include "config/section_reader.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::string_view in_outbox = "outbox";
constexpr std::int64_t longest_poll_ms = 60'000;
constexpr std::size_t longest_name = 63;  // PostgreSQL cuts longer ones off

struct TypeName {
  OutboxType type;
  const char* name;     // in the file
  const char* library;  // for people
  const char* package;
  const char* option;
};
constexpr std::array type_names{
    TypeName{OutboxType::postgresql, "postgresql", "PostgreSQL", "libpq", "ACTION_TRIGGERS_WITH_POSTGRESQL"},
    TypeName{OutboxType::sqlite, "sqlite", "SQLite", "libsqlite3", "ACTION_TRIGGERS_WITH_SQLITE"}};

const TypeName& name_of(OutboxType type) {
  return *std::find_if(type_names.begin(), type_names.end(), [&](const TypeName& one) { return one.type == type; });
}

std::string quoted_key(std::string_view key) { return "The field '" + std::string(key) + "' "; }

// ------------------------------------------------------------------------------------------------------- single fields

void read_table(ConfigSection& from, std::string_view key, std::string OutboxConfig::*member, OutboxConfig& config) {
  auto name = from.string(key);
  if (!name) return;
  const bool is_plain = !is_digit(name->front()) &&
                        std::all_of(name->begin(), name->end(), [](char c) { return is_digit(c) || is_letter(c); });
  if (!is_plain) {
    from.problem(key, quoted_key(key) + "must be letters, digits and underscores, and not begin with a digit.",
                 name->find('.') == std::string::npos ? "" : "A schema has a field of its own, 'schema'.");
  } else if (name->size() > longest_name) {
    from.problem(key, quoted_key(key) + "must have at most 63 characters.");
  } else {
    config.*member = std::move(*name);
  }
}

Field<OutboxConfig> table_field(std::string key, std::string OutboxConfig::*member, std::string description) {
  return custom_field<OutboxConfig>(in_outbox, std::move(key), "str", "", OutboxConfig().*member,
                                    std::move(description),
                                    [member](ConfigSection& from, std::string_view name, OutboxConfig& config) {
                                      read_table(from, name, member, config);
                                    });
}

std::optional<std::int64_t> milliseconds_of(const Node& node) {
  std::optional<std::int64_t> number;
  if (node.is(Node::Kind::integer)) number = node.integer;
  if (node.is(Node::Kind::string)) number = parse_number<std::int64_t>(node.string);
  return number && *number >= 1 && *number <= longest_poll_ms ? number : std::nullopt;
}

void read_poll(ConfigSection& from, std::string_view key, OutboxConfig& config) {
  const Node& value = *SectionReader::of(from).find(key);
  std::optional<std::int64_t> min;
  std::optional<std::int64_t> max;
  if (value.is(Node::Kind::array) && value.items.size() == 2) {
    min = milliseconds_of(value.items[0]);
    max = milliseconds_of(value.items[1]);
  }
  if (!min || !max || *min > *max) {
    from.problem(key, quoted_key(key) +
                          "must be a list of two integers, the shortest and the longest pause, from 1 to " +
                          std::to_string(longest_poll_ms) + ", such as [20, 1000].");
    return;
  }
  config.poll_min = std::chrono::milliseconds(*min);
  config.poll_max = std::chrono::milliseconds(*max);
}

void read_lease(ConfigSection& from, std::string_view key, OutboxConfig& config) {
  if (const auto seconds = from.integer(key, 1, 3600)) config.lease = std::chrono::seconds(*seconds);
}

// ---------------------------------------------------------------------------------------------------------- the table

/// A key that only one type of database has says so; `type` itself is read before.
struct OutboxField : Field<OutboxConfig> {
  std::optional<OutboxType> only_of{};
};

OutboxField only(OutboxType type, Field<OutboxConfig> field) {
  field.description += std::string(" Only ") + name_of(type).library + ".";
  return {std::move(field), type};
}

FieldInfo type_info() {
  return {.section = in_outbox,
          .key = "type",
          .aliases = {},
          .type = "str",
          .default_value = {},
          .description = "The database that the application writes to.",
          .required = true,
          .values = "`postgresql` or `sqlite`"};
}

std::string number_text(std::int64_t number) { return std::to_string(number); }

std::vector<OutboxField> make_database_fields() {
  constexpr OutboxType postgresql = OutboxType::postgresql;
  std::vector<OutboxField> fields;
  fields.push_back(only(
      postgresql, secret_field<OutboxConfig>(in_outbox, "conninfo", &OutboxConfig::conninfo, "",
                                             "Where the database is: a connection string or URI of libpq. Required.")));
  fields.push_back(only(postgresql, text_field<OutboxConfig>(in_outbox, "schema", &OutboxConfig::schema,
                                                             OutboxConfig().schema, "The schema of the tables.")));
  fields.push_back(only(OutboxType::sqlite, text_field<OutboxConfig>(in_outbox, "path", &OutboxConfig::path, "",
                                                                     "The application's database file. Required.")));
  fields.push_back({table_field("table", &OutboxConfig::table, "The table of the outbox."), {}});
  fields.push_back(
      {table_field("shards_table", &OutboxConfig::shards_table, "The table that says which relay sends what."), {}});
  fields.push_back({table_field("dead_letters_table", &OutboxConfig::dead_letters_table,
                                "The table of the messages that were given up."),
                    {}});
  fields.push_back(only(
      postgresql, integer_field<OutboxConfig>(in_outbox, "shards", &OutboxConfig::shards, 1, 1024,
                                              number_text(OutboxConfig().shards),
                                              "So many relays share the work; each shard keeps an order of its own.")));
  return fields;
}

std::vector<OutboxField> make_relay_fields() {
  const OutboxConfig defaults;
  std::vector<OutboxField> fields;
  fields.push_back({flag_field<OutboxConfig>(in_outbox, "relay", &OutboxConfig::relay, "true",
                                             "false: this process only writes, and a relay elsewhere sends."),
                    {}});
  fields.push_back(
      {custom_field<OutboxConfig>(
           in_outbox, "lease_secs", "int", "1 to 3600", number_text(defaults.lease.count()),
           "How long the shards of a relay that has died wait for another one. The same in all processes.", read_lease),
       {}});
  fields.push_back({integer_field<OutboxConfig>(in_outbox, "batch", &OutboxConfig::batch, 1, 100'000,
                                                number_text(static_cast<std::int64_t>(defaults.batch)),
                                                "How many rows are read at once."),
                    {}});
  fields.push_back(
      {custom_field<OutboxConfig>(
           in_outbox, "poll_ms", "list of 2 int", "1 to " + number_text(longest_poll_ms),
           "[" + number_text(defaults.poll_min.count()) + ", " + number_text(defaults.poll_max.count()) + "]",
           "The shortest and the longest pause between two looks at a table that others write to.", read_poll),
       {}});
  fields.push_back(
      only(OutboxType::postgresql,
           choice_field<OutboxConfig>(in_outbox, "notify", &OutboxConfig::notify,
                                      {{"off", OutboxNotify::off}, {"after_commit", OutboxNotify::after_commit}},
                                      "after_commit: who has committed tells the relays of other processes.")));
  fields.push_back({integer_field<OutboxConfig>(in_outbox, "max_attempts", &OutboxConfig::max_attempts, 0, 65'535,
                                                number_text(defaults.max_attempts),
                                                "So many failed attempts make a message a dead letter; 0: no limit."),
                    {}});
  return fields;
}

const std::vector<OutboxField>& all_fields() {
  static const std::vector<OutboxField> fields = [] {
    std::vector<OutboxField> all = make_database_fields();
    for (OutboxField& field : make_relay_fields()) all.push_back(std::move(field));
    return all;
  }();
  return fields;
}

// ------------------------------------------------------------------------------------------------------------- reading

/// Nothing: it is missing or wrong, which is said.
std::optional<OutboxType> read_type(ConfigSection& section) {
  if (!section.has("type")) section.missing("type", "It is 'postgresql' or 'sqlite'.");
  const auto text = read_choice(section, "type", {type_names[0].name, type_names[1].name});
  if (!text) return std::nullopt;
  return *text == type_names[0].name ? type_names[0].type : type_names[1].type;
}

void check_is_built(LoadContext& context, ConfigSection& section, OutboxType type, const BuiltDatabases& built) {
  if (type == OutboxType::postgresql ? built.postgresql : built.sqlite) return;
  const TypeName& name = name_of(type);
  const std::string text = std::string("This build has no outbox in ") + name.library + ".";
  const std::string hint = std::string("Build with -D") + name.option + "=ON, which needs " + name.package + ".";
  if (context.options.allow_unknown) return section.warning("type", text + " " + hint);
  section.problem("type", text, hint);
}

void check_together(ConfigSection& section, const OutboxConfig& config) {
  const bool is_postgresql = config.type == OutboxType::postgresql;
  const char* const where = is_postgresql ? "conninfo" : "path";
  if (!section.has(where)) section.missing(where);
  // An application that writes to one of them would write to the other's.
  const auto check_differs = [&](const char* key, const std::string& name, const char* other, const std::string& its) {
    if (name == its) section.problem(key, quoted_key(key) + "must not be the same table as '" + other + "'.");
  };
  check_differs("shards_table", config.shards_table, "table", config.table);
  check_differs("dead_letters_table", config.dead_letters_table, "table", config.table);
  check_differs("dead_letters_table", config.dead_letters_table, "shards_table", config.shards_table);
  if (config.schema.size() > longest_name)
    section.problem("schema", "The field 'schema' must have at most 63 characters.");
}

void read_section(LoadContext& context, ConfigSection& section, const BuiltDatabases& built) {
  auto config = std::make_shared<OutboxConfig>();
  const std::optional<OutboxType> type = read_type(section);
  if (type) {
    config->type = *type;
    check_is_built(context, section, *type, built);
  }
  for (const OutboxField& field : all_fields()) {
    if (!section.has(field.key)) continue;
    if (type && field.only_of && *field.only_of != *type) {
      section.problem(field.key,
                      quoted_key(field.key) + "goes with \"type\": \"" + name_of(*field.only_of).name + "\" only.");
      continue;
    }
    field.read(section, field.key, *config);
  }
  if (type) check_together(section, *config);
  context.config.set_section<OutboxConfig>(std::move(config));
}

}  // namespace

BuiltDatabases built_databases() noexcept {
  BuiltDatabases built;
#ifdef ACTION_TRIGGERS_WITH_POSTGRESQL
  built.postgresql = true;
#endif
#ifdef ACTION_TRIGGERS_WITH_SQLITE
  built.sqlite = true;
#endif
  return built;
}

void read_outbox(LoadContext& context, Member& member, const std::string& pointer, const BuiltDatabases& built) {
  context.read_section(member, pointer, [&](ConfigSection& section) { read_section(context, section, built); });
}

RootSection outbox_section() {
  return {
      .key = "outbox",
      .aliases = {},
      .order = 0,
      .missing = {},
      .description = "The tables of the application's own database that messages are written to before they are sent.",
      .fields = outbox_fields,
      .read = [](LoadContext& context, Member& member, const std::string& pointer) {
        read_outbox(context, member, pointer, built_databases());
      }};
}

std::vector<const FieldInfo*> outbox_fields() {
  static const FieldInfo type = type_info();
  std::vector<const FieldInfo*> fields{&type};
  for (const OutboxField& field : all_fields()) fields.push_back(&field);
  return fields;
}

}  // namespace action_triggers::detail
