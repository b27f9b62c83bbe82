// SPDX-License-Identifier: MIT
/// What the measuring programs share: one command line, one way to measure, one line of JSON as the result. Whoever
/// compares two of them compares the same work.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace action_triggers::bench {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string work;         ///< One of those that the program knows.
  std::string broker_type;  ///< Only where the program has a choice.
  std::string broker;       ///< HOST:PORT, or "mock" for librdkafka's mock cluster in this process.
  std::string destination;  ///< Topic or queue.
  std::string database;     ///< libpq's connection string, or SQLite's file.
  std::size_t count = 100'000;
  std::size_t size = 256;  ///< Bytes of a body.
  std::size_t threads = 1;
  std::size_t names = 1;      ///< How many destinations, fired at in turn.
  std::size_t in_flight = 0;  ///< 0: the subject's own default.
  std::size_t rate = 10'000;  ///< Fires a second, for "paced".
  int linger_ms = 1;          ///< Kafka.
  bool with_id = true;        ///< Kafka: the message's id as a header.
  bool own_poll = false;      ///< Raw librdkafka: the thread that produces polls too.
  double seconds = 10;        ///< How long, for works that have no count.
  std::size_t messages = 1;   ///< Of a transaction.
  int pause_ms = 40;          ///< Between two commits that are timed, on average.

  [[nodiscard]] std::string host() const { return broker.substr(0, broker.rfind(':')); }
  [[nodiscard]] int port() const { return std::stoi(broker.substr(broker.rfind(':') + 1)); }
};

/// What a program can do: the name of each work, and what it is.
using Works = std::vector<std::pair<std::string, std::string>>;

/// Works that ours and the raw programs have in common.
inline const Works common_works = {
    {"throughput", "fire COUNT messages, wait for all reports"},
    {"burst", "the same, with room for all of them at once"},
    {"backlog", "the same on a mock cluster that answers nothing until all of them are fired, at most for SECONDS"},
    {"hook", "time each fire, as fast as it goes"},
    {"paced", "time each fire, RATE a second"},
    {"latency", "one message at a time, from fire to report"},
    {"first", "from the start of the program to the first report"},
    {"idle", "processor time and wake-ups while nothing happens"},
};

/// Reads the command line; ends the program if it is wrong, or after --help. `what` the program is for, in a sentence.
Options parse(int argc, char** argv, const std::string& what, const Works& works);

/// Processor time of the calling thread, in ns.
double thread_cpu();

/// Processor time of this process and wall-clock time, from its making on.
class Stopwatch {
 public:
  Stopwatch() : wall_(Clock::now()), cpu_(cpu_now()) {}
  [[nodiscard]] double seconds() const { return std::chrono::duration<double>(Clock::now() - wall_).count(); }
  [[nodiscard]] double cpu_seconds() const { return cpu_now() - cpu_; }

 private:
  static double cpu_now();
  Clock::time_point wall_;
  double cpu_;
};

/// Calls `call(i)` for i = 0, 1, … count - 1 in all from each of `threads` threads, timing every call. With `rate`, as
/// many a second from each thread; otherwise as fast as it goes. Nanoseconds, the clock's own cost included, sorted.
std::vector<std::uint32_t> time_each(std::size_t threads, std::size_t count, std::size_t rate,
                                     const std::function<void(std::size_t)>& call);

/// p50, p99, p99.9 and the longest of sorted samples, in nanoseconds.
nlohmann::json quantiles(const std::vector<std::uint32_t>& sorted);

/// Does nothing for options.seconds. cpu_percent, and wake_ups_per_second: the voluntary context switches of this
/// process's threads.
nlohmann::json idle(const Options& options);

/// messages, seconds, per_second, cpu_us_per_message.
nlohmann::json rates(std::size_t messages, const Stopwatch& watch);

/// What a mock cluster and a program are to a backlog.
struct Backlog {
  std::function<void(std::chrono::milliseconds)> answer_after;  ///< How late the cluster answers from now on.
  std::function<void(std::size_t)> fire;
  std::function<std::size_t()> look;  ///< How many reports there were so far; takes a moment.
};

/// As rates(), of a backlog: messages are fired while the cluster answers options.seconds late. What firing all of them
/// took, and from the first report to the last; not the time between. Throws if a report came before all were fired.
nlohmann::json queue_and_drain(const Options& options, const Backlog& backlog);

/// Resident memory of this process, in bytes.
std::size_t resident_bytes();

/// The 36 characters of the id of message `i`, cheaply made. Valid until this thread's next call.
const std::string& id_of(std::size_t i);

/// Ends a program that measured: prints its result. Returns main's.
int report(const Options& options, const std::string& subject, nlohmann::json result);

/// Ends a program that could not. Returns main's.
int fail(const std::string& why);

}  // namespace action_triggers::bench
