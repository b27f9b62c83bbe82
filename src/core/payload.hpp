// SPDX-License-Identifier: MIT
/// The bytes of one fired message: shared by the records of all destinations that it goes to.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

#include "action_triggers/message.hpp"
#include "action_triggers/outbound_message.hpp"
#include "base/message_id.hpp"

namespace action_triggers::detail {

/// What fire() was given, before it is copied.
struct MessageParts {
  std::string_view body;
  const Message* rest = nullptr;  // key, headers and so on; nullptr: only a body
};

/// What lies before the name and the value of a header.
struct PackedHeader {
  std::uint32_t name_size_and_type = 0;  // sizes are below 2^30
  std::uint32_t value_size = 0;

  PackedHeader() = default;
  explicit PackedHeader(const Header& header) noexcept
      : name_size_and_type(static_cast<std::uint32_t>(header.name.size()) |
                           (static_cast<std::uint32_t>(header.type) << 30U)),
        value_size(static_cast<std::uint32_t>(header.value.size())) {}
  [[nodiscard]] std::uint32_t name_size() const noexcept { return name_size_and_type & ((1U << 30U) - 1); }
  [[nodiscard]] HeaderType type() const noexcept { return static_cast<HeaderType>(name_size_and_type >> 30U); }
};

/// What lies before the texts of PropertiesView.
struct PackedProperties {
  std::int64_t timestamp_ms = 0;
  std::int32_t partition = 0;
  std::uint32_t sizes[6] = {};  // type, correlation_id, reply_to, app_id, content_encoding, user_id
  bool has_timestamp = false;
  bool has_partition = false;
  bool tombstone = false;
};

/// Lies in memory of the owner's, followed by its bytes: id, body, key, content type, expiration if there is one, the
/// properties if there are any, then the headers. The id comes first since the lane writes its text there: it is in the
/// cache line that says so. Written by the thread that fires; unchanged afterwards, but for the id's text.
class Payload {
 public:
  /// What capacity counts of a message: body, key, content type, id and headers.
  static std::size_t counted_bytes(const MessageParts& parts) noexcept {
    return parts.body.size() + (parts.rest == nullptr ? 0 : counted_bytes_of_rest(*parts.rest));
  }

  /// What a payload needs behind the object itself. `counted` = counted_bytes(parts).
  static std::size_t trailing_bytes(const MessageParts& parts, std::size_t counted) noexcept {
    return counted + (has_own_id(parts) ? 0 : MessageId::text_size) +
           (parts.rest != nullptr && parts.rest->expiration ? sizeof(std::int64_t) : 0);
  }

  /// `memory` has sizeof(Payload) + trailing_bytes(). A message that brings no id gets `id`. `size_class` is for
  /// whoever frees it.
  static Payload* make_at(void* memory, const MessageParts& parts, const MessageId& id,
                          std::uint8_t size_class = 0) noexcept {
    auto* const payload = ::new (memory) Payload;
    payload->size_class_ = size_class;
    payload->body_size_ = static_cast<std::uint32_t>(parts.body.size());
    char* at = reinterpret_cast<char*>(payload + 1);
    if (has_own_id(parts)) {
      at = payload->add_own_id(at, parts.rest->id);
    } else {
      at = payload->add_made_id(at, id);
    }
    if (!parts.body.empty()) std::memcpy(at, parts.body.data(), parts.body.size());
    if (parts.rest != nullptr) payload->add_rest(at + parts.body.size(), *parts.rest);
    return payload;
  }

  static bool has_own_id(const MessageParts& parts) noexcept {
    return parts.rest != nullptr && !parts.rest->id.empty();
  }

  /// Only after write_id().
  [[nodiscard]] std::string_view id() const noexcept { return {id_place(), id_size_}; }
  [[nodiscard]] std::string_view body() const noexcept { return {behind_id(), body_size_}; }
  [[nodiscard]] std::string_view key() const noexcept { return {behind_id() + body_size_, key_size_}; }
  [[nodiscard]] std::string_view content_type() const noexcept {
    return {behind_id() + body_size_ + key_size_, content_type_size_};
  }
  [[nodiscard]] std::size_t header_count() const noexcept { return header_count_; }
  [[nodiscard]] std::optional<std::int64_t> expiration_ms() const noexcept {
    if (!has_expiration_) return std::nullopt;
    std::int64_t ms = 0;
    std::memcpy(&ms, behind_texts(), sizeof ms);
    return ms;
  }
  [[nodiscard]] std::int16_t priority() const noexcept { return priority_; }  // -1: none
  [[nodiscard]] bool has_properties() const noexcept { return has_properties_; }
  /// Only if it has them.
  [[nodiscard]] PropertiesView properties() const noexcept { return unpack_properties().first; }
  [[nodiscard]] const char* headers() const noexcept {
    return has_properties_ ? unpack_properties().second : behind_expiration();
  }

  /// Writes the text of an id that was made in fire(). Once, by the one lane that it goes to, or the thread that fires.
  void write_id() noexcept {
    if (!id_is_binary_) return;
    MessageId id;
    std::memcpy(&id, id_place(), sizeof id);
    std::array<char, MessageId::text_size> text;
    id.write_text(text.data());
    BinaryId words;
    std::memcpy(words.data(), text.data(), sizeof words);
    for (std::size_t i = 0; i < words.size(); ++i) binary_word(i).store(words[i], std::memory_order_release);
    std::memcpy(const_cast<char*>(id_place()) + sizeof words, text.data() + sizeof words, text.size() - sizeof words);
    id_is_binary_ = false;
  }
  /// On a thread that shares the payload. What it says is the id if write_id() has not begun afterwards: what it has
  /// written is visible then, and so is what its thread did before.
  [[nodiscard]] MessageId binary_id() const noexcept {
    BinaryId words;
    for (std::size_t i = 0; i < words.size(); ++i) words[i] = binary_word(i).load(std::memory_order_acquire);
    return std::bit_cast<MessageId>(words);
  }

  [[nodiscard]] std::uint8_t size_class() const noexcept { return size_class_; }

  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  /// True: it was the last one.
  bool drop_reference() noexcept {
    // Who holds the only reference need not tell the others.
    return references_.load(std::memory_order_acquire) == 1 || references_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  }

 private:
  using BinaryId = std::array<std::uint32_t, sizeof(MessageId) / sizeof(std::uint32_t)>;

  Payload() = default;
  static std::size_t counted_bytes_of_rest(const Message& rest) noexcept;
  char* add_made_id(char* at, const MessageId& id) noexcept {
    id_is_binary_ = true;
    id_size_ = MessageId::text_size;
    std::memcpy(at, &id, sizeof id);
    return at + MessageId::text_size;
  }
  char* add_own_id(char* at, std::string_view id) noexcept {
    id_size_ = static_cast<std::uint32_t>(id.size());
    std::memcpy(at, id.data(), id.size());
    return at + id.size();
  }
  void add_rest(char* at, const Message& rest) noexcept;
  char* pack_properties(char* at, const Properties& properties) noexcept;
  /// The properties, and where they end.
  [[nodiscard]] std::pair<PropertiesView, const char*> unpack_properties() const noexcept;

  /// Of the MessageId, where its text is going to be.
  [[nodiscard]] std::atomic_ref<std::uint32_t> binary_word(std::size_t i) const noexcept {
    static_assert(alignof(Payload) >= alignof(std::uint32_t));
    return std::atomic_ref(reinterpret_cast<std::uint32_t*>(const_cast<char*>(id_place()))[i]);
  }
  [[nodiscard]] const char* id_place() const noexcept { return reinterpret_cast<const char*>(this + 1); }
  [[nodiscard]] const char* behind_id() const noexcept { return id_place() + id_size_; }
  [[nodiscard]] const char* behind_texts() const noexcept {
    return behind_id() + body_size_ + key_size_ + content_type_size_;
  }
  [[nodiscard]] const char* behind_expiration() const noexcept {
    return behind_texts() + (has_expiration_ ? sizeof(std::int64_t) : 0);
  }

  // 28 bytes: with its record, an id and a body of 256 bytes it fits the smallest block (dispatch/record_pool.cpp).
  std::atomic<std::uint32_t> references_{1};
  std::uint32_t body_size_ = 0;
  std::uint32_t key_size_ = 0;
  std::uint32_t content_type_size_ = 0;
  std::uint32_t id_size_ = 0;
  std::uint32_t header_count_ = 0;
  std::int16_t priority_ = -1;
  std::uint8_t size_class_ = 0;
  bool id_is_binary_ : 1 = false;  // the id's place has the MessageId, and not yet its text
  bool has_expiration_ : 1 = false;
  bool has_properties_ : 1 = false;
};

}  // namespace action_triggers::detail
