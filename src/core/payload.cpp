// SPDX-License-Identifier: MIT
#include "core/payload.hpp"

#include <algorithm>

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

void Payload::add_rest(char* at, const Message& rest, const MessageId& id) noexcept {
  key_size_ = size32(rest.key.size());
  content_type_size_ = size32(rest.content_type.size());
  header_count_ = size32(rest.headers.size());
  if (rest.priority) priority_ = *rest.priority;
  at = append(append(at, rest.key), rest.content_type);
  if (rest.id.empty()) {
    add_made_id(at, id);
    at += MessageId::text_size;
  } else {
    id_size_ = size32(rest.id.size());
    at = append(at, rest.id);
  }
  if (rest.expiration) {
    has_expiration_ = true;
    const std::int64_t ms = std::max<std::int64_t>(rest.expiration->count(), 0);
    std::memcpy(at, &ms, sizeof ms);
    at += sizeof ms;
  }
  for (const Header& header : rest.headers) {
    const std::uint32_t sizes[2] = {size32(header.name.size()), size32(header.value.size())};
    std::memcpy(at, sizes, sizeof sizes);
    at = append(append(at + sizeof sizes, header.name), header.value);
  }
}

}  // namespace action_triggers::detail
