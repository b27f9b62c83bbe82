// SPDX-License-Identifier: MIT
/// Whether the files of certificates that a client has read were replaced: a client reads them once.
#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include "action_triggers/kafka.hpp"

namespace action_triggers::detail {

class KafkaTlsFiles {
 public:
  KafkaTlsFiles() = default;
  /// Looks at the files as they are now, which is before the client reads them.
  explicit KafkaTlsFiles(const KafkaConfig& config);

  /// Whether one of them is another file by now, or was written to. Not while one is missing: it is being replaced.
  [[nodiscard]] bool are_replaced() const;

 private:
  struct File {
    std::string path;
    struct stat as_read;
  };
  std::vector<File> files_;
};

}  // namespace action_triggers::detail
