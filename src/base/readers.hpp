// SPDX-License-Identifier: MIT
/// Readers of what somebody replaces now and then: how the one who replaces it learns that nobody uses the old one any
/// more. Reading costs two stores to memory of the thread's own; replacing waits.
///
///     {                                          // any thread
///       const ReadSection reading;
///       use(*current.load(std::memory_order_seq_cst));
///     }
///     current.store(next, std::memory_order_seq_cst);
///     wait_for_readers();                        // then the old one can be freed
#pragma once

#include <atomic>
#include <cstdint>

namespace action_triggers::detail {

/// One for each thread that has ever read: odd inside a section.
struct alignas(64) Reader {
  std::atomic<std::uint64_t> count{0};
  std::atomic<bool> taken{true};  // by a thread; false: another one may have it
  Reader* next = nullptr;
  std::uint32_t number = 0;  // not 0, and no other one's
};

extern constinit thread_local Reader* reader_of_thread;
/// The writer's barrier does for readers what a fence of their own would do (Linux: membarrier(2)). Known before the
/// first section begins.
extern constinit std::atomic<bool> writer_has_barrier;

/// Throws std::bad_alloc.
Reader& make_reader_of_thread();

/// May stand inside another one of the same thread. Throws std::bad_alloc if it is the thread's first.
class ReadSection {
 public:
  ReadSection() : reader_(reader_of_thread != nullptr ? *reader_of_thread : make_reader_of_thread()) {
    const std::uint64_t count = reader_.count.load(std::memory_order_relaxed);
    is_outer_ = (count & 1U) == 0;
    if (!is_outer_) return;
    if (writer_has_barrier.load(std::memory_order_relaxed)) [[likely]] {
      reader_.count.store(count + 1, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      reader_.count.exchange(count + 1, std::memory_order_seq_cst);
    }
  }
  ~ReadSection() {
    if (is_outer_) reader_.count.store(reader_.count.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  ReadSection(const ReadSection&) = delete;
  ReadSection& operator=(const ReadSection&) = delete;

 private:
  Reader& reader_;
  bool is_outer_ = false;
};

/// A number that tells the calling thread from all others that run; 0: it has never read.
[[nodiscard]] inline std::uint32_t this_thread() noexcept {
  return reader_of_thread == nullptr ? 0 : reader_of_thread->number;
}

/// Afterwards a section of this thread throws nothing. For who cannot say that there is no memory: waits for some.
void make_ready_to_read() noexcept;

/// Whether the calling thread is inside a section.
[[nodiscard]] bool is_reading() noexcept;

/// Returns when every section that had begun before the call has ended; not inside a section. Waits for memory, too.
void wait_for_readers() noexcept;

/// In a child of fork(): its only thread is inside no section, and the others do not exist.
void forget_readers_of_parent() noexcept;

}  // namespace action_triggers::detail
