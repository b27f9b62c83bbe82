// SPDX-License-Identifier: MIT
#include "core/payload.hpp"

#include <algorithm>
#include <new>

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
    bytes += 2 * sizeof(std::uint32_t) + header.name.size() + header.value.size();
  }
  return bytes;
}

Payload* Payload::make_at(void* memory, const MessageParts& parts, const MessageId& id,
                          std::uint8_t size_class) noexcept {
  auto* payload = ::new (memory) Payload;
  payload->size_class_ = size_class;
  char* at = append(reinterpret_cast<char*>(payload + 1), parts.body);
  payload->body_size_ = size32(parts.body.size());
  if (parts.rest != nullptr) {
    const Message& rest = *parts.rest;
    payload->key_size_ = size32(rest.key.size());
    payload->content_type_size_ = size32(rest.content_type.size());
    payload->header_count_ = size32(rest.headers.size());
    if (rest.priority) payload->priority_ = *rest.priority;
    at = append(append(at, rest.key), rest.content_type);
  }
  payload->id_is_binary_ = !has_own_id(parts);
  if (payload->id_is_binary_) {
    std::memcpy(at, &id, sizeof id);
    payload->id_size_ = MessageId::text_size;
    at += MessageId::text_size;
  } else {
    payload->id_size_ = size32(parts.rest->id.size());
    at = append(at, parts.rest->id);
  }
  if (parts.rest != nullptr) {
    if (parts.rest->expiration) {
      payload->has_expiration_ = true;
      const std::int64_t ms = std::max<std::int64_t>(parts.rest->expiration->count(), 0);
      std::memcpy(at, &ms, sizeof ms);
      at += sizeof ms;
    }
    for (const Header& header : parts.rest->headers) {
      const std::uint32_t sizes[2] = {size32(header.name.size()), size32(header.value.size())};
      std::memcpy(at, sizes, sizeof sizes);
      at = append(append(at + sizeof sizes, header.name), header.value);
    }
  }
  return payload;
}

}  // namespace action_triggers::detail
