// SPDX-License-Identifier: MIT
// The entries of `capture`: each key by itself in capture_fields.cpp, and here what they together must be like.
#include "capture/capture_section.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "capture/capture_config.hpp"
#include "capture/capture_fields.hpp"
#include "config/json_text.hpp"
#include "config/section_reader.hpp"
#include "outbox/outbox_config.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::size_t longest_capture_name = 32;  // with what SQL triggers need beside it: 63, which is PostgreSQL's

/// As databases compare names that nobody quotes: what differs in case only would be taken for the same.
bool is_same_table(const TableName& a, const TableName& b, OutboxType type) {
  if (type == OutboxType::sqlite) return ascii_lower(a.name) == ascii_lower(b.name);
  return a == b;
}

class EntryReader {
 public:
  EntryReader(ConfigSection& section, const OutboxConfig& outbox, TableCapture& capture)
      : section_(section), outbox_(outbox), capture_(capture) {}

  void read() {
    for (const CaptureField& field : capture_field_table()) {
      if (!section_.has(field.key)) {
        if (field.required) section_.missing(field.key);
      } else if (field.is_of_postgresql && outbox_.type != OutboxType::postgresql) {
        section_.problem(field.key, "The field " + in_quotes(field.key) + " goes with an outbox in PostgreSQL only.");
      } else {
        field.read(section_, field.key, capture_);
      }
    }
    if (section_.has("table")) check_table();
    check_together();
  }

 private:
  void check_table() {
    if (outbox_.type == OutboxType::sqlite) {
      if (!capture_.table.schema.empty() && ascii_lower(capture_.table.schema) != "main") {
        section_.problem("table", "The field 'table' must be a table of the outbox's own file.",
                         "SQL triggers of SQLite reach no other.");
      }
      capture_.table.schema.clear();
    } else if (capture_.table.schema.empty()) {
      capture_.table.schema = outbox_.schema;
    }
    for (const std::string& name : {outbox_.table, outbox_.shards_table, outbox_.dead_letters_table}) {
      const std::string schema = outbox_.type == OutboxType::sqlite ? "" : outbox_.schema;
      if (!is_same_table(capture_.table, {schema, name}, outbox_.type)) continue;
      section_.problem("table",
                       "The field 'table' must not be one of the outbox's own: every event would make another.");
    }
  }

  void check_together() {
    if (!capture_.columns.empty() && !capture_.exclude.empty()) {
      section_.problem("exclude", "The field 'exclude' does not go with 'columns', which says what is left out.");
    }
    const bool is_by_statement = capture_.level == CaptureLevel::statement;
    if (is_by_statement && section_.has("when")) {
      section_.problem("when", R"(The field 'when' does not go with "level": "statement".)",
                       "A trigger of a statement sees no pairs of rows.");
    }
    if (section_.has("oversize") && !section_.has("max_bytes")) {
      section_.problem("oversize", "The field 'oversize' goes with 'max_bytes' only.");
    }
  }

  ConfigSection& section_;
  const OutboxConfig& outbox_;
  TableCapture& capture_;
};

bool is_good_name(const std::string& name) {
  return !name.empty() && name.size() <= longest_capture_name && !is_digit(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_digit(c) || is_letter(c); });
}

/// A change that two of them capture is two events: most likely one entry too many.
void warn_of_doubles(ConfigSection& section, const CaptureConfig& config, OutboxType type) {
  for (std::size_t i = 0; i < config.tables.size(); ++i) {
    const TableCapture& one = config.tables[i];
    for (std::size_t j = 0; j < i; ++j) {
      const TableCapture& other = config.tables[j];
      const bool share_an_op = std::any_of(one.ops.begin(), one.ops.end(), [&](CaptureOp op) { return other.has(op); });
      if (one.table.name.empty() || !share_an_op || !is_same_table(one.table, other.table, type)) continue;
      section.warning(one.name, "The table of " + in_quotes(one.name) + " is also that of " + in_quotes(other.name) +
                                    ": a change that both capture is two events.");
    }
  }
}

void read_entries(LoadContext& context, ConfigSection& section) {
  const OutboxConfig* const outbox = context.config.section<OutboxConfig>();
  if (outbox == nullptr) {
    section.problem("", "'capture' needs an 'outbox' section.", "It says where the events are written.");
    for (const std::string& name : section.keys()) static_cast<void>(section.has(name));  // not said to be unknown
    return;
  }
  auto config = std::make_shared<CaptureConfig>();
  for (const std::string& name : section.keys()) {
    if (context.findings.full()) return;
    ConfigSection entry = section.object(name);
    if (!SectionReader::of(section).find(name)->is(Node::Kind::object)) continue;  // which is said
    if (!is_good_name(name)) {
      section.problem(
          name,
          "The name of a capture must be letters, digits and underscores, at most 32, and not begin with a digit.");
    }
    TableCapture& capture = config->tables.emplace_back();
    capture.name = name;
    capture.event = name + ".{op}";
    EntryReader(entry, *outbox, capture).read();
  }
  warn_of_doubles(section, *config, outbox->type);
  context.config.set_section<CaptureConfig>(std::move(config));
}

}  // namespace

void read_capture(LoadContext& context, Member& member, const std::string& pointer) {
  context.read_section(member, pointer, [&](ConfigSection& section) { read_entries(context, section); });
}

RootSection capture_section() {
  return {.key = "capture",
          .aliases = {},
          .order = 3,  // after the outbox
          .missing = {},
          .description = "The tables of which every change becomes an event: each under a name of its own.",
          .names = "^[A-Za-z_][A-Za-z0-9_]{0,31}$",
          .fields = capture_fields,
          .read = read_capture};
}

}  // namespace action_triggers::detail
