// SPDX-License-Identifier: MIT
#include "dispatch/record_pool.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <new>
#include <utility>

// Under AddressSanitizer every block is malloc's, so that it sees what is used after it was freed.
#if defined(__SANITIZE_ADDRESS__)
#define ACTION_TRIGGERS_POOL 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ACTION_TRIGGERS_POOL 0
#endif
#endif
#ifndef ACTION_TRIGGERS_POOL
#define ACTION_TRIGGERS_POOL 1
#endif

namespace action_triggers::detail {
namespace {

constexpr bool pooled = ACTION_TRIGGERS_POOL != 0;
// Four sizes for each doubling: of a block a message leaves a fifth unused at most, which would be memory that a long
// queue has to fetch page by page. Less what makes glibc's malloc round them up to 16 bytes below that size: blocks
// that lie a power of two apart would take turns in a few places of the processor's caches.
constexpr std::size_t smallest = 256;
constexpr std::size_t malloc_overhead = 24;
constexpr std::size_t steps = 4;
constexpr std::size_t doublings = 4;
constexpr std::size_t sizes = 1 + steps * doublings;
constexpr std::size_t largest = (smallest << doublings) - malloc_overhead;
constexpr std::size_t batch_blocks = 32;
constexpr std::size_t most_kept_bytes = 32UL << 20U;

constexpr std::size_t size_index(std::size_t bytes) noexcept {
  const std::size_t wanted = bytes + malloc_overhead;
  if (wanted <= smallest) return 0;
  const auto doubling = static_cast<std::size_t>(std::bit_width(wanted - 1) - std::bit_width(smallest));
  constexpr auto step_bits = static_cast<std::size_t>(std::countr_zero(smallest / steps));
  return 1 + steps * doubling + ((wanted - 1 - (smallest << doubling)) >> (step_bits + doubling));  // not divided
}
constexpr std::size_t block_bytes(std::size_t index) noexcept {
  if (index == 0) return smallest - malloc_overhead;
  const std::size_t doubling = (index - 1) / steps;
  return (smallest << doubling) + ((index - 1) % steps + 1) * ((smallest / steps) << doubling) - malloc_overhead;
}
static_assert(block_bytes(size_index(1)) == 232 && block_bytes(size_index(233)) == 296);
static_assert(block_bytes(size_index(488)) == 488 && block_bytes(size_index(489)) == 616);
static_assert(block_bytes(size_index(1'256)) == 1'256 && block_bytes(size_index(largest)) == largest);
static_assert(size_index(largest) == sizes - 1);

/// A free block. The first of a batch links to the next batch.
struct Block {
  Block* next;
  Block* next_batch;
};

void free_blocks(Block* blocks) noexcept {
  while (blocks != nullptr) ::operator delete(static_cast<void*>(std::exchange(blocks, blocks->next)));
}

/// Batches of free blocks of one size. Nobody waits for it: whoever finds it taken goes to malloc. So a fork() in the
/// middle of a call is harmless, too.
class Depot {
 public:
  Block* take() noexcept {
    if (batches_.load(std::memory_order_relaxed) == nullptr || busy_.test_and_set(std::memory_order_acquire)) {
      return nullptr;
    }
    Block* const batch = batches_.load(std::memory_order_relaxed);
    if (batch != nullptr) batches_.store(batch->next_batch, std::memory_order_relaxed);
    busy_.clear(std::memory_order_release);
    return batch;
  }
  bool give(Block* batch) noexcept {
    if (busy_.test_and_set(std::memory_order_acquire)) return false;
    batch->next_batch = batches_.load(std::memory_order_relaxed);
    batches_.store(batch, std::memory_order_relaxed);
    busy_.clear(std::memory_order_release);
    return true;
  }

 private:
  alignas(64) std::atomic_flag busy_;
  std::atomic<Block*> batches_{nullptr};
};

std::array<Depot, sizes> depots;
// Each batch in a depot or in a thread's cache has its room reserved here, whether it is full or not.
std::atomic<std::size_t> reserved_bytes{0};

bool reserve_batch(std::size_t index) noexcept {
  const std::size_t bytes = batch_blocks * block_bytes(index);
  if (reserved_bytes.fetch_add(bytes, std::memory_order_relaxed) + bytes <= most_kept_bytes) return true;
  reserved_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}
void unreserve_batch(std::size_t index) noexcept {
  reserved_bytes.fetch_sub(batch_blocks * block_bytes(index), std::memory_order_relaxed);
}

/// With its reservation.
void give_batch(std::size_t index, Block* batch) noexcept {
  if (depots[index].give(batch)) return;
  unreserve_batch(index);
  free_blocks(batch);
}

/// One thread's free blocks of one size: those it is using up or filling, and a full batch, so that a thread that takes
/// and frees in turn does not go to the depot each time.
struct Cache {
  Block* blocks = nullptr;
  std::size_t count = 0;
  Block* full = nullptr;
  std::size_t reserved = 0;  // batches: never fewer than there are, and kept for the next ones

  /// False: the depot has none.
  bool take_batch(std::size_t index) noexcept {
    blocks = full != nullptr ? std::exchange(full, nullptr) : depots[index].take();
    if (blocks == nullptr) return false;
    count = batch_blocks;
    return true;
  }
};

struct ThreadCaches {
  std::array<Cache, sizes> of_size{};
  ~ThreadCaches();
};

// Trivial, and so usable to the thread's very end.
thread_local bool caches_ended = false;
thread_local ThreadCaches caches;

ThreadCaches::~ThreadCaches() {
  caches_ended = true;
  for (std::size_t index = 0; index < sizes; ++index) {
    Cache& cache = of_size[index];
    free_blocks(cache.blocks);
    if (cache.full != nullptr) {
      give_batch(index, cache.full);
      --cache.reserved;
    }
    for (; cache.reserved > 0; --cache.reserved) unreserve_batch(index);
  }
}

constexpr std::uint8_t not_pooled = sizes;

/// nullptr: this thread has none, or none of this size.
Cache* cache_of(std::uint8_t size_class) noexcept {
  return !pooled || size_class == not_pooled || caches_ended ? nullptr : &caches.of_size[size_class];
}

}  // namespace

std::uint8_t size_class_of(std::size_t bytes) noexcept {
  return !pooled || bytes > largest ? not_pooled : static_cast<std::uint8_t>(size_index(bytes));
}

RecordMemory allocate_record(std::size_t bytes) {
  const std::uint8_t index = size_class_of(bytes);
  Cache* const cache = cache_of(index);
  if (cache == nullptr) {
    // A block always has its class's size, whoever makes it: another thread may keep it when it is freed.
    return {::operator new((pooled && bytes <= largest) ? block_bytes(size_index(bytes)) : bytes), index};
  }
  if (cache->blocks == nullptr) {
    const bool from_depot = cache->full == nullptr;
    if (!cache->take_batch(index)) return {::operator new(block_bytes(index)), index};
    if (from_depot && cache->reserved++ > 0) {  // it brought its reservation along
      --cache->reserved;
      unreserve_batch(index);
    }
  }
  --cache->count;
  return {std::exchange(cache->blocks, cache->blocks->next), index};
}

void free_record(void* block, std::uint8_t size_class) noexcept {
  Cache* const cache = cache_of(size_class);
  if (cache == nullptr) {
    ::operator delete(block);
    return;
  }
  if (cache->count == batch_blocks) {
    if (cache->full != nullptr) {
      give_batch(size_class, cache->full);
      --cache->reserved;
    }
    cache->full = std::exchange(cache->blocks, nullptr);
    cache->count = 0;
  }
  const std::size_t batches = cache->full != nullptr ? 2 : 1;
  if (cache->reserved < batches) {
    if (!reserve_batch(size_class)) {
      ::operator delete(block);
      return;
    }
    ++cache->reserved;
  }
  cache->blocks = ::new (block) Block{cache->blocks, nullptr};
  ++cache->count;
}

}  // namespace action_triggers::detail
