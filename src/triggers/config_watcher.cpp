// SPDX-License-Identifier: MIT
#include "action_triggers/config_watcher.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "action_triggers/trigger_dispatcher.hpp"
#include "base/fork.hpp"
#include "base/thread.hpp"
#include "base/wake_fd.hpp"
#include "config/loaded_text.hpp"
#include "config/read_file.hpp"
#include "dispatch/later.hpp"
#include "triggers/dispatcher_access.hpp"

namespace action_triggers {
namespace {

/// So often files are looked at where the system cannot tell (no inotify, or a file system across a network).
constexpr std::chrono::seconds look_anyway{5};
constexpr std::uint32_t changes =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// The path with all symbolic links followed; empty: there is no such file.
std::string real_path(const std::string& path) {
  char* const real = ::realpath(path.c_str(), nullptr);
  std::string result = real == nullptr ? std::string() : real;
  std::free(real);
  return result;
}

/// What says that a file is another one, or has another content: where its link leads to, whether it can be read, and a
/// hash of what is in it. Its time would not do: that moves in steps of some milliseconds.
using Signature = std::tuple<std::string, bool, std::size_t>;

Signature signature_of(const std::string& path) {
  const detail::FileContent content = detail::read_file(path);
  return {real_path(path), content.bytes.has_value(), std::hash<std::string>()(content.bytes.value_or(std::string()))};
}

}  // namespace

class ConfigWatcher::Impl {
 public:
  Impl(TriggerDispatcher& dispatcher, std::string path, ConfigWatcherOptions options)
      : dispatcher_(dispatcher), path_(std::move(path)), options_(std::move(options)) {
    detail::watch_forks();
    process_ = detail::fork_generation();
    inotify_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    const auto config = detail::DispatcherAccess(dispatcher_).config();
    files_.insert(files_.begin(), config->files.begin(), config->files.end());
    look();
    asked_ = has_changed_since(*config);
    thread_ = detail::Thread("at-config", [this] { run(); });
  }
  ~Impl() {
    if (process_ != detail::fork_generation()) {
      thread_.detach();  // it is the parent's
    } else {
      stop_.store(true, std::memory_order_release);
      wake_.wake();
      thread_.join();
    }
    if (inotify_ >= 0) ::close(inotify_);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void reload_now() noexcept {
    asked_.store(true, std::memory_order_release);
    wake_.wake();
  }

 private:
  void run() {
    while (!stop_.load(std::memory_order_acquire)) {
      const bool something = is_asked() || wait(look_anyway);
      if (stop_.load(std::memory_order_acquire)) return;
      if (!is_asked() && signatures() == seen_) continue;
      if (something) let_settle();
      if (stop_.load(std::memory_order_acquire)) return;
      asked_.store(false, std::memory_order_release);
      reload();
    }
  }

  [[nodiscard]] bool is_asked() const { return asked_.load(std::memory_order_acquire); }

  /// Until the files have been left alone for a while, somebody asks, or the watcher ends. What else happens in their
  /// directories does not count: there may never be an end of it.
  void let_settle() {
    std::vector<Signature> last = signatures();
    TimePoint until = detail::later(options_.settle);
    while (!is_asked() && !stop_.load(std::memory_order_acquire)) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
      if (left.count() <= 0 || !wait(left)) return;
      std::vector<Signature> now = signatures();
      if (now == last) continue;
      last = std::move(now);
      until = detail::later(options_.settle);
    }
  }

  /// Whether something has happened before the time was over.
  bool wait(std::chrono::milliseconds time) {
    std::array<pollfd, 2> fds{
        {{.fd = wake_.fd(), .events = POLLIN, .revents = 0}, {.fd = inotify_, .events = POLLIN, .revents = 0}}};
    const int ready =
        ::poll(fds.data(), fds.size(), static_cast<int>(std::clamp<std::int64_t>(time.count(), 0, INT_MAX)));
    wake_.clear();
    alignas(inotify_event) std::array<char, 4096> events{};
    while (inotify_ >= 0 && ::read(inotify_, events.data(), events.size()) > 0) {
    }
    return ready > 0;
  }

  void reload() {
    look();  // before it is read: what changes from here on is to be seen
    ReloadReport report;
    std::string error;
    std::vector<std::string> files;
    try {
      report = dispatcher_.reload_file(path_, options_.config, files);
    } catch (const std::exception& problem) {
      error = problem.what();
    }
    watch(std::move(files));  // also those that could not be read: they may come
    try {
      if (options_.on_reload) options_.on_reload(report, error);
    } catch (...) {  // NOLINT(bugprone-empty-catch): the application's own
    }
  }

  /// From here on these files beside the configuration.
  void watch(std::vector<std::string> files) {
    files.push_back(path_);
    if (files == files_) return;
    files_ = std::move(files);
    look();
  }

  /// Watches the directories of the files, and those that their links lead to; remembers what the files are like.
  void look() {
    std::set<std::string> directories;
    for (const std::string& file : files_) {
      directories.insert(directory_of(file));
      if (const std::string real = real_path(file); !real.empty()) directories.insert(directory_of(real));
    }
    for (const std::string& directory : directories) {
      if (inotify_ >= 0) ::inotify_add_watch(inotify_, directory.c_str(), changes);
    }
    seen_ = signatures();
  }

  /// Whether the file says something else than what was loaded, whoever has loaded it.
  [[nodiscard]] bool has_changed_since(const Config& config) const {
    const auto* const text = config.section<detail::LoadedText>();
    const detail::FileContent now = detail::read_file(path_);
    return text != nullptr && now.bytes && detail::LoadedText(*now.bytes).hash != text->hash;
  }

  [[nodiscard]] std::vector<Signature> signatures() const {
    std::vector<Signature> all;
    all.reserve(files_.size());
    for (const std::string& file : files_) all.push_back(signature_of(file));
    return all;
  }

  TriggerDispatcher& dispatcher_;
  const std::string path_;
  const ConfigWatcherOptions options_;
  std::uint32_t process_ = 0;
  int inotify_ = -1;
  const detail::WakeFd wake_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> asked_{false};
  std::vector<std::string> files_{path_};  // the configuration, and what its placeholders read
  std::vector<Signature> seen_;
  detail::Thread thread_;
};

ConfigWatcher::ConfigWatcher(TriggerDispatcher& dispatcher, std::string path, ConfigWatcherOptions options)
    : impl_(std::make_unique<Impl>(dispatcher, std::move(path), std::move(options))) {}
ConfigWatcher::~ConfigWatcher() = default;
void ConfigWatcher::reload_now() noexcept { impl_->reload_now(); }

}  // namespace action_triggers
