// SPDX-License-Identifier: MIT
/// The database that a program of fault tests is about. Each such program has one file that says which it is.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace action_triggers::tests {

class DatabaseUnderTest {
 public:
  virtual ~DatabaseUnderTest() = default;

  /// As outbox_process takes it.
  [[nodiscard]] virtual std::string type() const = 0;
  /// Where an application finds it: what its driver takes.
  [[nodiscard]] virtual std::string place() const = 0;
  /// The members of the configuration's section that say where it is.
  [[nodiscard]] virtual std::string outbox_section() const = 0;
  /// For CREATE TABLE: a column that numbers the rows by itself.
  [[nodiscard]] virtual std::string numbered() const = 0;
  /// For SELECT: the text of a column of bytes.
  [[nodiscard]] virtual std::string text_of(const std::string& column) const = 0;

  /// Runs SQL; what a query finds, columns with | between them. Throws std::runtime_error.
  virtual std::vector<std::string> rows(const std::string& sql) = 0;

  /// Waits until nothing is under way any more that processes which were killed have begun.
  virtual void settle() = 0;
};

/// A new one, empty, which goes with its object. `variant`: one of variants().
std::unique_ptr<DatabaseUnderTest> make_database(const std::string& variant);
std::vector<std::string> variants();
/// For the reliability table.
std::string title_of(const std::string& variant);

}  // namespace action_triggers::tests
