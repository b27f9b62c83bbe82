// SPDX-License-Identifier: MIT
#include "cli/line_reader.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace action_triggers::cli {

bool LineReader::next(std::string& line) {
  std::size_t searched = begin_;
  for (;;) {
    if (const std::size_t end = buffer_.find('\n', searched); end != std::string::npos) {
      line.assign(buffer_, begin_, end - begin_);
      begin_ = end + 1;
      return true;
    }
    if (at_end_) {
      if (error_ != 0 || begin_ == buffer_.size()) return false;
      line.assign(buffer_, begin_);  // the last one, without an end
      begin_ = buffer_.size();
      return true;
    }
    buffer_.erase(0, begin_);
    begin_ = 0;
    searched = buffer_.size();
    if (!fill()) return false;
  }
}

bool LineReader::fill() {
  std::array<char, 65'536> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): read() fills it
  for (;;) {
    std::array<pollfd, 2> ready{pollfd{.fd = descriptor_, .events = POLLIN, .revents = 0},
                                pollfd{.fd = stop_descriptor_, .events = POLLIN, .revents = 0}};
    if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) {
      error_ = errno;
      at_end_ = true;
      return true;
    }
    if (ready[1].revents != 0) return false;
    if (ready[0].revents == 0) continue;
    const ssize_t count = ::read(descriptor_, bytes.data(), bytes.size());
    if (count > 0) {
      buffer_.append(bytes.data(), static_cast<std::size_t>(count));
      return true;
    }
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0) error_ = errno;
    at_end_ = true;
    return true;
  }
}

}  // namespace action_triggers::cli
