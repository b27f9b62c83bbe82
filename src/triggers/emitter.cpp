// SPDX-License-Identifier: MIT
#include "triggers/emitter.hpp"

#include <array>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <utility>

#include "base/message_id.hpp"
#include "base/readers.hpp"
#include "triggers/event_pattern.hpp"
#include "triggers/holds_for.hpp"
#include "triggers/target_message.hpp"

namespace action_triggers::detail {
namespace {

/// So many names of events that nothing matches are logged, each once.
constexpr std::size_t most_logged = 1000;

std::vector<const TriggerConfig*> active_of(const TriggersConfig* config) {
  std::vector<const TriggerConfig*> active;
  if (config == nullptr) return active;
  for (const TriggerConfig& trigger : config->triggers) {
    if (trigger.active) active.push_back(&trigger);
  }
  return active;
}

}  // namespace

TriggerTable::TriggerTable(std::shared_ptr<const TriggersConfig> config, const FindDestination& find,
                           const CountersOf& counters_of)
    : config_(std::move(config)), selection_(active_of(config_.get())) {
  if (config_ == nullptr) return;
  for (const TriggerConfig& trigger : config_->triggers) add(trigger, find, counters_of(trigger.name));
}

std::uint64_t TriggerTable::next_generation() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

void TriggerTable::add(const TriggerConfig& trigger, const FindDestination& find, TriggerCounters& counters) {
  if (!trigger.active) return;
  Trigger bound{.config = &trigger, .counters = &counters, .targets = {}};
  for (const TargetConfig& target : trigger.targets) {
    Destination* const destination = find(target);
    if (destination == nullptr) {
      throw std::invalid_argument("trigger '" + trigger.name + "' sends to '" + target.broker +
                                  "', which the configuration does not have");
    }
    bound.targets.push_back({&target, destination});
  }
  triggers_.push_back(std::move(bound));
}

// --------------------------------------------------------------------------------------------------------- one event

/// What one emit() uses and a later one on the same thread uses again.
struct Emitter::Scratch {
  TriggerSelection::Search search;
  EventTable::Search functions;  // those that the event's name concerns
  TargetMessage made;
  const Message nothing{};  // beside a body that came alone
};

/// The calling thread's, while this lives. A callback may emit inside emit(): then it gets another one; and so does
/// what emits when the thread, or main(), has ended: a destructor of an object that lasts longer than the kept one.
class Emitter::ScratchOfThread {
 public:
  ScratchOfThread() : scratch_(kept != nullptr ? std::exchange(kept, nullptr) : make()) {}
  ~ScratchOfThread() {
    if (kept != nullptr || has_ended) {
      delete scratch_;
    } else {
      scratch_->made.drop_large();
      scratch_->search.json.drop_large();
      kept = scratch_;
    }
  }
  ScratchOfThread(const ScratchOfThread&) = delete;
  ScratchOfThread& operator=(const ScratchOfThread&) = delete;

  Scratch& operator*() const noexcept { return *scratch_; }
  Scratch* operator->() const noexcept { return scratch_; }

 private:
  struct FreeAtTheEnd {
    ~FreeAtTheEnd() {
      has_ended = true;
      delete std::exchange(kept, nullptr);
    }
  };
  [[gnu::noinline]] static Scratch* make() {
    if (!has_ended) {
      [[maybe_unused]] static thread_local const FreeAtTheEnd at_the_end;
    }
    return new Scratch;
  }

  static constinit thread_local Scratch* kept;
  static constinit thread_local bool has_ended;

  Scratch* const scratch_;
};
constinit thread_local Emitter::Scratch* Emitter::ScratchOfThread::kept = nullptr;
constinit thread_local bool Emitter::ScratchOfThread::has_ended = false;

/// One event on its way to its targets. What most events do not need is not inlined, so that the rest stays small.
class Emitter::Sending {
 public:
  Sending(Dispatcher& dispatcher, Scratch& scratch, std::string_view name, const MessageParts& parts,
          const DeliveryCallback& callback, RecordList* scope, Emission& emission)
      : dispatcher_(dispatcher),
        scratch_(scratch),
        name_(name),
        parts_(parts),
        callback_(callback),
        scope_(scope),
        emission_(emission) {}

  /// To all targets of one trigger. `alone`: the event goes to no other target at all.
  void send(const TriggerTable::Trigger& trigger, bool alone) {
    const std::size_t before = emission_.size();
    trigger_ = &trigger;
    const std::optional<bool> matched = trigger.config->when ? holds_for(trigger.config->when, event()) : true;
    for (std::size_t i = 0; i < trigger.targets.size() && matched != false; ++i) {
      if (matched) {
        send_to(trigger.targets[i], i, alone);
      } else {
        refuse(trigger.targets[i], i, "when", event().json_error());
      }
    }
    if (emission_.size() == before) {
      trigger.counters->count_filtered();
    } else {
      trigger.counters->count_matched();
    }
  }

  /// What a function makes of it.
  [[gnu::noinline]] void send(const EventFunctions::Function& function) {
    make_id();
    std::vector<AddressedMessage> messages;
    FireOrigin origin{.observer = function.counters, .id = &id_, .scope = scope_};
    if (std::string why = function.run(event(), messages); !why.empty()) {
      function.counters->count_matched();
      emission_.add(dispatcher_.refuse(parts_, DeliveryCallback(callback_), origin,
                                       {StatusCode::invalid_argument, std::move(why)}));
      return;
    }
    for (AddressedMessage& one : messages) {
      if (one.message.id.empty() && Payload::has_own_id(parts_)) one.message.id = parts_.rest->id;
      emission_.add(
          dispatcher_.fire(one.destination, {one.message.body, &one.message}, DeliveryCallback(callback_), origin));
    }
    if (messages.empty()) {
      function.counters->count_filtered();
    } else {
      function.counters->count_matched();
    }
  }

 private:
  void send_to(const TriggerTable::Target& target, std::size_t index, bool alone) {
    const TargetConfig& config = *target.config;
    if (config.when) {
      const std::optional<bool> matched = holds_for(config.when, event());
      if (!matched) return refuse(target, index, "when", event().json_error());
      if (!*matched) return;
    }
    if (!config.passes_on()) return send_shaped(target, index);
    FireOrigin origin = origin_of();
    origin.shared = !alone;
    origin.first = first_;
    emission_.add(dispatcher_.fire(*target.destination, parts_, DeliveryCallback(callback_), origin));
    first_ = origin.first;
  }

  [[gnu::noinline]] void send_shaped(const TriggerTable::Target& target, std::size_t index) {
    const TargetConfig& config = *target.config;
    TargetMessage& made = scratch_.made;
    const Message& given = parts_.rest != nullptr ? *parts_.rest : scratch_.nothing;
    if (const char* const field = make_target_message(config, event(), given, made)) {
      return refuse(target, index, field, made.error);
    }
    FireOrigin origin = origin_of();
    const MessageParts parts{config.body ? std::string_view(made.body) : parts_.body, &made.message};
    emission_.add(dispatcher_.fire(*target.destination, parts, DeliveryCallback(callback_), origin));
  }

  [[gnu::noinline]] void refuse(const TriggerTable::Target& target, std::size_t index, const char* field,
                                const std::string& why) {
    emission_.add(
        dispatcher_.refuse(*target.destination, parts_, DeliveryCallback(callback_), origin_of(),
                           {StatusCode::invalid_argument, cannot_be_made(*trigger_->config, index, field, why)}));
  }

  FireOrigin origin_of() {
    make_id();
    return {.observer = trigger_->counters, .id = &id_, .scope = scope_};
  }

  void make_id() {
    if (has_id_) return;
    id_ = next_message_id(trigger_ != nullptr ? trigger_->targets.front().destination->lane->unix_ms()
                                              : coarse_unix_ms());
    has_id_ = true;
  }

  /// For conditions and templates: made when the first of them asks.
  [[gnu::noinline]] EventView& event() {
    if (event_) return *event_;
    make_id();
    std::string_view id;
    if (Payload::has_own_id(parts_)) {
      id = parts_.rest->id;
    } else {
      id_.write_text(id_text_.data());
      id = {id_text_.data(), id_text_.size()};
    }
    const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    event_.emplace(EventParts{.name = name_, .id = id, .time = now, .body = parts_.body, .message = parts_.rest},
                   scratch_.search.json, scratch_.search.is_json);
    return *event_;
  }

  Dispatcher& dispatcher_;
  Scratch& scratch_;
  const std::string_view name_;
  const MessageParts& parts_;
  const DeliveryCallback& callback_;
  RecordList* const scope_;
  Emission& emission_;

  const TriggerTable::Trigger* trigger_ = nullptr;
  const Record* first_ = nullptr;  // of the targets that pass the message on: they share its payload
  bool has_id_ = false;
  MessageId id_;
  std::array<char, MessageId::text_size> id_text_{};
  std::optional<EventView> event_;
};

// ------------------------------------------------------------------------------------------------------------ emitter

void Emitter::bind(Dispatcher& dispatcher, std::shared_ptr<const TriggersConfig> config) {
  dispatcher_ = &dispatcher;
  const auto find = [&](const TargetConfig& target) {
    return target.derived != nullptr ? dispatcher.of(*target.derived) : dispatcher.find(target.broker);
  };
  owned_table_ = make_table(std::move(config), find);
  dispatcher.attach(owned_table_.get());
}

Emitter::Table Emitter::make_table(std::shared_ptr<const TriggersConfig> config,
                                   const TriggerTable::FindDestination& find) {
  const std::lock_guard lock(mutex_);
  tables_.reserve(tables_.size() + 1);  // what throws from here on would need the lock to free the table
  const auto counters = [this](const std::string& name) -> TriggerCounters& { return counters_of(name); };
  Table table(new TriggerTable(std::move(config), find, counters), RetireTable{this});
  tables_.push_back(table.get());
  return table;
}

/// Under mutex_.
TriggerCounters& Emitter::counters_of(std::string_view name) {
  const auto found = counters_.find(name);
  if (found != counters_.end()) return *found->second;
  auto made = std::make_unique<TriggerCounters>(std::string(name));
  return *counters_.emplace(name, std::move(made)).first->second;
}

void Emitter::on(std::string_view pattern, std::string_view name, EventFunction function) {
  if (const std::string wrong = wrong_pattern(pattern); !wrong.empty()) throw std::invalid_argument(wrong);
  if (function == nullptr) throw std::invalid_argument("the function for '" + std::string(pattern) + "' is empty");
  if (name.empty()) throw std::invalid_argument("a function for events needs a name");
  if (const std::string doubt = doubtful_pattern(pattern); !doubt.empty()) {
    dispatcher_->callbacks().log(LogLevel::warning, "triggers", doubt);
  }
  TriggerCounters* counters = nullptr;
  {
    const std::lock_guard lock(mutex_);
    counters = &counters_of(name);
  }
  functions_.add(
      {.pattern = std::string(pattern), .name = std::string(name), .call = std::move(function), .counters = counters});
}

void RetireTable::operator()(const TriggerTable* table) const noexcept { emitter->retire(table); }

void Emitter::retire(const TriggerTable* table) noexcept {
  const std::lock_guard lock(mutex_);
  table->for_each_left_out([](TriggerCounters& of, std::uint64_t events) { of.count_filtered(events); });
  std::erase(tables_, table);
  delete table;
}

/// Takes no lock: in a child of fork() another thread may have had it.
Emitter::~Emitter() { delete owned_table_.release(); }

Emitter::Table Emitter::swap(Table table) noexcept { return std::exchange(owned_table_, std::move(table)); }

Emission Emitter::emit(std::string_view event, const MessageParts& parts, const DeliveryCallback& callback,
                       RecordList* scope) {
  Emission emission;
  const ReadSection reading;
  const ScratchOfThread scratch;
  const TriggerTable& table = this->table();
  const std::span<const std::uint32_t> found = table.find(event, parts.body, scratch->search);
  const EventFunctions::Table* const functions = functions_.table();
  std::span<const std::uint32_t> called;
  if (functions != nullptr) called = functions->patterns.find(event, scratch->functions);
  if (scratch->search.buckets.empty() && called.empty()) {
    count_unmatched(event);
    return emission;
  }
  Sending sending(*dispatcher_, *scratch, event, parts, callback, scope, emission);
  const bool alone = found.size() == 1 && table.trigger(found.front()).targets.size() == 1;
  for (const std::uint32_t index : found) sending.send(table.trigger(index), alone);
  if (functions != nullptr) {
    for (const std::uint32_t index : called) sending.send(*functions->functions[index]);
  }
  return emission;
}

void Emitter::count_unmatched(std::string_view event) noexcept {
  unmatched_.fetch_add(1, std::memory_order_relaxed);
  if (dispatcher_->is_in_child()) return;  // where another thread may have had the lock
  try {
    {
      const std::lock_guard lock(mutex_);
      if (logged_.size() >= most_logged || !logged_.insert(std::string(event)).second) return;
    }
    dispatcher_->callbacks().log(LogLevel::info, "triggers",
                                 "no active trigger is for the event '" + std::string(event) + "'");
  } catch (const std::exception&) {
    // Without memory there is no log line; it is counted.
  }
}

void Emitter::add_to(Stats& stats) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, counters] : counters_) stats.triggers.emplace(name, counters->stats());
  for (const TriggerTable* table : tables_) {
    table->for_each_left_out([&](const TriggerCounters& of, std::uint64_t events) {
      stats.triggers.find(of.name())->second.filtered += events;
    });
  }
  stats.unmatched_events = unmatched_.load(std::memory_order_relaxed);
}

}  // namespace action_triggers::detail
