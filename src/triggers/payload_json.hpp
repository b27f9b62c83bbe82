// SPDX-License-Identifier: MIT
/// The JSON payload of one event: read once, then looked into by conditions and templates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace action_triggers::detail {

enum class JsonKind : std::uint8_t { null, boolean, number, string, array, object };

/// Why a text is not JSON, and where.
struct PayloadJsonError {
  std::size_t offset = 0;  ///< In bytes from the beginning, from 0.
  std::string text;        ///< A sentence.
};

/// RFC 8259, in UTF-8. Numbers keep their digits: they stay the text that they are. Of equal keys in one object the
/// last one counts. One that reads text after text allocates nothing once it is large enough.
///
/// Threads: one at a time. The text must stay while Values of it are used.
class PayloadJson {
 public:
  class Value;
  static constexpr std::size_t max_depth = 64;

  /// False: `error()` says why. The Values of the text before are no longer valid.
  bool read(std::string_view text);
  [[nodiscard]] const PayloadJsonError& error() const noexcept { return error_; }
  /// Only after read() was true.
  [[nodiscard]] Value root() const noexcept;
  /// Gives back the memory of a text of over 65,536 values, which is read no longer; read() does that as well.
  void drop_large() noexcept;

 private:
  class Reader;
  /// Values in the text's order: what is inside an object or array follows it.
  struct Node {
    std::uint32_t begin = 0;  // of the value's text
    std::uint32_t end = 0;
    std::uint32_t after = 0;      // the index of the first node that is not inside
    std::uint32_t key_begin = 0;  // of a member's key, without its quotes
    std::uint32_t key_size = 0;
    JsonKind kind = JsonKind::null;
    bool has_escapes = false;  // a string's text
    bool key_has_escapes = false;
  };

  std::string_view text_;
  std::vector<Node> nodes_;  // of the text, and then unused ones
  PayloadJsonError error_;
};

/// One value in a PayloadJson, which must not be moved or read anew meanwhile.
class PayloadJson::Value {
 public:
  [[nodiscard]] JsonKind kind() const noexcept { return json_->nodes_[index_].kind; }
  /// The value as it stands in the text: a number's digits, a string with its quotes and escapes, a whole object.
  [[nodiscard]] std::string_view raw() const noexcept;
  /// Of a string: its characters. `scratch` holds them if there are escapes.
  [[nodiscard]] std::string_view text(std::string& scratch) const;
  /// Of a boolean.
  [[nodiscard]] bool boolean() const noexcept;

  /// Of an object; absent: it has no such key, or this is no object.
  [[nodiscard]] std::optional<Value> member(std::string_view key) const;
  /// Of an array; absent: it ends before, or this is no array.
  [[nodiscard]] std::optional<Value> element(std::size_t index) const noexcept;

  /// The first value inside an object or array, and the one after this in the same object or array.
  [[nodiscard]] std::optional<Value> first() const noexcept;
  [[nodiscard]] std::optional<Value> next() const noexcept;
  /// Of an object's member: its key. `scratch` holds it if there are escapes.
  [[nodiscard]] std::string_view key(std::string& scratch) const;

 private:
  friend class PayloadJson;
  Value(const PayloadJson& json, std::uint32_t index, std::uint32_t end) noexcept
      : json_(&json), index_(index), end_(end) {}

  const PayloadJson* json_;
  std::uint32_t index_;
  std::uint32_t end_;  // of what this stands in: the index behind its last value
};

}  // namespace action_triggers::detail
