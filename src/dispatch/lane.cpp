// SPDX-License-Identifier: MIT
#include "dispatch/lane.hpp"

#include <poll.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/futex.hpp"
#include "base/random_seed.hpp"
#include "dispatch/handover.hpp"
#include "dispatch/lane_thread.hpp"
#include "dispatch/out_of_memory.hpp"

namespace action_triggers::detail {
namespace {

/// The firing thread wrote the record on another core, and in a long queue it has left that one's caches, too: all of
/// it, with the first line of the payload behind it, comes while the lane admits the one before. But not the line with
/// the link to the next record, which that thread may be about to write.
void prefetch(const QueueNode* record) noexcept {
  constexpr std::uintptr_t line = 64;
  constexpr std::uintptr_t touched = sizeof(Record) - sizeof(OutboundMessage) + line;  // the link comes first in it
  const auto link = reinterpret_cast<std::uintptr_t>(&record->next_in_queue);
  for (std::uintptr_t at = (link / line + 1) * line; at < link + touched; at += line) {
    __builtin_prefetch(reinterpret_cast<const void*>(at));
  }
}

constexpr int most_admitted_per_turn = 512;  // as many as it can send: what waits longer has left the caches
// After a message the lane stays awake for so long: an application that fires again and again does not pay for a wake
// each time (docs/decisions/0012).
constexpr std::chrono::microseconds idle_grace{150};

}  // namespace

/// Owned by add(), which waits for it.
class Lane::AddDestination final : public LaneCommand {
 public:
  AddDestination(Lane& lane, Destination& destination) : lane_(lane), destination_(destination) {}
  void run(LaneCore& core) noexcept override {
    finish(thrown_by("", [&] { core.add(destination_); }).has_value());
  }
  void lane_ended() noexcept override { done = true; }  // under the lane's mutex

  bool done = false;  // under the lane's mutex
  bool failed = false;

 private:
  void finish(bool has_failed) noexcept {
    const std::lock_guard lock(lane_.mutex_);
    done = true;
    failed = has_failed;
    lane_.state_changed_.notify_all();
  }

  Lane& lane_;
  Destination& destination_;
};

/// Owns itself.
class Lane::RemoveDestination final : public LaneCommand {
 public:
  RemoveDestination(Destination& destination, TimePoint deadline) : destination_(destination), deadline_(deadline) {}
  void run(LaneCore& core) noexcept override {
    core.remove(destination_, deadline_);
    delete this;
  }
  void lane_ended() noexcept override { delete this; }

 private:
  Destination& destination_;
  const TimePoint deadline_;
};

Lane::Lane(Destinations destinations, MakeBroker make, std::shared_ptr<Callbacks> callbacks,
           const std::string& thread_name)
    : callbacks_(std::move(callbacks)),
      thread_name_(thread_name),
      wake_up_(std::make_shared<WakeFd>()),
      core_({.make_broker = [make = std::move(make), config = destinations.front()->config] { return make(*config); },
             .log = [this, component = destinations.front()->config->broker_type](
                        LogLevel level, std::string_view text) { callbacks_->log(level, component, text); },
             .clock = Clock::now,
             .waker = Waker([wake_up = wake_up_] { wake_up->wake(); }),
             .seed = random_seed(),
             .on_failure_is_set = static_cast<bool>(callbacks_->options.on_failure),
             .reports_outlive_calls = callbacks_->options.executor != nullptr}),
      unix_ms_(coarse_unix_ms()),
      destinations_(std::move(destinations)) {
  for (const auto& destination : destinations_) {
    destination->lane = this;
    core_.add(*destination);
  }
  core_.removed = [this](Destination& destination) { forget(destination); };
  core_.make_broker();
}

Lane::~Lane() = default;

void Lane::start() {
  // The thread keeps the lane alive: a dispatcher destroyed in a callback releases a lane that still runs.
  thread_ = Thread(thread_name_, [self = shared_from_this()] { self->run(); });
}

void Lane::push(Record& first, Record& last) noexcept {
  queue_.push(&first, &last);
  // Both this load and push()'s exchange are sequentially consistent, as are their counterparts in sleep(): either this
  // sees that the lane sleeps, or the lane sees the message before it does.
  if (asleep_.load(std::memory_order_seq_cst) && asleep_.exchange(false, std::memory_order_seq_cst)) wake_up_->wake();
}

bool Lane::push(LaneCommand& command) {
  const std::lock_guard lock(mutex_);
  if (ended_) return false;
  queue_.push(&command);
  wake_up_->wake();
  return true;
}

void Lane::add(const std::shared_ptr<Destination>& destination) {
  refuse_on_lane_thread_of(*callbacks_, "adding a destination");
  destination->lane = this;
  {
    const std::lock_guard lock(mutex_);
    destinations_.push_back(destination);
  }
  AddDestination command(*this, *destination);
  if (push(command)) {
    std::unique_lock lock(mutex_);
    state_changed_.wait(lock, [&] { return command.done; });
  }
  if (command.failed) {
    forget(*destination);
    throw std::bad_alloc();
  }
}

std::unique_ptr<LaneCommand> Lane::removal_of(Destination& destination, TimePoint deadline) {
  return std::make_unique<RemoveDestination>(destination, deadline);
}

void Lane::remove(Destination& destination, std::unique_ptr<LaneCommand> removal) noexcept {
  destination.capacity.close();
  if (push(*removal)) static_cast<void>(removal.release());
}

namespace {

/// Nothing here touches it afterwards: its dispatcher may free it.
void say_gone(Destination& destination) noexcept {
  hand_over(destination);
  destination.is_gone.store(true, std::memory_order_release);
}

}  // namespace

void Lane::forget(Destination& destination) {
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(destinations_, [&](const auto& one) { return one.get() == &destination; });
    state_changed_.notify_all();
  }
  say_gone(destination);
}

void Lane::begin_close(TimePoint deadline, bool all) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& destination : destinations_) destination->capacity.close();
  }
  if (all) all_close_.store(true, std::memory_order_release);
  const TimePoint::rep wanted = deadline.time_since_epoch().count();
  for (auto now = close_deadline_.load(std::memory_order_relaxed);
       wanted < now && !close_deadline_.compare_exchange_weak(now, wanted, std::memory_order_release);) {
  }
  wake_up_->wake();
}

bool Lane::wait_until_ended(TimePoint deadline) {
  std::unique_lock lock(mutex_);
  return state_changed_.wait_until(lock, deadline, [&] { return ended_; });
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
  become_lane_thread_of(*callbacks_);
  unix_ms_.store(coarse_unix_ms(), std::memory_order_relaxed);
  core_.start();
  TimePoint::rep closing_by = open;
  bool closing_with_all = false;
  while (!core_.finished()) {
    core_.begin_turn();
    if (const std::uint64_t now = coarse_unix_ms(); now != unix_ms_.load(std::memory_order_relaxed)) {
      unix_ms_.store(now, std::memory_order_relaxed);
      answer_for_ages();
    }
    const int admitted = admit_queued();
    const auto deadline = close_deadline_.load(std::memory_order_acquire);
    const bool with_all = all_close_.load(std::memory_order_acquire);
    if (deadline < closing_by || (with_all != closing_with_all && deadline != open)) {
      closing_by = deadline;
      closing_with_all = with_all;
      core_.begin_close(TimePoint(TimePoint::duration(deadline)), with_all);
    }
    core_.step();
    core_.report([this](Record& record, const DeliveryReport& report) { callbacks_->run(record, report); });
    if (!core_.finished() && !core_.has_work() && queue_.empty()) sleep(admitted > 0 && closing_by == open);
  }
  answer_for_ages();
  Destinations all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(destinations_);
  }
  for (const auto& destination : all) say_gone(*destination);
  const std::lock_guard lock(mutex_);
  ended_ = true;
  while (QueueNode* node = queue_.pop()) static_cast<LaneCommand&>(*node).lane_ended();  // no message can be left
  state_changed_.notify_all();
}

int Lane::admit_queued() {
  int admitted = 0;
  for (; admitted < most_admitted_per_turn; ++admitted) {
    QueueNode* const node = queue_.pop();
    if (node == nullptr) break;
    prefetch(queue_.upcoming());
    if (node->is_command) {
      static_cast<LaneCommand&>(*node).run(core_);
    } else {
      core_.admit(static_cast<Record&>(*node));
    }
  }
  return admitted;
}

void Lane::sleep(bool messages_may_follow) {
  const WaitRequest request = core_.wait_request();
  if (messages_may_follow) {
    const TimePoint grace_ends = Clock::now() + idle_grace;
    if (request.at <= grace_ends) {
      wait(request, request.at);
      return;
    }
    if (wait(request, grace_ends) || !queue_.empty()) return;
    // Nothing has come: a turn would find nothing to do.
  }
  asleep_.store(true, std::memory_order_seq_cst);
  if (queue_.empty()) wait(request, request.at);
  asleep_.store(false, std::memory_order_seq_cst);
}

/// For what the broker waits for, or a wake-up, until `latest` at most. False: nothing came.
bool Lane::wait(const WaitRequest& request, TimePoint latest) {
  pollfd fds[2] = {{.fd = wake_up_->fd(), .events = POLLIN, .revents = 0},
                   {.fd = request.fd, .events = POLLIN, .revents = 0}};
  if (request.writable) fds[1].events |= POLLOUT;
  timespec timeout{};
  const timespec* time = nullptr;
  if (latest != TimePoint::max()) {
    const TimePoint now = Clock::now();
    const auto left = latest > now ? latest - now : Clock::duration::zero();
    timeout.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(left).count();
    timeout.tv_nsec = std::chrono::duration_cast<std::chrono::nanoseconds>(left % std::chrono::seconds(1)).count();
    time = &timeout;
  }
  const bool something_came = ::ppoll(fds, request.fd >= 0 ? 2 : 1, time, nullptr) != 0;  // the turn looks what
  if ((fds[0].revents & POLLIN) != 0) {
    wake_up_->clear();
    answer_for_ages();
  }
  return something_came;
}

std::uint32_t Lane::ask_for_ages() noexcept {
  const std::uint32_t asked = ages_asked_.fetch_add(1, std::memory_order_acq_rel) + 1;
  wake_up_->wake();
  return asked;
}

bool Lane::wait_for_ages(std::uint32_t asked, TimePoint deadline) const noexcept {
  for (;;) {
    const std::uint32_t answered = ages_answered_.load(std::memory_order_acquire);
    if (static_cast<std::int32_t>(answered - asked) >= 0) return true;
    if (Clock::now() >= deadline) return false;
    futex_wait(ages_answered_, answered, deadline);
  }
}

void Lane::answer_for_ages() noexcept {
  const std::uint32_t asked = ages_asked_.load(std::memory_order_acquire);
  if (asked == ages_answered_.load(std::memory_order_relaxed)) return;
  core_.note_oldest();
  ages_answered_.store(asked, std::memory_order_release);
  futex_wake_all(ages_answered_);
}

}  // namespace action_triggers::detail
