// SPDX-License-Identifier: MIT
#include "databases/postgresql/pg_values.hpp"

#include <charconv>
#include <limits>
#include <type_traits>
#include <utility>

#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {
namespace {

constexpr int binary = 1;

/// PostgreSQL counts from 2000-01-01.
constexpr std::chrono::seconds epoch_of_postgresql{946'684'800};

template <class Integer>
void append(std::string& bytes, Integer value) {
  auto rest = static_cast<std::make_unsigned_t<Integer>>(value);
  for (std::size_t shift = sizeof(Integer) * 8; shift > 0;) {
    shift -= 8;
    bytes += static_cast<char>(static_cast<unsigned char>(rest >> shift));
  }
}

template <class Integer>
Integer integer_from(const char* bytes) {
  std::make_unsigned_t<Integer> value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    value = static_cast<std::make_unsigned_t<Integer>>((value << 8) | static_cast<unsigned char>(bytes[i]));
  }
  return static_cast<Integer>(value);
}

Oid array_of(PgType type) {
  switch (type) {
    case PgType::boolean:
      return 1000;
    case PgType::bytes:
      return 1001;
    case PgType::int64:
      return 1016;
    case PgType::int32:
      return 1007;
    case PgType::text:
      return 1009;
    case PgType::json:
      return 199;
    case PgType::time:
      return 1185;
  }
  return 0;
}

/// What an array begins with.
std::string array_header(PgType type, std::size_t count) {
  std::string bytes;
  append<std::int32_t>(bytes, count == 0 ? 0 : 1);  // dimensions
  append<std::int32_t>(bytes, 0);
  append<std::uint32_t>(bytes, static_cast<std::uint32_t>(type));
  if (count > 0) {
    append(bytes, static_cast<std::int32_t>(count));
    append<std::int32_t>(bytes, 1);  // of the first element
  }
  return bytes;
}

}  // namespace

PgParams& PgParams::point_to(Oid type, const char* data, std::size_t size) {
  if (size > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw StoreError("a value of " + std::to_string(size) + " bytes is more than PostgreSQL takes (1 GiB)");
  }
  types_.push_back(type);
  values_.push_back(data);
  lengths_.push_back(static_cast<int>(size));
  formats_.push_back(binary);
  return *this;
}

PgParams& PgParams::keep(Oid type, std::string bytes) {
  const std::string& kept = kept_.emplace_back(std::move(bytes));
  return point_to(type, kept.data(), kept.size());
}

void PgParams::reserve(std::size_t parameters) {
  types_.reserve(parameters);
  values_.reserve(parameters);
  lengths_.reserve(parameters);
  formats_.reserve(parameters);
}

PgParams& PgParams::add(std::int32_t value) {
  std::string bytes;
  append(bytes, value);
  return keep(static_cast<Oid>(PgType::int32), std::move(bytes));
}

PgParams& PgParams::add(std::int64_t value) {
  std::string bytes;
  append(bytes, value);
  return keep(static_cast<Oid>(PgType::int64), std::move(bytes));
}

PgParams& PgParams::add(std::string_view value, PgType type) {
  // A null pointer would be NULL.
  return point_to(static_cast<Oid>(type), value.empty() ? "" : value.data(), value.size());
}

PgParams& PgParams::add(const std::optional<std::string>& value, PgType type) {
  if (value) return add(std::string_view(*value), type);
  return point_to(static_cast<Oid>(type), nullptr, 0);
}

PgParams& PgParams::add(const std::string* value, PgType type) {
  if (value != nullptr) return add(std::string_view(*value), type);
  return point_to(static_cast<Oid>(type), nullptr, 0);
}

PgParams& PgParams::add(const std::optional<std::int64_t>& value) {
  if (value) return add(*value);
  return point_to(static_cast<Oid>(PgType::int64), nullptr, 0);
}

PgParams& PgParams::add(RowTime value) {
  std::int64_t since_2000 = value.time_since_epoch().count();
  if (value != RowTime::max() && value != RowTime::min()) {
    since_2000 -= std::chrono::microseconds(epoch_of_postgresql).count();
  }
  std::string bytes;
  append(bytes, since_2000);
  return keep(static_cast<Oid>(PgType::time), std::move(bytes));
}

PgParams& PgParams::add_null_array(PgType type) { return point_to(array_of(type), nullptr, 0); }

PgParams& PgParams::add_array(std::span<const std::int64_t> values) {
  std::string bytes = array_header(PgType::int64, values.size());
  bytes.reserve(bytes.size() + values.size() * (4 + sizeof(std::int64_t)));
  for (const std::int64_t value : values) {
    append<std::int32_t>(bytes, sizeof(std::int64_t));
    append(bytes, value);
  }
  return keep(array_of(PgType::int64), std::move(bytes));
}

PgParams& PgParams::add_array(const std::vector<const std::string*>& values, PgType type) {
  std::size_t size = 0;
  for (const std::string* value : values) size += 4 + (value == nullptr ? 0 : value->size());
  std::string bytes = array_header(type, values.size());
  bytes.reserve(bytes.size() + size);
  for (const std::string* value : values) {
    append(bytes, value == nullptr ? std::int32_t{-1} : static_cast<std::int32_t>(value->size()));
    if (value != nullptr) bytes += *value;
  }
  return keep(array_of(type), std::move(bytes));
}

std::uint64_t PgResult::changed() const {
  const std::string_view text = PQcmdTuples(result_.get());
  std::uint64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

bool PgResult::boolean(int row, int column) const { return *PQgetvalue(result_.get(), row, column) != 0; }

std::int32_t PgResult::int32(int row, int column) const {
  return integer_from<std::int32_t>(PQgetvalue(result_.get(), row, column));
}

std::int64_t PgResult::int64(int row, int column) const {
  return integer_from<std::int64_t>(PQgetvalue(result_.get(), row, column));
}

std::uint64_t PgResult::uint64(int row, int column) const { return static_cast<std::uint64_t>(int64(row, column)); }

std::string PgResult::text(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::optional<std::string> PgResult::optional_text(int row, int column) const {
  if (is_null(row, column)) return std::nullopt;
  return text(row, column);
}

std::optional<std::int64_t> PgResult::optional_int64(int row, int column) const {
  if (is_null(row, column)) return std::nullopt;
  return int64(row, column);
}

RowTime PgResult::time(int row, int column) const {
  const std::chrono::microseconds since_2000{int64(row, column)};
  // 'infinity' is the greatest number.
  if (since_2000 > std::chrono::microseconds::max() - epoch_of_postgresql) return RowTime::max();
  return RowTime{since_2000 + epoch_of_postgresql};
}

PgResult pg_transaction_status(PGconn* connection, const std::string& transaction_id) {
  const char* const id = transaction_id.c_str();
  return PgResult(PQexecParams(connection, "SELECT pg_xact_status($1::xid8)", 1, nullptr, &id, nullptr, nullptr, 0));
}

}  // namespace action_triggers::detail
