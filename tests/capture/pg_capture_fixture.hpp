// SPDX-License-Identifier: MIT
/// Captures in a schema of their own of a real PostgreSQL, beside their outbox.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "capture/capture_work.hpp"
#include "capture/captured_events.hpp"
#include "databases/postgresql/pg_capture.hpp"
#include "databases/postgresql/server.hpp"

namespace action_triggers::tests {

class PgCaptureTest : public PgOutboxTest {
 protected:
  PgCaptureTest() {
    PgOutboxTest::install();
    sql("SET search_path = " + config.schema);
  }

  detail::CaptureConfig captures(const std::string& section) const {
    return captures_of(R"({"type": "postgresql", "conninfo": "x", "schema": ")" + config.schema + "\"}", section);
  }
  std::vector<std::string> install(const std::string& section) {
    const detail::CaptureConfig all = captures(section);
    const auto database = detail::open_pg_capture(config);
    return detail::CaptureWork(all, config, *database).install();
  }
  std::vector<std::string> uninstall(const std::string& section) {
    const detail::CaptureConfig all = captures(section);
    const auto database = detail::open_pg_capture(config);
    return detail::CaptureWork(all, config, *database).uninstall();
  }
  Lines check(const std::string& section) {
    const detail::CaptureConfig all = captures(section);
    const auto database = detail::open_pg_capture(config);
    Lines lines;
    for (const detail::CaptureFinding& finding : detail::CaptureWork(all, config, *database).check()) {
      for (const std::string& problem : finding.problems) lines.push_back(finding.capture + ": " + problem);
    }
    return lines;
  }

  /// What is in the outbox, which is empty afterwards.
  Lines events() {
    const std::string from = " FROM " + outbox() + " ORDER BY id";
    const auto targets = sql.rows("SELECT target" + from);
    const auto keys = sql.rows("SELECT coalesce(convert_from(key, 'UTF8'), '-')" + from);
    const auto bodies = sql.rows("SELECT convert_from(body, 'UTF8')" + from);
    EXPECT_EQ(sql("SELECT count(*) FROM " + outbox() + " WHERE content_type IS DISTINCT FROM 'application/json'"), "0");
    Lines lines;
    for (std::size_t i = 0; i < targets.size(); ++i) lines.push_back(line_of(targets[i], keys[i], bodies[i]));
    sql("DELETE FROM " + outbox());
    return lines;
  }
  /// The first event's payload as it is written.
  std::string body() {
    std::string text = sql("SELECT convert_from(body, 'UTF8') FROM " + outbox() + " ORDER BY id LIMIT 1");
    sql("DELETE FROM " + outbox());
    return text;
  }
  /// The server's words.
  std::string error_of(const std::string& statement) {
    try {
      sql(statement);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "none";
  }
};

}  // namespace action_triggers::tests
