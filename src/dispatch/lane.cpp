#include "dispatch/lane.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>
#include <utility>

namespace action_triggers::detail {
namespace {

constexpr int most_admitted_per_turn = 4096;
// After a message the lane looks for the next one by itself for so long, so that a hook that fires again and again does
// not pay for waking it each time (docs/decisions/0012).
constexpr std::chrono::microseconds nap{150};
// A hook that waits for room is woken when an eighth of the messages is gone, or after this: not for each one.
constexpr std::chrono::milliseconds longest_wait_for_much_room{10};

std::uint64_t unix_ms() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count());
}

/// Right to a few milliseconds, for a tenth of what Clock costs: enough to tell a callback that takes too long.
std::chrono::nanoseconds coarse_now() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

std::uint64_t random_seed() {  // not std::random_device: on some virtual machines that takes 20 µs
  std::uint64_t seed = 0;
  if (getentropy(&seed, sizeof seed) != 0) throw std::system_error(errno, std::generic_category(), "getentropy");
  return seed;
}

std::vector<std::unique_ptr<NamedBroker>> make_names(std::vector<std::shared_ptr<const BrokerConfig>> configs) {
  std::vector<std::unique_ptr<NamedBroker>> names;
  names.reserve(configs.size());
  for (auto& config : configs) {
    names.push_back(std::make_unique<NamedBroker>(std::move(config), static_cast<std::uint32_t>(names.size())));
  }
  return names;
}

std::vector<NamedBroker*> pointers(const std::vector<std::unique_ptr<NamedBroker>>& names) {
  std::vector<NamedBroker*> result;
  result.reserve(names.size());
  for (const auto& named : names) result.push_back(named.get());
  return result;
}

}  // namespace

// ----------------------------------------------------------------------------------------------------------------
// hooks

void Hooks::log(LogLevel level, std::string_view component, std::string_view text) noexcept {
  if (!options.log) return;
  try {
    options.log(level, component, text);
  } catch (...) {
    callback_exceptions.fetch_add(1, std::memory_order_relaxed);
  }
}

void Hooks::run_callbacks(Record& record, const DeliveryReport& report) noexcept {
  const bool failure = !report.status.ok() && options.on_failure;
  if (!record.callback && !failure) return;
  if (options.executor) {
    try {
      record.add_reference();
      options.executor([this, delivery = record.handle(), callback = &record.callback] {
        call_all(*callback, delivery.wait(), "on the executor");
      });
      return;
    } catch (...) {  // it did not take the task: run it here rather than lose it
      callback_exceptions.fetch_add(1, std::memory_order_relaxed);
    }
  }
  call_all(record.callback, report, "on the lane's thread, and held it up");
}

void Hooks::call_all(const DeliveryCallback& callback, const DeliveryReport& report, const char* where) noexcept {
  const auto begin = coarse_now();
  if (callback) call(callback, report);
  if (!report.status.ok() && options.on_failure) call(options.on_failure, report);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(coarse_now() - begin);
  if (took > options.slow_callback) {
    slow_callbacks.fetch_add(1, std::memory_order_relaxed);
    try {
      log(LogLevel::warning, "dispatcher",
          "a callback for '" + report.broker + "' took " + std::to_string(took.count()) + " ms " + where);
    } catch (...) {  // no memory for the text; it is counted
    }
  }
}

void Hooks::call(const DeliveryCallback& callback, const DeliveryReport& report) noexcept {
  try {
    callback(report);
  } catch (...) {
    callback_exceptions.fetch_add(1, std::memory_order_relaxed);
  }
}

// -----------------------------------------------------------------------------------------------------------------
// lane

class Lane::WakeUp {
 public:
  WakeUp() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  ~WakeUp() { ::close(fd_); }
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;

  void wake() const noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);  // full: it will wake anyhow
  }
  void clear() const noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(fd_, &count, sizeof count);
  }
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  const int fd_;
};

Lane::Lane(std::vector<std::shared_ptr<const BrokerConfig>> configs, BrokerRegistry::Make make,
           std::shared_ptr<Hooks> hooks, const std::string& thread_name)
    : hooks_(std::move(hooks)),
      thread_name_(thread_name),
      names_(make_names(std::move(configs))),
      wake_up_(std::make_shared<WakeUp>()),
      core_(pointers(names_),
            {.make_broker = [make = std::move(make), config = names_.front()->config] { return make(*config); },
             .log = [this, component = names_.front()->config->broker_type](
                        LogLevel level, std::string_view text) { hooks_->log(level, component, text); },
             .clock = Clock::now,
             .waker = Waker([wake_up = wake_up_] { wake_up->wake(); }),
             .seed = random_seed(),
             .failures_are_heard = hooks_->options.on_failure != nullptr,
             .reports_outlive_calls = hooks_->options.executor != nullptr}) {
  for (const auto& named : names_) named->lane = this;
  core_.make_broker();
}

Lane::~Lane() = default;

void Lane::start() {
  // The thread keeps the lane alive: a dispatcher destroyed in a callback lets go of a lane that still runs.
  thread_ = Thread(thread_name_, [self = shared_from_this()] { self->run(); });
}

void Lane::push(Record& record) noexcept {
  queue_.push(&record);
  // Both this load and push()'s exchange are sequentially consistent, as are their counterparts in sleep(): either this
  // sees that the lane sleeps, or the lane sees the message before it does.
  if (asleep_.load(std::memory_order_seq_cst) && asleep_.exchange(false, std::memory_order_seq_cst)) wake_up_->wake();
}

bool Lane::push(FlushMark& mark) {
  const std::lock_guard lock(mutex_);
  if (ended_) return false;
  queue_.push(&mark);
  wake_up_->wake();
  return true;
}

void Lane::wait_for_room(NamedBroker& named, TimePoint deadline) {
  const std::uint64_t before = named.quota.messages();
  const std::uint64_t enough = before - std::min(before, std::max<std::uint64_t>(before / 8, 1));
  named.wake_producers_at.store(enough, std::memory_order_relaxed);
  producers_waiting_.fetch_add(1, std::memory_order_seq_cst);
  {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, std::min(deadline, Clock::now() + longest_wait_for_much_room),
                        [&] { return ended_ || named.quota.messages() <= enough; });
  }
  producers_waiting_.fetch_sub(1, std::memory_order_seq_cst);
}

void Lane::wake_producers() {
  if (producers_waiting_.load(std::memory_order_seq_cst) == 0) return;
  if (std::none_of(names_.begin(), names_.end(), [](const auto& named) {
        return named->quota.messages() <= named->wake_producers_at.load(std::memory_order_relaxed);
      })) {
    return;
  }
  { const std::lock_guard lock(mutex_); }  // who waits does not wake up only to wait for the mutex
  changed_.notify_all();
}

void Lane::begin_close(TimePoint deadline) {
  for (const auto& named : names_) named->quota.close();
  close_deadline_.store(deadline.time_since_epoch().count(), std::memory_order_release);
  {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
  wake_up_->wake();
}

bool Lane::wait_until_ended(TimePoint deadline) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [&] { return ended_; });
}

void Lane::join() {
  if (!thread_.joinable()) return;
  if (thread_.is_current()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

void Lane::run() {
  on_lane_thread = true;
  core_.start();
  bool closing = false;
  while (!core_.finished()) {
    core_.begin_turn(unix_ms());
    int admitted = 0;
    for (; admitted < most_admitted_per_turn; ++admitted) {
      QueueNode* node = queue_.pop();
      if (node == nullptr) break;
      if (node->is_flush_mark) {
        core_.mark(static_cast<FlushMark&>(*node));
      } else {
        core_.admit(static_cast<Record&>(*node));
      }
    }
    if (const auto deadline = close_deadline_.load(std::memory_order_acquire); !closing && deadline != open) {
      closing = true;
      core_.begin_close(TimePoint(TimePoint::duration(deadline)));
    }
    core_.step();
    report_resolved();
    if (!core_.finished() && !core_.has_work() && queue_.empty()) sleep(admitted > 0 && !closing);
  }
  const std::lock_guard lock(mutex_);
  ended_ = true;
  while (QueueNode* node = queue_.pop()) static_cast<FlushMark&>(*node).reached();  // no message can be left
  changed_.notify_all();
}

void Lane::report_resolved() {
  core_.report([this](Record& record, const DeliveryReport& report) { hooks_->run_callbacks(record, report); });
  wake_producers();
}

void Lane::sleep(bool messages_may_follow) {
  WaitRequest request = core_.wait_request();
  if (messages_may_follow) {
    request.at = std::min(request.at, Clock::now() + nap);
  } else {
    asleep_.store(true, std::memory_order_seq_cst);
    if (!queue_.empty()) {
      asleep_.store(false, std::memory_order_relaxed);
      return;
    }
  }
  pollfd fds[2] = {{.fd = wake_up_->fd(), .events = POLLIN, .revents = 0},
                   {.fd = request.fd, .events = POLLIN, .revents = 0}};
  if (request.writable) fds[1].events |= POLLOUT;
  timespec timeout{};
  const timespec* wait = nullptr;
  if (request.at != TimePoint::max()) {
    const auto left = std::max(request.at - Clock::now(), Clock::duration::zero());
    timeout.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(left).count();
    timeout.tv_nsec = std::chrono::duration_cast<std::chrono::nanoseconds>(left % std::chrono::seconds(1)).count();
    wait = &timeout;
  }
  ::ppoll(fds, request.fd >= 0 ? 2 : 1, wait, nullptr);  // whatever it says, the next turn looks for itself
  asleep_.store(false, std::memory_order_seq_cst);
  if ((fds[0].revents & POLLIN) != 0) wake_up_->clear();
}

}  // namespace action_triggers::detail
