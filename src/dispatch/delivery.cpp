#include "action_triggers/delivery.hpp"

#include <array>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <new>
#include <stdexcept>

#include "base/message_id.hpp"
#include "dispatch/record.hpp"
#include "dispatch/record_pool.hpp"

namespace action_triggers {
namespace detail {
namespace {

/// Where threads wait for outcomes: a few shared places instead of a mutex in every message.
struct WaitingPlace {
  std::mutex mutex;
  std::condition_variable changed;
};

WaitingPlace& waiting_place(const void* record) {
  static auto& places = *new std::array<WaitingPlace, 16>;  // never destroyed: Deliveries may outlive main()
  return places[(reinterpret_cast<std::uintptr_t>(record) >> 6U) % places.size()];
}

char* append(char* at, std::string_view text) {
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

std::uint32_t size32(std::size_t size) { return static_cast<std::uint32_t>(size); }

}  // namespace

void refuse_on_lane_thread(const char* what) {
  if (on_lane_thread) {
    throw std::logic_error(std::string(what) +
                           " was called in a callback on a lane's thread, where waiting for a lane could never end; "
                           "do it on another thread, or set DispatcherOptions::executor");
  }
}

std::size_t Record::payload_bytes(const MessageParts& parts) noexcept {
  std::size_t bytes = parts.body.size();
  if (parts.rest != nullptr) {
    bytes += parts.rest->key.size() + parts.rest->content_type.size() + parts.rest->id.size();
    for (const Header& header : parts.rest->headers) {
      bytes += 2 * sizeof(std::uint32_t) + header.name.size() + header.value.size();
    }
  }
  return bytes;
}

Record* Record::make(const MessageParts& parts, std::size_t payload_bytes, DeliveryCallback&& callback) {
  const bool needs_id = parts.rest == nullptr || parts.rest->id.empty();
  const std::size_t id_room = needs_id ? MessageIdGenerator::text_size : 0;
  void* memory = allocate_record(sizeof(Record) + payload_bytes + id_room);
  auto* record = ::new (memory) Record(std::move(callback));
  char* at = static_cast<char*>(memory) + sizeof(Record);
  record->bytes_ = at;
  record->body_size_ = size32(parts.body.size());
  record->id_size_ = size32(id_room);
  record->needs_id_ = needs_id;
  record->quota_bytes = size32(payload_bytes);
  at = append(at, parts.body);
  if (parts.rest == nullptr) return record;
  const Message& rest = *parts.rest;
  record->key_size_ = size32(rest.key.size());
  record->content_type_size_ = size32(rest.content_type.size());
  if (!needs_id) record->id_size_ = size32(rest.id.size());
  record->header_count_ = size32(rest.headers.size());
  if (rest.expiration) record->expiration_ms_ = std::max<std::int64_t>(rest.expiration->count(), 0);
  if (rest.priority) record->priority_ = *rest.priority;
  at = append(at, rest.key);
  at = append(at, rest.content_type);
  at = append(at, rest.id) + id_room;
  for (const Header& header : rest.headers) {
    const std::uint32_t sizes[2] = {size32(header.name.size()), size32(header.value.size())};
    std::memcpy(at, sizes, sizeof sizes);
    at = append(append(at + sizeof sizes, header.name), header.value);
  }
  return record;
}

Record::~Record() = default;

std::size_t Record::allocated_bytes() const noexcept {
  return sizeof(Record) + quota_bytes + (needs_id_ ? MessageIdGenerator::text_size : 0);
}

void Record::drop_reference() noexcept {
  if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    const std::size_t bytes = allocated_bytes();
    this->~Record();
    free_record(this, bytes);
  }
}

void Record::publish() noexcept {
  if (state.exchange(State::done, std::memory_order_acq_rel) == State::waited_for) {
    WaitingPlace& place = waiting_place(this);    // `this` may end as soon as somebody sees `done`; the place does not
    { const std::lock_guard lock(place.mutex); }  // whoever saw it pending waits by now …
    place.changed.notify_all();                   // … and does not wake up only to wait for the mutex
  }
}

bool Record::wait_until(TimePoint deadline) noexcept {
  WaitingPlace& place = waiting_place(this);
  std::unique_lock lock(place.mutex);
  for (;;) {
    State seen = State::pending;
    state.compare_exchange_strong(seen, State::waited_for, std::memory_order_acq_rel, std::memory_order_acquire);
    if (seen == State::done) return true;
    if (deadline == TimePoint::max()) {
      place.changed.wait(lock);
    } else if (place.changed.wait_until(lock, deadline) == std::cv_status::timeout) {
      return published();
    }
  }
}

void Record::set_destination(const BrokerConfig& config, std::uint32_t index) noexcept {
  destination_ = &config;
  destination_index_ = index;
}

char* Record::missing_id() noexcept {
  if (!needs_id_) return nullptr;
  return reinterpret_cast<char*>(this) + sizeof(Record) + body_size_ + key_size_ + content_type_size_;
}

}  // namespace detail

Delivery::Delivery(const Delivery& other) noexcept : record_(other.record_) {
  if (record_ != nullptr) record_->add_reference();
}

Delivery::~Delivery() {
  if (record_ != nullptr) record_->drop_reference();
}

bool Delivery::done() const {
  if (record_ == nullptr) throw std::logic_error("this Delivery belongs to no fire");
  return record_->published();
}

DeliveryReport Delivery::wait() && { return static_cast<const Delivery&>(*this).wait(); }

const DeliveryReport& Delivery::wait() const& {
  if (!done()) {
    detail::refuse_on_lane_thread("Delivery::wait");
    record_->wait_until(TimePoint::max());
  }
  return *record_->report;
}

const DeliveryReport* Delivery::wait_for(std::chrono::nanoseconds timeout) const {
  if (!done()) {
    if (timeout <= std::chrono::nanoseconds::zero()) return nullptr;
    detail::refuse_on_lane_thread("Delivery::wait_for");
    const TimePoint now = Clock::now();
    const TimePoint deadline = timeout < TimePoint::max() - now ? now + timeout : TimePoint::max();
    if (!record_->wait_until(deadline)) return nullptr;
  }
  return record_->report.get();
}

}  // namespace action_triggers
