// SPDX-License-Identifier: MIT
#include "dispatch/lane_core.hpp"

#include <algorithm>
#include <optional>

#include "dispatch/durable.hpp"
#include "dispatch/failure_texts.hpp"
#include "dispatch/handover.hpp"
#include "dispatch/out_of_memory.hpp"
#include "dispatch/refusals.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::size_t batch_size = 256;  // offered to the broker at once, of one destination
// Then it is the broker's turn to read. As many as stay in the processor's caches from being admitted to being sent,
// and from being completed to being reported: what a lane does with a message it does in several passes.
constexpr std::size_t most_per_step = 512;
constexpr std::chrono::milliseconds broker_close_time{1'500};
constexpr std::chrono::milliseconds memory_pause{10};

/// Every OutboundMessage that a broker of this lane has is a Record.
Record& record_of(const OutboundMessage& message) { return const_cast<Record&>(static_cast<const Record&>(message)); }

}  // namespace

void FlushBarrier::run(LaneCore& core) noexcept { core.flush(*this); }

void Destination::on_due(TimePoint now) { core->destination_due(*this, now); }

LaneCore::LaneCore(Environment environment)
    : environment_(std::move(environment)),
      broker_(environment_.make_broker),
      backoff_(environment_.seed),
      connection_(due_, backoff_, environment_.clock()),
      connection_log_(environment_.log),
      deadlines_(due_, [this](Record& one) { resolve(one, Outcome::failed(timed_out(one, connection_, broker_))); }),
      destinations_(due_, deadlines_),
      reports_(environment_.on_failure_is_set, environment_.reports_outlive_calls),
      closing_(due_) {
  batch_.reserve(batch_size);
}

// ------------------------------------------------------------------------------------------------------- destinations

void LaneCore::add(Destination& destination) {
  destinations_.add(destination, *this);
  if (destinations_.all().size() == 1) {
    connection_.set_policy(destination.config->retry);
  } else {
    connection_.add_policy(destination.config->retry);
  }
  if (!broker_.is_started() || !broker_) return;
  call_broker("the broker's add_destination()",
              [&] { broker_->add_destination(*destination.config, destination.index); });
}

void LaneCore::remove(Destination& destination, TimePoint deadline) {
  destinations_.begin_removal(destination, deadline);
  set_due(destination);
}

void LaneCore::let_go(Destination& destination) {
  destination.waits_for_others = false;
  order_.make_ready(destination);
  if (!destinations_.leaving().empty()) work_left_ = true;  // it may be leaving itself
}

void LaneCore::finish_removals() {
  bool some_left = false;
  for (std::size_t i = 0; i < destinations_.leaving().size();) {
    Destination& destination = *destinations_.leaving()[i];
    if (now_ >= destination.leave_by) resolve_all(destination, "the destination was removed");
    if (!destination.waits_for_others && destination.unreported() == 0) hand_over(destination);
    if (destination.waits_for_others || !destination.is_empty()) {
      ++i;
      continue;
    }
    order_.remove(destination);
    destinations_.forget(destination);
    some_left = true;
    if (broker_ && !broker_.is_closed()) {
      call_broker("the broker's remove_destination()", [&] { broker_->remove_destination(destination.index); });
    }
    if (removed) removed(destination);
  }
  if (some_left) connection_.set_policy(destinations_.shortest_pauses());
}

// ---------------------------------------------------------------------------------------------------------- one turn

void LaneCore::admit(Record& record) {
  Destination& destination = record.dest();
  record.queued.sequence = next_sequence_++;
  record.flush_group = flushes_.join();
  destination.counters.admitted.add(1);
  destination.counters.held.add(1);
  destination.queue.push(record);
  if (record.durable) {
    record.queued.deadline = now_ + destination.timeout();  // only its latency is counted from it
  } else {
    destination.deadlines->add(record, now_);
  }
  ++queued_total_;
  order_.make_ready(destination);
  if (destination.overflow == Overflow::drop_oldest) drop_oldest_over_capacity(destination);
}

void LaneCore::drop_oldest_over_capacity(Destination& destination) {
  const BrokerConfig& config = *destination.config;
  while (Record* const oldest = destination.queue.unsent_beyond(config.max_queued_messages, config.max_queued_bytes)) {
    resolve(*oldest, Outcome::failed(dropped(*oldest)));
  }
}

void LaneCore::step() {
  if (finished_) return;
  work_left_ = false;
  now_ = environment_.clock();
  if (!broker_.is_closed()) {
    connect_if_due();
    if (broker_) call_broker("the broker's poll()", [&] { broker_->poll(*this); });
    if (connection_.is_up()) if_memory_allows([&] { connection_log_.connected(); });
    due_.run(now_);
    now_ = environment_.clock();
    send_ready();
  }
  if (!destinations_.leaving().empty()) finish_removals();
  if (closing_.has_begun()) finish_close_if_due();
  connection_.publish(now_);
}

WaitRequest LaneCore::wait_request() {
  WaitRequest request;
  if (finished_) return request;
  if (broker_ && !call_broker("the broker's wait_request()", [&] { request = broker_->wait_request(); })) {
    request = WaitRequest();
  }
  if (has_work()) request.at = now_;  // outcomes, if the broker was replaced just now
  if (out_of_memory_) request.at = std::min(request.at, now_ + memory_pause);
  deadlines_.refresh();
  request.at = std::min(request.at, due_.next());
  return request;
}

void LaneCore::destination_due(Destination& destination, TimePoint now) {
  if (destination.paused && now >= destination.pause_until) destination.paused = false;
  destination.queue.return_waiting(now);
  order_.make_ready(destination);
  set_due(destination);
}

void LaneCore::set_due(Destination& destination) {
  TimePoint at = destination.queue.next_return();
  if (destination.paused) at = std::min(at, destination.pause_until);
  if (destination.leave_by > now_) at = std::min(at, destination.leave_by);
  due_.set(destination, at);
}

// ------------------------------------------------------------------------------------------------------- what goes out

void LaneCore::send_ready() {
  order_.begin();
  connection_full_ = false;
  for (std::size_t sent = 0; connection_.is_connected() && !connection_full_;) {
    if (sent >= most_per_step) {
      work_left_ = true;
      return;
    }
    Destination* const destination = order_.next();
    if (destination == nullptr) return;
    destination->queue.fill_batch(batch_, batch_size);
    if (batch_.empty()) continue;  // the window is full: complete() makes the destination ready again
    destination->counters.in_flight.add(batch_.size());
    const std::size_t taken = send_batch(*destination);
    order_.put_back(*destination, batch_.size(), taken);
    sent += taken;
  }
}

/// Offers the batch; returns how much of it the broker took.
std::size_t LaneCore::send_batch(Destination& destination) {
  std::size_t taken = 0;
  if (!call_broker("the broker's send()", [&] { taken = std::min(broker_->send(batch_, *this), batch_.size()); })) {
    return 0;  // everything that it was offered has been resolved
  }
  for (std::size_t i = 0; i < taken; ++i) {
    if (batch_[i]->attempt() > 1) destination.counters.retried.add(1);
  }
  for (std::size_t i = batch_.size(); i-- > taken;) {
    Record& record = record_of(*batch_[i]);
    if (!record.in_flight) {
      log(LogLevel::error, "the broker completed a message that it says it did not take; this is a bug in the broker");
      continue;
    }
    record.count_attempt(-1);
    destination.queue.landed(record);
    destination.queue.send_again(record);
    destination.counters.in_flight.subtract(1);
  }
  return taken;
}

// --------------------------------------------------------------------------------------------- what the broker says

void LaneCore::complete(const OutboundMessage& message, Outcome outcome) {
  Record& record = record_of(message);
  Destination& destination = record.dest();
  if (!record.in_flight) {
    log(LogLevel::error, "the broker completed a message that it does not hold; this is a bug in the broker");
    return;
  }
  destination.queue.landed(record);
  destination.counters.in_flight.subtract(1);
  if (record.resolved) return resolve_late(record, std::move(outcome));
  if (outcome.persistence == Persistence::possibly_persisted) record.may_have_arrived = true;
  if (outcome.status.ok()) {
    destination.none_taken_since = TimePoint::max();
    connection_.delivered();
  } else if (may_try_again(record, outcome.status)) {
    if (broker_.is_closed()) {
      outcome.status =
          status_of(StatusCode::closed, [&] { return closing_.why() + (": " + outcome.status.message()); });
    } else if (!has_used_up_attempts(record, outcome.status)) {
      send_again_later(record, outcome.status, now_, backoff_);
      set_due(destination);
      return order_.make_ready(destination);
    }
  }
  resolve(record, std::move(outcome));
  order_.make_ready(destination);
}

void LaneCore::disconnected(Status why) {
  if_memory_allows(
      [&] { connection_log_.failed(connection_.is_up() ? "connection lost" : "cannot connect", why.message()); });
  const bool was_connected = connection_.disconnected(why, now_);
  for (Destination* destination : destinations_.all()) {
    // What waits for the connection waits for nothing else.
    destination->paused = false;
    destination->queue.return_waiting(TimePoint::max());
    for (Record* record = destination->queue.next_unsent(); record != nullptr;) {
      Record* const newer = record->newer;
      if (!record->in_flight) {
        if (!was_connected) record->count_attempt(+1);
        if (!survives_lost_connection(*record, why, was_connected)) resolve(*record, Outcome::failed(copy_of(why)));
      }
      record = newer;
    }
    order_.make_ready(*destination);
    set_due(*destination);
  }
}

/// A broker must not throw. One that does is replaced, since nobody knows what state it is in; the answer is then
/// false. What it held is `internal`, except that messages survive a lack of memory.
template <class Call>
bool LaneCore::call_broker(const char* what, Call&& call) {
  const std::optional<Status> why = thrown_by(what, std::forward<Call>(call));
  if (why) replace_broker(*why);
  return !why;
}

void LaneCore::start() {
  now_ = environment_.clock();
  call_broker("the broker's start()", [&] { start_broker(); });
}

void LaneCore::start_broker() {
  destinations_.number_anew();
  broker_.start(LaneContext{.destinations = destinations_.configs(), .waker = environment_.waker});
}

void LaneCore::replace_broker(const Status& why) {
  log(LogLevel::error, why.message());
  broker_.discard();
  for (Destination* destination : destinations_.all()) {
    for (Record* record = destination->queue.oldest(); record != nullptr;) {
      Record* const newer = record->newer;
      if (record->in_flight) complete(*record, Outcome::failed(copy_of(why), Persistence::possibly_persisted));
      record = newer;
    }
  }
  while (!expired_in_flight_.empty()) released_by_broker(*expired_in_flight_.oldest());
  connection_.reset();  // so that waiting messages are tried with the new one
  disconnected(status_of(StatusCode::unavailable, [&] { return why.message(); }));
}

void LaneCore::connect_if_due() {
  if (!connection_.should_connect(now_)) return;
  connection_.connecting();
  if (!broker_) {
    const std::optional<Status> why = thrown_by("making a new broker", [&] {
      broker_.make();
      start_broker();
    });
    if (why) {
      broker_.discard();
      return disconnected(*why);
    }
  }
  call_broker("the broker's connect()", [&] { broker_->connect(*this); });
}

// ------------------------------------------------------------------------------------------------------------ outcomes

void LaneCore::resolve(Record& record, Outcome&& outcome) {
  Destination& destination = record.dest();
  destination.queue.remove(record);
  if (!record.durable) destination.deadlines->remove(record);
  --queued_total_;
  record.write_id();  // it may never have been offered
  record.resolved = true;
  if (record.in_flight) expired_in_flight_.push_newest(record);
  if (!outcome.status.ok() && (record.in_flight || record.may_have_arrived)) {
    outcome.persistence = Persistence::possibly_persisted;
  }
  record.result = Record::Result{.latency = now_ - (record.queued.deadline - destination.timeout()),
                                 .offset = outcome.offset,
                                 .partition = outcome.partition,
                                 .code = outcome.status.code(),
                                 .persistence = outcome.persistence};
  destination.counters.outcomes[static_cast<std::size_t>(record.result.code)].add(1);
  if (closing_.has_begun()) closing_.count(record);
  if (outcome.status.ok()) {
    destination.counters.latency.record(record.result.latency);
  } else {
    destination.failed(outcome.status, now_);
    if (record.durable || reports_.needs_report(record)) reports_.keep_text(record, std::move(outcome.status));
  }
  if (record.observer != nullptr) record.observer->resolved(record, record.result.code, record.result.persistence);
  outcomes_.push(record);
}

/// The deadline was faster: its outcome stands, but the bytes are free now.
void LaneCore::resolve_late(Record& record, Outcome outcome) {
  Destination& destination = record.dest();
  destination.counters.late_outcomes.add(1);
  if (!outcome.status.ok() && record.may_have_arrived) outcome.persistence = Persistence::possibly_persisted;
  if (record.observer != nullptr) {
    record.observer->resolved_late(record, outcome.status.code(), outcome.persistence);
  }
  released_by_broker(record);
}

/// A message that has its outcome is no longer the broker's.
void LaneCore::released_by_broker(Record& record) {
  Destination& destination = record.dest();
  if (record.in_flight) {
    destination.queue.landed(record);
    destination.counters.in_flight.subtract(1);
  }
  expired_in_flight_.remove(record);
  order_.make_ready(destination);
  if (!record.reported) return;
  if (std::exchange(record.holds_capacity, false)) release_capacity(destination, 1, record.capacity_bytes);
  record.drop_reference();
}

void LaneCore::resolve_all(Destination& destination, const char* why) {
  destination.queue.return_waiting(TimePoint::max());
  while (Record* const oldest = destination.queue.oldest()) {
    resolve(*oldest, Outcome::failed(detail::closed(why, *oldest, connection_, broker_)));
  }
}

void LaneCore::reported(Record& record) {
  record.reported = true;
  record.dest().counters.reported.add(1);
  flushes_.leave(record.flush_group);
  if (!destinations_.leaving().empty()) work_left_ = true;  // it may have been the last of one
  if (record.in_flight) return;
  if (std::exchange(record.holds_capacity, false)) release_capacity(record.dest(), 1, record.capacity_bytes);
  record.drop_reference();
}

// --------------------------------------------------------------------------------------------------------------- close

void LaneCore::close_broker() {
  if (const auto why = broker_.close(*this, broker_close_time)) log(LogLevel::error, why->message());
}

void LaneCore::finish_close_if_due() {
  if (queued_total_ > 0 && closing_.is_late(now_)) {
    close_broker();  // the last chance for what is in flight; fires that were on their way end here too
    for (Destination* destination : destinations_.all()) resolve_all(*destination, closing_.why());
  }
  if (queued_total_ > 0) return;
  // Who takes the place of one that waits for others must not begin before those are done. But when all lanes close,
  // one of those may be in a callback that waits for this lane.
  if (!(closing_.is_of_all() && closing_.is_late(now_)) && destinations_.some_wait_for_others()) return;
  work_left_ = true;  // until everything has been reported, and no thread is between reserving capacity and pushing
  if (!outcomes_.empty() || !destinations_.all_accounted_for()) return;
  close_broker();
  broker_.discard();
  while (!expired_in_flight_.empty()) released_by_broker(*expired_in_flight_.oldest());
  connection_.closed();
  finished_ = true;
}

}  // namespace action_triggers::detail
