// SPDX-License-Identifier: MIT
#include "action_triggers/commit_scope.hpp"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <vector>

#include "triggers/trigger_dispatcher_impl.hpp"

namespace action_triggers {
namespace {

constexpr const char* rolled_back_text = "the commit scope was rolled back";

/// No number is given twice, so that a savepoint of another scope or of an earlier transaction is known as such.
std::uint64_t next_number() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

class CommitScope::Held {
 public:
  explicit Held(std::shared_ptr<TriggerDispatcher::Impl> dispatcher) : impl_(std::move(dispatcher)) {}

  Delivery fire(std::string_view destination, const detail::MessageParts& parts, DeliveryCallback&& callback) {
    return impl_->fire(destination, parts, std::move(callback), messages_);
  }

  Emission emit(std::string_view event, const detail::MessageParts& parts, const DeliveryCallback& callback) {
    detail::Record* const before = messages_.newest();
    try {
      return impl_->emit(event, parts, callback, &messages_);
    } catch (...) {
      drop_after(before, "emit() threw");
      throw;
    }
  }

  std::uint64_t add_mark() {
    marks_.push_back({next_number(), messages_.newest()});
    return marks_.back().number;
  }

  void roll_back_to(std::uint64_t number) {
    const auto mark = find(number);
    detail::Record* const last = mark->last;
    marks_.erase(mark + 1, marks_.end());
    drop_after(last, "the commit scope was rolled back to a savepoint");
  }

  void release(std::uint64_t number) { marks_.erase(find(number), marks_.end()); }

  void commit() noexcept {
    marks_.clear();
    const auto impl = impl_;  // a callback may destroy this
    impl->dispatcher.commit(messages_);
  }

  void roll_back() noexcept {
    marks_.clear();
    const auto impl = impl_;
    impl->dispatcher.roll_back(messages_, rolled_back_text);
  }

  [[nodiscard]] const detail::RecordList& messages() const noexcept { return messages_; }

 private:
  struct Mark {
    std::uint64_t number;
    detail::Record* last;  // that was fired before; nullptr: none
  };

  std::vector<Mark>::iterator find(std::uint64_t number) {
    const auto found =
        std::find_if(marks_.begin(), marks_.end(), [&](const Mark& mark) { return mark.number == number; });
    if (found == marks_.end()) {
      throw std::invalid_argument(
          "this savepoint is not there any more: it was released, an older one was rolled back to, or it belongs to "
          "another transaction or scope");
    }
    return found;
  }

  void drop_after(const detail::Record* last, const char* why) noexcept {
    detail::RecordList dropped;
    for (detail::Record* record = last == nullptr ? messages_.oldest() : last->newer; record != nullptr;) {
      detail::Record* const next = record->newer;
      messages_.remove(*record);
      dropped.push_newest(*record);
      record = next;
    }
    const auto impl = impl_;  // a callback may destroy this
    impl->dispatcher.roll_back(dropped, why);
  }

  const std::shared_ptr<TriggerDispatcher::Impl> impl_;
  detail::RecordList messages_;  // in the order of firing
  std::vector<Mark> marks_;      // the oldest first
};

CommitScope::CommitScope(TriggerDispatcher& dispatcher) : held_(std::make_unique<Held>(dispatcher.impl_)) {}

CommitScope::~CommitScope() {
  while (!empty()) rollback();  // what a callback fires meanwhile, too
}

Delivery CommitScope::fire(std::string_view destination, const Message& message) {
  return held_->fire(destination, {message.body, &message}, {});
}

Delivery CommitScope::fire(std::string_view destination, const Message& message, DeliveryCallback callback) {
  return held_->fire(destination, {message.body, &message}, std::move(callback));
}

Delivery CommitScope::fire(std::string_view destination, std::string_view body) {
  return held_->fire(destination, {body, nullptr}, {});
}

Delivery CommitScope::fire(std::string_view destination, std::string_view body, DeliveryCallback callback) {
  return held_->fire(destination, {body, nullptr}, std::move(callback));
}

Emission CommitScope::emit(std::string_view event, const Message& message) {
  return held_->emit(event, {message.body, &message}, {});
}

Emission CommitScope::emit(std::string_view event, const Message& message, const DeliveryCallback& callback) {
  return held_->emit(event, {message.body, &message}, callback);
}

Emission CommitScope::emit(std::string_view event, std::string_view payload) {
  return held_->emit(event, {payload, nullptr}, {});
}

Emission CommitScope::emit(std::string_view event, std::string_view payload, const DeliveryCallback& callback) {
  return held_->emit(event, {payload, nullptr}, callback);
}

CommitScope::Savepoint CommitScope::savepoint() { return Savepoint(held_->add_mark()); }
void CommitScope::rollback_to(Savepoint savepoint) { held_->roll_back_to(savepoint.number_); }
void CommitScope::release(Savepoint savepoint) { held_->release(savepoint.number_); }

void CommitScope::commit() noexcept { held_->commit(); }
void CommitScope::rollback() noexcept { held_->roll_back(); }

std::size_t CommitScope::size() const noexcept {
  std::size_t count = 0;
  for (const detail::Record* record = held_->messages().oldest(); record != nullptr; record = record->newer) ++count;
  return count;
}

bool CommitScope::empty() const noexcept { return held_->messages().empty(); }

}  // namespace action_triggers
