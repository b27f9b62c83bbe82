// SPDX-License-Identifier: MIT
/// Values on their way to PostgreSQL and back, in its binary format: nothing has to be escaped, and bytes stay bytes.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outbox/outbox_row.hpp"

namespace action_triggers::detail {

enum class PgType : Oid { boolean = 16, bytes = 17, int64 = 20, int32 = 23, text = 25, json = 114, time = 1184 };

/// The parameters of one statement, $1 and on. Texts and bytes that are added one by one are not copied: they must live
/// until the statement is executed.
class PgParams {
 public:
  PgParams& add(std::int32_t value);
  PgParams& add(std::int64_t value);
  PgParams& add(std::string_view value, PgType type = PgType::text);
  PgParams& add(const std::string& value, PgType type = PgType::text) { return add(std::string_view(value), type); }
  PgParams& add(const std::optional<std::string>& value, PgType type = PgType::text);
  PgParams& add(const std::optional<std::int64_t>& value);
  PgParams& add(RowTime value);                          // the greatest is 'infinity', the least '-infinity'
  PgParams& add(const std::string* value, PgType type);  // a null pointer is NULL

  void reserve(std::size_t parameters);

  PgParams& add_array(std::span<const std::int64_t> values);
  PgParams& add_null_array(PgType type);
  /// Null pointers are NULLs.
  PgParams& add_array(const std::vector<const std::string*>& values, PgType type = PgType::text);

  [[nodiscard]] int size() const noexcept { return static_cast<int>(values_.size()); }
  [[nodiscard]] const Oid* types() const noexcept { return types_.data(); }
  [[nodiscard]] const char* const* values() const noexcept { return values_.data(); }
  [[nodiscard]] const int* lengths() const noexcept { return lengths_.data(); }
  [[nodiscard]] const int* formats() const noexcept { return formats_.data(); }

 private:
  PgParams& point_to(Oid type, const char* data, std::size_t size);
  PgParams& keep(Oid type, std::string bytes);

  std::vector<Oid> types_;
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
  std::deque<std::string> kept_;
};

/// What a statement gave, in binary.
class PgResult {
 public:
  explicit PgResult(PGresult* result) : result_(result, PQclear) {}

  [[nodiscard]] int rows() const { return PQntuples(result_.get()); }
  /// How many rows a statement has changed.
  [[nodiscard]] std::uint64_t changed() const;

  [[nodiscard]] bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) == 1; }
  [[nodiscard]] bool boolean(int row, int column) const;
  [[nodiscard]] std::int32_t int32(int row, int column) const;
  [[nodiscard]] std::int64_t int64(int row, int column) const;
  [[nodiscard]] std::uint64_t uint64(int row, int column) const;
  [[nodiscard]] std::string text(int row, int column) const;  // bytes, too; of NULL: empty
  [[nodiscard]] std::optional<std::string> optional_text(int row, int column) const;
  [[nodiscard]] std::optional<std::int64_t> optional_int64(int row, int column) const;
  [[nodiscard]] RowTime time(int row, int column) const;

  [[nodiscard]] PGresult* get() const noexcept { return result_.get(); }

 private:
  std::unique_ptr<PGresult, void (*)(PGresult*)> result_;
};

/// Asks the server what it knows of a transaction, an xid8: pg_xact_status(). Look at the result's status.
PgResult pg_transaction_status(PGconn* connection, const std::string& transaction_id);

}  // namespace action_triggers::detail
