// SPDX-License-Identifier: MIT
// docs/configuration.md and docs/triggers.md have the tables that the loader reads by. After a change:
//     ACTION_TRIGGERS_UPDATE_DOCS=1 action_triggers_unit_tests --gtest_filter='ReferencePage*'
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/status.hpp"
#include "capture/capture_section.hpp"
#include "config/field_table.hpp"
#include "outbox/outbox_section.hpp"
#include "triggers/trigger_fields.hpp"

namespace action_triggers::detail {
namespace {

const std::string docs = ACTION_TRIGGERS_SOURCE_DIR "/docs/";

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void check_table(const std::string& file, const std::string& name, const std::vector<const FieldInfo*>& fields) {
  const std::string path = docs + file;
  std::string page = read(path);
  const std::string begin_mark = "<!-- table " + name + " -->\n";
  const std::size_t begin = page.find(begin_mark);
  const std::size_t end = page.find("<!-- end -->", begin);
  ASSERT_NE(end, std::string::npos) << path << " has no table " << name;
  const std::size_t from = begin + begin_mark.size();
  const std::string expected = reference_table(fields);
  if (std::getenv("ACTION_TRIGGERS_UPDATE_DOCS") != nullptr) {
    page.replace(from, end - from, expected);
    std::ofstream(path, std::ios::binary) << page;
    return;
  }
  EXPECT_EQ(page.substr(from, end - from), expected);
}

std::vector<const FieldInfo*> pointers_to(const std::vector<FieldInfo>& fields) {
  std::vector<const FieldInfo*> pointers;
  for (const FieldInfo& field : fields) pointers.push_back(&field);
  return pointers;
}

TEST(ReferencePageTest, HasTheLoadersTables) {
  check_table("configuration.md", "common", common_fields());
  const BrokerRegistry registry = BrokerRegistry::builtin();
  for (const std::string& type : registry.types()) {
    std::vector<const FieldInfo*> fields = registry.find(type)->fields();
    const auto declared = std::stable_partition(
        fields.begin(), fields.end(), [](const FieldInfo* field) { return !field->key.starts_with("declare."); });
    if (declared != fields.end()) check_table("configuration.md", "declare", {declared, fields.end()});
    fields.erase(declared, fields.end());
    check_table("configuration.md", type, fields);
  }
  check_table("configuration.md", "outbox", outbox_fields());
  check_table("capture.md", "capture", capture_fields());
  check_table("triggers.md", "trigger", pointers_to(trigger_fields()));
  check_table("triggers.md", "target", pointers_to(target_fields()));
}

TEST(ReferencePageTest, EveryStatusIsExplained) {
  const std::string page = read(docs + "delivery.md");
  for (std::size_t code = 0; code < status_code_count; ++code) {
    const std::string row = "\n| `" + std::string(to_string(static_cast<StatusCode>(code))) + "` |";
    EXPECT_THAT(page, ::testing::HasSubstr(row));
  }
}

}  // namespace
}  // namespace action_triggers::detail
