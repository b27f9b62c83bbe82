// SPDX-License-Identifier: MIT
/// Lines of standard input, until it ends or something else is to be done.
#pragma once

#include <cstddef>
#include <string>

namespace action_triggers::cli {

class LineReader {
 public:
  /// Reads `descriptor` until `stop_descriptor` is readable.
  LineReader(int descriptor, int stop_descriptor) : descriptor_(descriptor), stop_descriptor_(stop_descriptor) {}

  /// The next line, without its end. False: there is none, because all was read, or it was stopped, or reading failed.
  bool next(std::string& line);

  /// What failed; 0: nothing did.
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  bool fill();

  const int descriptor_;
  const int stop_descriptor_;
  std::string buffer_;
  std::size_t begin_ = 0;  // of what has not been returned yet
  bool at_end_ = false;
  int error_ = 0;
};

}  // namespace action_triggers::cli
