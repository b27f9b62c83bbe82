// SPDX-License-Identifier: MIT
#include "triggers/event_functions.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <stdexcept>
#include <utility>

#include "base/readers.hpp"
#include "dispatch/trace_context.hpp"

namespace action_triggers::detail {
namespace {

/// The trace of an event goes on in what a function makes of it, as it does in what targets make.
void pass_trace_on(const EventView& event, std::vector<AddressedMessage>& messages) {
  const Header* const parent = event.header(traceparent_header);
  if (parent == nullptr) return;
  const Header* const state = event.header(tracestate_header);
  for (auto& [destination, message] : messages) {
    if (find_header(message, traceparent_header) != nullptr) continue;
    message.headers.push_back(*parent);
    if (state != nullptr && find_header(message, tracestate_header) == nullptr) message.headers.push_back(*state);
  }
}

}  // namespace

std::string EventFunctions::Function::run(const EventView& event, std::vector<AddressedMessage>& messages) const {
  std::string why;
  try {
    messages = call(Event{.name = event.name(),
                          .id = event.id(),
                          .time = event.time(),
                          .payload = event.body(),
                          .message = event.message()});
    pass_trace_on(event, messages);
    return why;
  } catch (const std::exception& error) {
    why = error.what();
  } catch (...) {
    why = "what is no std::exception";
  }
  return "the function '" + name + "' has thrown: " + why;
}

EventFunctions::List::const_iterator EventFunctions::find(const List& list, std::string_view name) {
  return std::find_if(list.begin(), list.end(), [&](const auto& one) { return one->name == name; });
}

/// Under mutex_.
EventFunctions::List EventFunctions::list() const { return owned_table_ == nullptr ? List() : owned_table_->functions; }

void EventFunctions::add(Function function) {
  {
    const std::lock_guard lock(mutex_);
    List list = this->list();
    if (find(list, function.name) != list.end()) {
      throw std::invalid_argument("there is a function for events named '" + function.name +
                                  "' already; give on() another name");
    }
    list.push_back(std::make_shared<const Function>(std::move(function)));
    replace(std::move(list));
  }
  free_replaced();
}

bool EventFunctions::remove(std::string_view name) {
  {
    const std::lock_guard lock(mutex_);
    List list = this->list();
    const auto found = find(list, name);
    if (found == list.end()) return false;
    list.erase(found);
    replace(std::move(list));
  }
  free_replaced();
  return true;
}

/// Under mutex_.
void EventFunctions::replace(List list) {
  std::unique_ptr<Table> table;
  if (!list.empty()) {
    table = std::make_unique<Table>();
    for (std::size_t i = 0; i < list.size(); ++i) table->patterns.add(list[i]->pattern, static_cast<std::uint32_t>(i));
    table->functions = std::move(list);
    table->generation = ++last_generation_;
  }
  replaced_.push_back(nullptr);  // what throws comes first
  replaced_.back() = std::exchange(owned_table_, std::move(table));
  table_.store(owned_table_.get(), std::memory_order_seq_cst);
}

/// A function that changes what it is in, and a callback inside emit(), would wait for themselves: then it is left to
/// the next change.
void EventFunctions::free_replaced() {
  if (is_reading()) return;
  std::vector<std::unique_ptr<const Table>> replaced;
  {
    const std::lock_guard lock(mutex_);
    replaced.swap(replaced_);
  }
  wait_for_readers();  // also if another thread frees what this one has replaced
}

}  // namespace action_triggers::detail
