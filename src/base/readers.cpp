// SPDX-License-Identifier: MIT
#include "base/readers.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

namespace action_triggers::detail {

constinit thread_local Reader* reader_of_thread = nullptr;
constinit std::atomic<bool> writer_has_barrier{false};

namespace {

constinit std::atomic<Reader*> all_readers{nullptr};  // they are never freed: another thread takes what one leaves

long membarrier(int command) noexcept { return ::syscall(SYS_membarrier, command, 0, 0); }

bool kernel_has_barrier() noexcept {
  const long commands = membarrier(MEMBARRIER_CMD_QUERY);
  return commands > 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0;
}

/// The process registers when it first needs it: where it has threads that takes the kernel some 10 ms, which start-up
/// need not wait for.
void let_all_threads_pass_a_barrier() noexcept {
  if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0) return;
  membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
  if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0) membarrier(MEMBARRIER_CMD_GLOBAL);
}

/// Gives the thread's reader back when the thread ends. What reads later, in destructors that run after this one, takes
/// another for good.
struct GiveBack {
  ~GiveBack() {
    Reader* const reader = reader_of_thread;
    reader_of_thread = nullptr;
    has_ended = true;
    if (reader != nullptr) reader->taken.store(false, std::memory_order_release);
  }
  static constinit thread_local bool has_ended;
};
constinit thread_local bool GiveBack::has_ended = false;

Reader* take_one_that_is_free() noexcept {
  for (Reader* one = all_readers.load(std::memory_order_acquire); one != nullptr; one = one->next) {
    bool taken = false;
    if (one->taken.compare_exchange_strong(taken, true, std::memory_order_acq_rel)) return one;
  }
  return nullptr;
}

Reader* make_one() {
  static std::atomic<std::uint32_t> last_number{0};
  auto* const made = new Reader;
  made->number = last_number.fetch_add(1, std::memory_order_relaxed) + 1;
  made->next = all_readers.load(std::memory_order_relaxed);
  while (!all_readers.compare_exchange_weak(made->next, made, std::memory_order_acq_rel)) {
  }
  return made;
}

/// For who cannot say that there is none.
template <class Call>
void when_there_is_memory(Call&& call) noexcept {
  for (;;) {
    try {
      return call();
    } catch (const std::bad_alloc&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

}  // namespace

Reader& make_reader_of_thread() {
  static std::once_flag once;
  std::call_once(once, [] { writer_has_barrier.store(kernel_has_barrier(), std::memory_order_relaxed); });
  Reader* const free = take_one_that_is_free();
  Reader& reader = free != nullptr ? *free : *make_one();
  reader_of_thread = &reader;
  if (!GiveBack::has_ended) {
    [[maybe_unused]] static thread_local const GiveBack at_the_end;
  }
  return reader;
}

void make_ready_to_read() noexcept {
  if (reader_of_thread == nullptr) when_there_is_memory([] { make_reader_of_thread(); });
}

bool is_reading() noexcept {
  return reader_of_thread != nullptr && (reader_of_thread->count.load(std::memory_order_relaxed) & 1U) != 0;
}

namespace {

/// A section that a thread is in.
struct Section {
  const Reader* reader;
  std::uint64_t count;
};

std::vector<Section> sections_under_way() {
  std::vector<Section> found;
  for (const Reader* one = all_readers.load(std::memory_order_acquire); one != nullptr; one = one->next) {
    const std::uint64_t count = one->count.load(std::memory_order_seq_cst);
    if ((count & 1U) != 0) found.push_back({one, count});
  }
  return found;
}

}  // namespace

void wait_for_readers() noexcept {
  // What was published before is seen by every section that this does not see.
  if (writer_has_barrier.load(std::memory_order_relaxed)) let_all_threads_pass_a_barrier();
  // All are looked at before one is waited for: a section that begins meanwhile may last, and is none of those.
  std::vector<Section> sections;
  when_there_is_memory([&] { sections = sections_under_way(); });
  for (const auto& [reader, count] : sections) {
    for (int tries = 0; reader->count.load(std::memory_order_acquire) == count; ++tries) {
      if (tries < 100) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));  // a fire that waits for capacity
      }
    }
  }
}

void forget_readers_of_parent() noexcept {
  all_readers.store(nullptr, std::memory_order_relaxed);
  reader_of_thread = nullptr;
}

}  // namespace action_triggers::detail
