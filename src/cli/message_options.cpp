// SPDX-License-Identifier: MIT
#include "cli/message_options.hpp"

#include <unistd.h>

#include <iostream>

#include "cli/load.hpp"
#include "config/read_file.hpp"

namespace action_triggers::cli {

std::optional<Message> message_of(const MessageOptions& options) {
  Message message;
  message.key = options.key;
  message.content_type = options.content_type;
  message.id = options.id;
  for (const std::string& header : options.headers) {
    const std::size_t equals = header.find('=');
    if (equals == 0 || equals == std::string::npos) {
      std::cerr << "--header wants NAME=VALUE, not '" << header << "'\n";
      return std::nullopt;
    }
    message.headers.push_back({header.substr(0, equals), header.substr(equals + 1)});
  }
  return message;
}

std::optional<std::string> read_payload(const std::string& file) {
  detail::FileContent content =
      file == "-" ? detail::read_descriptor(STDIN_FILENO, /*patience_ms=*/-1) : detail::read_file(file);
  if (content.bytes && content.bytes->size() > max_config_bytes) {
    content = {std::nullopt, "it is larger than 1 MiB"};
  }
  if (!content.bytes) {
    std::cerr << name_of(file) << ": cannot be read: " << content.why << '\n';
    return std::nullopt;
  }
  if (content.bytes->ends_with('\n')) content.bytes->pop_back();
  if (content.bytes->ends_with('\r')) content.bytes->pop_back();
  return std::move(content.bytes);
}

}  // namespace action_triggers::cli
