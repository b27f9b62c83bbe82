// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_headers.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace action_triggers::detail {
namespace {

constexpr std::size_t headers_of_ours = 2;  // content-type and the message id
constexpr std::size_t most_kept = 8'192;    // some 200 bytes each

std::string_view content_type_of(const KafkaConfig& config, const OutboundMessage& message) {
  return message.content_type().empty() ? std::string_view(config.content_type) : message.content_type();
}

/// Such messages have lists that differ in the id alone.
bool has_only_an_id(const KafkaConfig& config, const OutboundMessage& message) {
  return config.message_id_header && message.header_count() == 0 && content_type_of(config, message).empty();
}

/// Writes `id` over the value of the header `name`. False if the list has another header (it was made for another
/// destination) or a value of another length.
bool replace_id(rd_kafka_headers_t* headers, const std::string& name, std::string_view id) {
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_header_get_last(headers, name.c_str(), &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  if (size != id.size()) return false;
  std::copy(id.begin(), id.end(), static_cast<char*>(const_cast<void*>(value)));  // the list's own copy: not const
  return true;
}

}  // namespace

KafkaHeaderLists::KafkaHeaderLists() { kept_.reserve(most_kept); }

KafkaHeaders KafkaHeaderLists::make(const KafkaConfig& config, const OutboundMessage& message) {
  if (has_only_an_id(config, message) && !kept_.empty()) {
    KafkaHeaders headers = std::move(kept_.back());
    kept_.pop_back();
    if (replace_id(headers.get(), *config.message_id_header, message.id())) return headers;
  }
  const std::string_view content_type = content_type_of(config, message);
  if (!config.message_id_header && content_type.empty() && message.header_count() == 0) return nullptr;
  KafkaHeaders headers(rd_kafka_headers_new(message.header_count() + headers_of_ours));
  const auto add = [&](std::string_view name, std::string_view value) {
    rd_kafka_header_add(headers.get(), name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  };
  message.for_each_header([&](HeaderView header) { add(header.name, header.value); });
  if (!content_type.empty()) add("content-type", content_type);
  if (config.message_id_header) add(*config.message_id_header, message.id());
  return headers;
}

void KafkaHeaderLists::keep(const rd_kafka_message_t& report, const KafkaConfig& config,
                            const OutboundMessage& message) {
  if (kept_.size() == most_kept || !has_only_an_id(config, message)) return;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_detach_headers(const_cast<rd_kafka_message_t*>(&report), &headers) ==
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    kept_.emplace_back(headers);
  }
}

}  // namespace action_triggers::detail
