// SPDX-License-Identifier: MIT
/// What tests of configurations share: small files, environment variables, and the texts of what is wrong.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "action_triggers/config.hpp"

namespace action_triggers::tests {

/// A configuration with one destination, of type memory with these params.
inline Config memory_with(const std::string& params, const std::string& settings = "{}") {
  return parse_config(R"({"brokers": {"b": {"broker_type": "memory", "params": )" + params + R"(}}, "settings": )" +
                      settings + "}");
}

inline std::vector<std::string> texts_of(const ConfigError& error) {
  std::vector<std::string> texts;
  for (const ConfigProblem& problem : error.problems()) texts.push_back(problem.text);
  return texts;
}

/// The texts of everything that is wrong; empty if nothing is.
template <class Parse>
std::vector<std::string> problems_of(Parse parse) {
  try {
    static_cast<void>(parse());
  } catch (const ConfigError& error) {
    return texts_of(error);
  }
  return {};
}

/// An environment variable for as long as it lives.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() { ::unsetenv(name_); }

 private:
  const char* name_;
};

/// A file for as long as it lives.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content) {
    std::string name = (std::filesystem::temp_directory_path() / "action_triggers_XXXXXX").string();
    const int descriptor = ::mkstemp(name.data());
    if (descriptor < 0) throw std::runtime_error("no temporary file");
    ::close(descriptor);
    path = name;
    std::ofstream(path, std::ios::binary) << content;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove(path); }

  std::filesystem::path path;
};

}  // namespace action_triggers::tests
