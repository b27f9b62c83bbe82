// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_tls_files.hpp"

#include "brokers/kafka/kafka_properties.hpp"

namespace action_triggers::detail {
namespace {

bool is_same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

KafkaTlsFiles::KafkaTlsFiles(const KafkaConfig& config) {
  for (const char* property : kafka_file_properties) {
    const auto given = config.properties.find(property);
    if (given == config.properties.end()) continue;
    File file{given->second, {}};
    if (::stat(file.path.c_str(), &file.as_read) != 0) file.as_read = {};
    files_.push_back(std::move(file));
  }
}

bool KafkaTlsFiles::are_replaced() const {
  bool found = false;
  for (const File& file : files_) {
    struct stat now {};
    const bool is_there = ::stat(file.path.c_str(), &now) == 0;
    if (!is_there && file.as_read.st_ino != 0) return false;
    found = found || (is_there && !is_same(now, file.as_read));
  }
  return found;
}

}  // namespace action_triggers::detail
