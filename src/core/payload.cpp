// SPDX-License-Identifier: MIT
#include "core/payload.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>

namespace action_triggers::detail {
namespace {

char* append(char* at, std::string_view text) {
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

std::uint32_t size32(std::size_t size) { return static_cast<std::uint32_t>(size); }

}  // namespace

std::size_t Payload::counted_bytes_of_rest(const Message& rest) noexcept {
  std::size_t bytes = rest.key.size() + rest.content_type.size() + rest.id.size();
  for (const Header& header : rest.headers) {
    bytes += sizeof(PackedHeader) + header.name.size() + header.value.size();
  }
  if (rest.properties) {
    bytes += sizeof(PackedProperties) + rest.properties->type.size() + rest.properties->correlation_id.size() +
             rest.properties->reply_to.size() + rest.properties->app_id.size() +
             rest.properties->content_encoding.size() + rest.properties->user_id.size();
  }
  return bytes;
}

char* Payload::pack_properties(char* at, const Properties& rest) noexcept {
  has_properties_ = true;
  const std::string_view texts[] = {rest.type,   rest.correlation_id,   rest.reply_to,
                                    rest.app_id, rest.content_encoding, rest.user_id};
  PackedProperties packed;
  if (rest.timestamp) packed.timestamp_ms = rest.timestamp->time_since_epoch().count();
  packed.has_timestamp = rest.timestamp.has_value();
  packed.partition = rest.partition.value_or(0);
  packed.has_partition = rest.partition.has_value();
  packed.tombstone = rest.tombstone;
  for (std::size_t i = 0; i < std::size(texts); ++i) packed.sizes[i] = size32(texts[i].size());
  std::memcpy(at, &packed, sizeof packed);
  at += sizeof packed;
  for (const std::string_view text : texts) at = append(at, text);
  return at;
}

std::pair<PropertiesView, const char*> Payload::unpack_properties() const noexcept {
  const char* at = behind_expiration();
  PackedProperties packed;
  std::memcpy(&packed, at, sizeof packed);
  at += sizeof packed;
  std::string_view texts[std::size(packed.sizes)];
  for (std::size_t i = 0; i < std::size(texts); ++i) {
    texts[i] = {at, packed.sizes[i]};
    at += packed.sizes[i];
  }
  PropertiesView properties{.type = texts[0],
                            .correlation_id = texts[1],
                            .reply_to = texts[2],
                            .app_id = texts[3],
                            .content_encoding = texts[4],
                            .user_id = texts[5]};
  if (packed.has_timestamp) properties.timestamp.emplace(std::chrono::milliseconds(packed.timestamp_ms));
  if (packed.has_partition) properties.partition = packed.partition;
  properties.tombstone = packed.tombstone;
  return {properties, at};
}

void Payload::add_rest(char* at, const Message& rest) noexcept {
  key_size_ = size32(rest.key.size());
  content_type_size_ = size32(rest.content_type.size());
  header_count_ = size32(rest.headers.size());
  if (rest.priority) priority_ = *rest.priority;
  at = append(append(at, rest.key), rest.content_type);
  if (rest.expiration) {
    has_expiration_ = true;
    const std::int64_t ms = std::max<std::int64_t>(rest.expiration->count(), 0);
    std::memcpy(at, &ms, sizeof ms);
    at += sizeof ms;
  }
  if (rest.properties) at = pack_properties(at, *rest.properties);
  for (const Header& header : rest.headers) {
    const PackedHeader packed(header);
    std::memcpy(at, &packed, sizeof packed);
    at = append(append(at + sizeof packed, header.name), header.value);
  }
}

}  // namespace action_triggers::detail
