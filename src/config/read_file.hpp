// SPDX-License-Identifier: MIT
/// Reads a file that may be a configuration or a secret. Inline, since the command line tool needs it too and sees the
/// library's public symbols only.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <ios>
#include <optional>
#include <string>
#include <system_error>

#include "action_triggers/config.hpp"

namespace action_triggers::detail {

/// A file's bytes, at most one more than max_config_bytes: whoever gets that many knows that it is too large. Nothing
/// if it cannot be read.
inline std::optional<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (std::error_code error; !in.is_open() || std::filesystem::is_directory(path, error)) return std::nullopt;
  std::string bytes(max_config_bytes + 1, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (in.bad()) return std::nullopt;
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  return bytes;
}

}  // namespace action_triggers::detail
