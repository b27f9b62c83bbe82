#include "dispatch/lane_core.hpp"

#include <algorithm>
#include <exception>
#include <new>
#include <optional>
#include <utility>

namespace action_triggers::detail {
namespace {

constexpr std::size_t batch_size = 256;      // offered to the broker at once, of one name
constexpr std::size_t most_per_step = 4096;  // then it is the broker's turn to read
constexpr std::size_t most_uncounted_bytes = 64UL * 1024UL;
constexpr std::chrono::milliseconds broker_close_time{1'500};
// Wrong credentials do not mend themselves, and servers lock accounts out.
constexpr std::chrono::milliseconds least_permanent_backoff{1'000};

RetryPolicy most_eager(const std::vector<NamedBroker*>& names) {
  RetryPolicy policy = names.front()->config->retry;
  for (const NamedBroker* named : names) {
    policy.initial_backoff = std::min(policy.initial_backoff, named->config->retry.initial_backoff);
    policy.max_backoff = std::min(policy.max_backoff, named->config->retry.max_backoff);
  }
  return policy;
}

constexpr std::chrono::milliseconds memory_pause{10};

// A text is the one thing that may be missing when memory is; an outcome may not. These words need no memory: they fit
// into any std::string.
constexpr const char* no_memory = "out of memory";

template <class MakeText>
Status status_of(StatusCode code, MakeText&& text) noexcept {
  try {
    return {code, text()};
  } catch (const std::bad_alloc&) {
    return {code, no_memory};
  }
}

Status copy_of(const Status& status) noexcept {
  return status_of(status.code(), [&] { return status.message(); });
}

/// What the call threw, as a Status; nothing if it returned.
template <class Call>
std::optional<Status> thrown_by(const char* what, Call&& call) noexcept {
  const auto internal = [what](const char* text) {
    return status_of(StatusCode::internal, [&] { return std::string(what) + " threw: " + text; });
  };
  try {
    call();
    return std::nullopt;
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::unavailable, no_memory);
  } catch (const std::exception& error) {
    return internal(error.what());
  } catch (...) {
    return internal("an exception that is not a std::exception");
  }
}

template <class Do>
void if_memory_allows(Do&& act) noexcept {
  try {
    act();
  } catch (const std::bad_alloc&) {  // it was only for information
  }
}

void fill(DeliveryReport& report, const Record& record) {
  report.message_id = record.id();
  report.broker = record.named->name;
  report.status = record.outcome_code == StatusCode::ok ? Status() : Status(record.outcome_code, no_memory);
  report.persistence = record.outcome_persistence;
  report.attempts = record.attempts();
  report.latency = record.latency;
  report.partition = record.partition;
  report.offset = record.offset;
}

/// A report that lasts as long as the record. Throws std::bad_alloc, and then there is none.
DeliveryReport& keep_report(Record& record) {
  auto report = std::make_unique<DeliveryReport>();
  fill(*report, record);
  record.report = std::move(report);
  return *record.report;
}

Record* next_resolved(const Record& record) {
  return static_cast<Record*>(record.next_in_queue.load(std::memory_order_relaxed));  // only records are linked
}

void give_back_room(NamedBroker& named, std::uint64_t messages, std::uint64_t bytes) {
  named.held.subtract(messages);
  named.quota.give_back(messages, bytes);
}

std::string seconds_text(std::chrono::milliseconds time) {
  std::string text = std::to_string(time.count() / 1000);
  if (const auto rest = time.count() % 1000; rest != 0) {
    std::string digits = std::to_string(1000 + rest).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    text += "." + digits;
  }
  return text + " s";
}

}  // namespace

LaneCore::LaneCore(std::vector<NamedBroker*> names, Environment environment)
    : names_(std::move(names)),
      environment_(std::move(environment)),
      connection_retry_(most_eager(names_)),
      ids_(environment_.seed),
      random_(environment_.seed ^ 0x9E3779B97F4A7C15ULL),
      ready_(names_.size()) {
  for (const NamedBroker* named : names_) configs_.push_back(named->config.get());
  close_counts_.abandoned.resize(names_.size());
  batch_.reserve(batch_size);
  stalled_.reserve(names_.size());
  paused_.reserve(names_.size());
}

LaneCore::~LaneCore() = default;

void LaneCore::make_broker() { broker_ = environment_.make_broker(); }

void LaneCore::start() {
  now_ = environment_.clock();
  guarded("the broker's start()", [&] { broker_->start(LaneContext{.destinations = configs_, .waker = environment_.waker}); });
}

void LaneCore::begin_turn(std::uint64_t unix_ms) {
  now_ = environment_.clock();
  unix_ms_ = unix_ms;
}

// ---------------------------------------------------------------------------------------------------- what comes in

void LaneCore::admit(Record& record) {
  NamedBroker& named = *record.named;
  record.set_destination(*named.config, named.index);
  if (char* id = record.missing_id()) ids_.write(unix_ms_, id);
  record.sequence = next_sequence_++;
  record.picked_up = now_;
  // An epoch with marks is complete. If there is no memory for the next one, its flushes wait for this message too.
  if (epochs_.back().marks != nullptr) if_memory_allows([&] { epochs_.emplace_back(); });
  record.flush_epoch = first_epoch_ + static_cast<std::uint32_t>(epochs_.size() - 1);
  ++epochs_.back().open;
  named.picked_up.add(1);
  named.held.add(1);
  named.live.push_newest(record);
  ++named.live_count;
  named.live_bytes += record.quota_bytes;
  ++live_total_;
  if (named.next_unsent == nullptr) named.next_unsent = &record;
  next_deadline_ = std::min(next_deadline_, deadline_of(record));
  make_ready(named);
  if (named.overflow == Overflow::drop_oldest) drop_oldest_over_bounds(named);
}

void LaneCore::drop_oldest_over_bounds(NamedBroker& named) {
  const BrokerConfig& config = *named.config;
  while (named.next_unsent != nullptr &&
         (named.live_count > config.max_queued_messages || named.live_bytes > config.max_queued_bytes)) {
    resolve(*named.next_unsent, Outcome::failed(status_of(StatusCode::queue_full, [&] {
      return "dropped for a newer message: '" + config.name +
             "' is at its bounds (params.max_queued_messages, max_queued_bytes) and its overflow is drop_oldest";
    })));
  }
}

void LaneCore::mark(FlushMark& mark) {
  mark.next = std::exchange(epochs_.back().marks, &mark);
  finish_flushes();
}

void LaneCore::finish_flushes() {
  while (epochs_.front().open == 0) {
    FlushMark* mark = std::exchange(epochs_.front().marks, nullptr);
    while (mark != nullptr) std::exchange(mark, mark->next)->reached();
    if (epochs_.size() == 1) return;
    epochs_.pop_front();
    ++first_epoch_;
  }
}

void LaneCore::begin_close(TimePoint deadline) {
  closing_ = true;
  close_deadline_ = deadline;
}

// --------------------------------------------------------------------------------------------------------- one turn

void LaneCore::step() {
  if (finished_) return;
  work_left_ = false;
  now_ = environment_.clock();
  if (!broker_closed_) {
    for (NamedBroker* named : stalled_) {
      named->stalled = false;
      make_ready(*named);
    }
    stalled_.clear();
    connect_if_due();
    if (broker_) guarded("the broker's poll()", [&] { broker_->poll(*this); });
    expire();
    resume_paused();
    now_ = environment_.clock();
    send_ready();
  }
  if (closing_) finish_close_if_due();
}

bool LaneCore::is_connected() const {
  return state() == ConnectionState::connected || state() == ConnectionState::blocked;
}

void LaneCore::connect_if_due() {
  if (is_connected()) return;
  if (started_connecting_ || now_ < connect_at_) return;
  started_connecting_ = true;
  set_state(ConnectionState::connecting);
  if (broker_ == nullptr && !make_missing_broker()) return;
  guarded("the broker's connect()", [&] { broker_->connect(*this); });
}

void LaneCore::send_again_from(Record& record) {
  NamedBroker& named = *record.named;
  if (named.next_unsent == nullptr || record.sequence < named.next_unsent->sequence) named.next_unsent = &record;
}

void LaneCore::try_again(Record& record) {
  NamedBroker& named = *record.named;
  send_again_from(record);  // it never left `live`
  if (!named.paused && now_ >= named.resume_at) {
    named.resume_at = now_ + backoff(named.config->retry, ++named.failures_in_a_row);
    named.paused = true;
    paused_.push_back(&named);
  }
}

void LaneCore::resume_paused() {
  std::erase_if(paused_, [&](NamedBroker* named) {
    if (now_ < named->resume_at) return false;
    named->paused = false;
    make_ready(*named);
    return true;
  });
}

void LaneCore::make_ready(NamedBroker& named) {
  if (named.ready || named.paused || named.next_unsent == nullptr) return;
  named.ready = true;
  ready_.push(named);
}

void LaneCore::send_ready() {
  std::size_t sent = 0;
  while (!ready_.empty() && is_connected()) {
    if (sent >= most_per_step) {
      work_left_ = true;
      return;
    }
    NamedBroker& named = ready_.pop();
    named.ready = false;
    const std::size_t offered = fill_batch(named);
    if (offered == 0) continue;  // the window is full: complete() makes the name ready again
    const std::size_t taken = send_batch(named);
    sent += taken;
    if (taken == offered) {
      make_ready(named);  // behind the others
    } else if (named.next_unsent != nullptr && !named.stalled) {
      named.stalled = true;
      stalled_.push_back(&named);  // offered again in the next turn
    }
  }
}

/// Collects the oldest unsent messages that fit the name's window, and marks them as in flight.
std::size_t LaneCore::fill_batch(NamedBroker& named) {
  std::size_t most = batch_size;
  if (const std::size_t window = named.config->max_in_flight; window != 0) {
    const std::uint64_t in_flight = named.in_flight.get();
    const std::uint64_t room = window > in_flight ? window - in_flight : 0;
    if (room == 0 || room < window / 8) return 0;  // until there is room for many: not one for each confirmation
    most = std::min<std::size_t>(most, room);
  }
  batch_.clear();
  Record* next = named.next_unsent;
  for (; next != nullptr && batch_.size() < most; next = next->newer) {
    if (next->in_flight) continue;
    next->in_flight = true;
    next->count_attempt(+1);
    batch_.push_back(next);
  }
  while (next != nullptr && next->in_flight) next = next->newer;
  named.next_unsent = next;  // not in flight: nothing that the broker says in send() can take it away
  named.in_flight.add(batch_.size());
  return batch_.size();
}

/// Offers the batch; returns how much of it the broker took.
std::size_t LaneCore::send_batch(NamedBroker& named) {
  std::size_t taken = 0;
  if (!guarded("the broker's send()", [&] { taken = std::min(broker_->send(batch_, *this), batch_.size()); })) {
    return 0;  // everything that it was offered has been resolved
  }
  for (std::size_t i = 0; i < taken; ++i) {
    if (batch_[i]->attempt() > 1) named.retried.add(1);
  }
  for (std::size_t i = batch_.size(); i-- > taken;) {
    auto& record = const_cast<Record&>(static_cast<const Record&>(*batch_[i]));  // ours: fill_batch put it there
    record.in_flight = false;
    record.count_attempt(-1);
    named.in_flight.subtract(1);
    send_again_from(record);
  }
  return taken;
}

WaitRequest LaneCore::wait_request() const {
  WaitRequest request;
  if (finished_) return request;
  if (broker_) request = broker_->wait_request();
  if (out_of_memory_) request.at = std::min(request.at, now_ + memory_pause);
  if (live_total_ > 0) request.at = std::min(request.at, next_deadline_);
  for (const NamedBroker* named : paused_) request.at = std::min(request.at, named->resume_at);
  if (!started_connecting_ && !is_connected()) request.at = std::min(request.at, connect_at_);
  if (closing_) request.at = std::min(request.at, close_deadline_);
  return request;
}

// --------------------------------------------------------------------------------------------- what the broker says

void LaneCore::complete(const OutboundMessage& message, Outcome outcome) {
  auto& record = const_cast<Record&>(static_cast<const Record&>(message));  // every OutboundMessage is a Record of ours
  NamedBroker& named = *record.named;
  if (!record.in_flight) {
    log(LogLevel::error, "the broker completed a message that it does not hold; this is a bug in the broker");
    return;
  }
  record.in_flight = false;
  named.in_flight.subtract(1);
  if (record.resolved) {  // the deadline was faster
    orphans_.remove(record);
    named.late_outcomes.add(1);
    make_ready(named);
    if (record.reported) {
      give_back_room(named, 1, record.quota_bytes);
      record.drop_reference();
    }
    return;
  }
  if (outcome.persistence == Persistence::possibly_persisted) record.possibly_persisted = true;
  if (outcome.status.ok()) {
    named.failures_in_a_row = 0;
    connect_failures_ = 0;
  } else if (outcome.status.retryable()) {
    if (broker_closed_) {
      outcome.status =
          status_of(StatusCode::closed, [&] { return "close() ran out of time: " + outcome.status.message(); });
    } else if (!tried_enough(record)) {
      if_memory_allows([&] {
        named.last_refusal = outcome.status.to_string();
        named.set_last_error(named.last_refusal);
      });
      try_again(record);
      return;
    }
  }
  resolve(record, std::move(outcome));
  make_ready(named);
}

bool LaneCore::tried_enough(const Record& record) const {
  const auto& most = record.named->config->retry.max_attempts;
  return most && record.attempts() >= *most;
}

void LaneCore::connected() {
  started_connecting_ = false;
  connected_since_ = now_;
  set_state(ConnectionState::connected);
  const std::lock_guard lock(connection_error_mutex_);
  connection_error_.clear();
}

void LaneCore::disconnected(Status why) {
  const bool was_connected = is_connected();
  started_connecting_ = false;
  set_state(ConnectionState::disconnected);
  if (was_connected && now_ - connected_since_ >= connection_retry_.max_backoff) connect_failures_ = 0;
  std::chrono::nanoseconds pause = backoff(connection_retry_, ++connect_failures_);
  if (!why.retryable()) pause = std::max<std::chrono::nanoseconds>(pause, least_permanent_backoff);
  connect_at_ = now_ + pause;
  if_memory_allows([&] {
    const std::lock_guard lock(connection_error_mutex_);
    connection_error_ = why.to_string();
  });
  if_memory_allows([&] {
    log(LogLevel::warning, std::string(was_connected ? "connection lost" : "cannot connect") + ": " + why.message());
  });

  for (NamedBroker* named : names_) {
    // What waits for the connection waits for nothing else.
    named->resume_at = TimePoint::min();
    for (Record* record = named->next_unsent; record != nullptr;) {
      Record* const newer = record->newer;
      if (!record->in_flight) {
        if (!was_connected) record->count_attempt(+1);
        if (!why.retryable() || (!was_connected && tried_enough(*record))) {
          resolve(*record, Outcome::failed(copy_of(why)));
        }
      }
      record = newer;
    }
  }
  resume_paused();
}

void LaneCore::blocked(bool is_blocked, std::string_view why) {
  if (!is_connected()) return;
  set_state(is_blocked ? ConnectionState::blocked : ConnectionState::connected);
  if_memory_allows([&] { blocked_why_ = why; });
}

void LaneCore::log(LogLevel level, std::string_view text) { environment_.log(level, text); }

std::string LaneCore::connection_error() const {
  const std::lock_guard lock(connection_error_mutex_);
  return connection_error_;
}

/// A broker must not throw. One that does is replaced, since nobody knows what state it is in; the answer is then
/// false. What it held is `internal`, except that messages survive a lack of memory.
template <class Call>
bool LaneCore::guarded(const char* what, Call&& call) {
  const std::optional<Status> why = thrown_by(what, std::forward<Call>(call));
  if (why) replace_broker(*why);
  return !why;
}

void LaneCore::replace_broker(const Status& why) {
  log(LogLevel::error, why.message());
  broker_.reset();
  for (NamedBroker* named : names_) {
    for (Record* record = named->live.oldest(); record != nullptr;) {
      Record* const newer = record->newer;
      if (record->in_flight) complete(*record, Outcome::failed(copy_of(why), Persistence::possibly_persisted));
      record = newer;
    }
  }
  while (!orphans_.empty()) complete(*orphans_.oldest(), Outcome::failed({StatusCode::internal, ""}));
  set_state(ConnectionState::connecting);  // so that waiting messages are tried with the new one
  disconnected(status_of(StatusCode::unavailable, [&] { return why.message(); }));
}

/// False: there is still none.
bool LaneCore::make_missing_broker() {
  const std::optional<Status> why = thrown_by("making a new broker", [&] {
    broker_ = environment_.make_broker();
    broker_->start(LaneContext{.destinations = configs_, .waker = environment_.waker});
  });
  if (!why) return true;
  broker_.reset();
  disconnected(*why);
  return false;
}

// ------------------------------------------------------------------------------------------------------- what is due

TimePoint LaneCore::deadline_of(const Record& record) const { return record.picked_up + record.named->config->timeout; }

void LaneCore::expire() {
  if (now_ < next_deadline_) return;
  next_deadline_ = TimePoint::max();
  for (NamedBroker* named : names_) {
    // One timeout per name: what was fired first is due first.
    while (Record* oldest = named->live.oldest()) {
      if (now_ < deadline_of(*oldest)) {
        next_deadline_ = std::min(next_deadline_, deadline_of(*oldest));
        break;
      }
      resolve(*oldest, Outcome::failed(status_of(StatusCode::timed_out, [&] {
        return "no outcome within " + seconds_text(named->config->timeout) + ": " + what_it_waited_for(*oldest);
      })));
    }
  }
}

std::string LaneCore::what_it_waited_for(const Record& record) const {
  if (state() == ConnectionState::disconnected || state() == ConnectionState::connecting) {
    const std::string error = connection_error();
    return "waiting for a connection" + (error.empty() ? std::string() : "; the last try failed: " + error);
  }
  if (state() == ConnectionState::blocked) return "the broker accepts nothing for now: " + blocked_why_;
  if (record.in_flight) return "sent, and waiting for the broker's confirmation";
  if (record.attempts() > 0) return "waiting to be tried again; the last try failed: " + record.named->last_refusal;
  return "waiting behind earlier messages of '" + record.named->name + "'";
}

std::chrono::nanoseconds LaneCore::backoff(const RetryPolicy& policy, std::uint32_t failures) {
  const std::uint32_t doublings = std::min(failures > 0 ? failures - 1 : 0, 30U);
  const std::chrono::nanoseconds most = policy.max_backoff;
  const std::chrono::nanoseconds base = policy.initial_backoff;
  const std::int64_t factor = std::int64_t{1} << doublings;
  const std::chrono::nanoseconds limit = base > most / factor ? most : base * factor;
  // Full jitter, but never nothing at all: a fault that comes back at once must not spin.
  return std::chrono::nanoseconds(
      std::uniform_int_distribution<std::int64_t>(limit.count() / 10, limit.count())(random_));
}

// ------------------------------------------------------------------------------------------------------- what goes out

void LaneCore::unlink_unsent(Record& record) {
  NamedBroker& named = *record.named;
  if (named.next_unsent == &record) {
    Record* next = record.newer;
    while (next != nullptr && next->in_flight) next = next->newer;
    named.next_unsent = next;
  }
  named.live.remove(record);
  --named.live_count;
  named.live_bytes -= record.quota_bytes;
  --live_total_;
}

void LaneCore::resolve(Record& record, Outcome&& outcome) {
  unlink_unsent(record);
  record.resolved = true;
  if (record.in_flight) orphans_.push_newest(record);
  if (!outcome.status.ok() && (record.in_flight || record.possibly_persisted)) {
    outcome.persistence = Persistence::possibly_persisted;
  }
  NamedBroker& named = *record.named;
  const std::chrono::nanoseconds latency = now_ - record.picked_up;
  named.outcomes[static_cast<std::size_t>(outcome.status.code())].add(1);
  if (outcome.status.ok()) {
    named.latency.record(latency);
  } else {
    if_memory_allows([&] { named.set_last_error(outcome.status.to_string()); });
  }
  if (closing_) {
    if (outcome.status.ok()) {
      ++close_counts_.delivered;
    } else if (outcome.status.code() == StatusCode::closed) {
      ++close_counts_.abandoned[named.index];
    } else {
      ++close_counts_.failed;
    }
  }
  record.outcome_code = outcome.status.code();
  record.outcome_persistence = outcome.persistence;
  record.partition = outcome.partition;
  record.offset = outcome.offset;
  record.latency = latency;
  if (!outcome.status.ok() && is_heard(record)) {  // its text has to be kept
    if_memory_allows([&] { keep_report(record).status = std::move(outcome.status); });
  }

  record.next_in_queue.store(nullptr, std::memory_order_relaxed);
  if (first_resolved_ == nullptr) {
    first_resolved_ = &record;
  } else {
    last_resolved_->next_in_queue.store(&record, std::memory_order_relaxed);
  }
  last_resolved_ = &record;
}

void LaneCore::take_resolved() { first_resolved_ = next_resolved(*first_resolved_); }

/// Somebody holds a Delivery or gave a callback. Nobody can come to hold a Delivery of a record anew: with only the
/// lane's reference left, nobody will look.
bool LaneCore::is_heard(const Record& record) const {
  return record.callback || record.references.load(std::memory_order_acquire) > 1 ||
         (environment_.failures_are_heard && record.outcome_code != StatusCode::ok);
}

/// What callbacks and Deliveries see; nullptr if there is no memory for it.
const DeliveryReport* LaneCore::report_of(Record& record) noexcept {
  if (record.report != nullptr) return record.report.get();
  try {
    const bool lasts = environment_.reports_outlive_calls || record.references.load(std::memory_order_acquire) > 1;
    if (lasts) return &keep_report(record);
    fill(passing_report_, record);  // only callbacks look, and one report does for all of them
    return &passing_report_;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void LaneCore::reported(Record& record) {
  record.reported = true;
  --epochs_[record.flush_epoch - first_epoch_].open;
  if (!record.in_flight) record.drop_reference();
  finish_flushes();
}

/// Gives back the room of the next messages to be reported, at least one; returns of how many. Not of each by itself,
/// since the hooks take from the same place; nor of all, since until they are freed no bound counts them
/// (docs/decisions/0008).
std::size_t LaneCore::give_back_room_of_next() {
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  for (Record* record = first_resolved_; record != nullptr && bytes < most_uncounted_bytes;) {
    NamedBroker& named = *record->named;
    std::uint64_t messages_of_name = 0;
    std::uint64_t bytes_of_name = 0;
    for (; record != nullptr && record->named == &named && bytes < most_uncounted_bytes;
         record = next_resolved(*record)) {
      ++count;
      if (record->in_flight || !std::exchange(record->counted, false)) continue;
      ++messages_of_name;
      bytes_of_name += record->quota_bytes;
      bytes += sizeof(Record) + record->quota_bytes;
    }
    give_back_room(named, messages_of_name, bytes_of_name);
  }
  return count;
}

// ----------------------------------------------------------------------------------------------------------------
// close

bool LaneCore::all_accounted_for() const {
  return std::all_of(names_.begin(), names_.end(),
                     [](const NamedBroker* named) { return named->quota.messages() == named->held.get(); });
}

void LaneCore::close_broker() {
  if (broker_closed_) return;
  broker_closed_ = true;
  if (broker_ == nullptr) return;
  if (const auto why = thrown_by("the broker's close()", [&] { broker_->close(*this, broker_close_time); })) {
    log(LogLevel::error, why->message());
  }
}

void LaneCore::finish_close_if_due() {
  if (live_total_ > 0 && now_ >= close_deadline_) {
    close_broker();  // the last chance for what is in flight; fires that were on their way end here too
    for (NamedBroker* named : names_) {
      while (Record* oldest = named->live.oldest()) {
        resolve(*oldest, Outcome::failed(status_of(StatusCode::closed, [&] {
          return "close() ran out of time: " + what_it_waited_for(*oldest);
        })));
      }
    }
  }
  if (live_total_ > 0) return;
  work_left_ = true;                       // until everything has been reported, and
  if (first_resolved_ != nullptr) return;  // no producer is between taking its room and pushing
  if (!all_accounted_for()) return;
  close_broker();
  broker_.reset();
  while (!orphans_.empty()) complete(*orphans_.oldest(), {});
  set_state(ConnectionState::closed);
  finished_ = true;
}

}  // namespace action_triggers::detail
