// SPDX-License-Identifier: MIT
#include "dispatch/record.hpp"

#include <new>
#include <string>
#include <thread>
#include <utility>

#include "base/futex.hpp"
#include "dispatch/destination.hpp"
#include "dispatch/record_pool.hpp"

namespace action_triggers::detail {
namespace {

/// A payload that came with the first of its records lies right behind it.
void* behind(const Record* record) { return const_cast<Record*>(record) + 1; }

void free_payload(Payload& payload) noexcept {
  const std::uint8_t size_class = payload.size_class();
  void* const block = reinterpret_cast<char*>(&payload) - sizeof(Record);
  payload.~Payload();
  free_record(block, size_class);
}

}  // namespace

static_assert(sizeof(Record) % alignof(Payload) == 0);
// With a body of 256 bytes, 64 bytes or 1 KiB a message takes a block of 512, 320 or 1,280 bytes.
static_assert(sizeof(Record) + sizeof(Payload) + MessageId::text_size <= 256 - 24);

Record::Record(const Destination& destination, Payload& payload, DeliveryCallback&& to_call) noexcept
    : callback(std::move(to_call)) {
  payload_ = &payload;
  destination_ = &destination;
}

Destination& Record::dest() const noexcept {
  return const_cast<Destination&>(static_cast<const Destination&>(*destination_));  // as the constructor got it
}

Destination& Record::shared_dest() const noexcept {
  const DestinationRef* const now = std::atomic_ref(const_cast<Record*>(this)->destination_).load();
  return const_cast<Destination&>(static_cast<const Destination&>(*now));
}

void Record::send_to(Destination& destination) noexcept { std::atomic_ref(destination_).store(&destination); }

Record::~Record() = default;

Record* Record::make(Destination& destination, const MessageParts& parts, std::size_t counted_bytes,
                     const MessageId& id, DeliveryCallback&& callback) {
  const std::size_t bytes = sizeof(Record) + sizeof(Payload) + Payload::trailing_bytes(parts, counted_bytes);
  const RecordMemory memory = allocate_record(bytes);
  Payload* const payload =
      Payload::make_at(static_cast<char*>(memory.block) + sizeof(Record), parts, id, memory.size_class);
  auto* const record = ::new (memory.block) Record(destination, *payload, std::move(callback));
  record->capacity_bytes = static_cast<std::uint32_t>(counted_bytes);
  if (Payload::has_own_id(parts)) record->id_state.store(id_is_text, std::memory_order_relaxed);
  return record;
}

std::string Record::shared_id() const {
  if (id_state.load(std::memory_order_acquire) == id_is_binary) {
    const MessageId id = payload().binary_id();
    if (id_state.load(std::memory_order_relaxed) == id_is_binary) {
      std::string text(MessageId::text_size, '\0');
      id.write_text(text.data());
      return text;
    }
  }
  while (id_state.load(std::memory_order_acquire) != id_is_text) std::this_thread::yield();  // 36 characters
  return std::string(payload().id());
}

Record* Record::share(Destination& destination, const Record& original, DeliveryCallback&& callback) {
  auto* const record =
      ::new (allocate_record(sizeof(Record)).block) Record(destination, original.payload(), std::move(callback));
  record->payload().add_reference();
  record->capacity_bytes = original.capacity_bytes;
  record->id_state.store(id_is_text, std::memory_order_relaxed);
  return record;
}

void Record::drop_reference() noexcept {
  if (references.load(std::memory_order_acquire) != 1 && references.fetch_sub(1, std::memory_order_acq_rel) != 1) {
    return;
  }
  if (durable) observer->forgotten(*this);
  Payload& bytes = payload();
  const bool brought_payload = &bytes == behind(this);
  this->~Record();
  if (!brought_payload) free_record(this, size_class_of(sizeof(Record)));
  if (bytes.drop_reference()) free_payload(bytes);
}

void Record::set_done() noexcept {
  // `this` may end as soon as somebody sees that it is done; the kernel only compares addresses.
  if (state.exchange(is_done, std::memory_order_acq_rel) == has_waiters) futex_wake_all(state);
}

bool Record::wait_until(TimePoint until) noexcept {
  for (;;) {
    std::uint32_t seen = is_pending;
    state.compare_exchange_strong(seen, has_waiters, std::memory_order_acq_rel, std::memory_order_acquire);
    if (seen == is_done) return true;
    futex_wait(state, has_waiters, until);
    if (done()) return true;
    if (until != TimePoint::max() && Clock::now() >= until) return false;
  }
}

void Record::count_attempt(int change) noexcept {
  attempts_ = static_cast<std::uint32_t>(static_cast<int>(attempts_) + change);
}

}  // namespace action_triggers::detail
