// SPDX-License-Identifier: MIT
#include "measure.hpp"

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

namespace action_triggers::bench {

Options parse(int argc, char** argv, const std::string& what, const Works& works) {
  Options options;
  std::string meanings;
  std::vector<std::string> names;
  for (const auto& [name, meaning] : works) {
    names.push_back(name);
    meanings += (meanings.empty() ? "" : "\n") + name + ": " + meaning;
  }
  CLI::App app(what);
  app.option_defaults()->always_capture_default();
  app.add_option("WORK", options.work, meanings)->required()->check(CLI::IsMember(names));
  app.add_option("--type", options.broker_type, "kafka, rabbitmq, or none: a broker that confirms at once")
      ->check(CLI::IsMember({"kafka", "rabbitmq", "none"}));
  app.add_option("--broker", options.broker, "HOST:PORT, or mock: librdkafka's mock cluster in this process");
  app.add_option("--destination", options.destination, "topic or queue, which exists");
  app.add_option("--database", options.database, "libpq's connection string, or SQLite's file");
  app.add_option("--count", options.count);
  app.add_option("--size", options.size, "bytes of a body");
  app.add_option("--threads", options.threads, "that fire");
  app.add_option("--names", options.names, "named brokers on one connection, fired at in turn");
  app.add_option("--in-flight", options.in_flight, "unconfirmed at once (default: as the program has it)");
  app.add_option("--rate", options.rate, "fires a second");
  app.add_option("--linger-ms", options.linger_ms, "Kafka: linger.ms");
  app.add_flag("!--no-id", options.with_id, "Kafka: no header with the message's id");
  app.add_flag("--own-poll", options.own_poll, "raw librdkafka: no second thread that polls");
  app.add_option("--seconds", options.seconds, "how long, where no count ends it");
  app.add_option("--messages", options.messages, "of a transaction");
  app.add_option("--pause-ms", options.pause_ms, "between two commits that are timed, on average");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  return options;
}

double thread_cpu() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double Stopwatch::cpu_now() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::vector<std::uint32_t> time_each(std::size_t threads, std::size_t count, std::size_t rate,
                                     const std::function<void(std::size_t)>& call) {
  std::vector<std::vector<std::uint32_t>> samples(threads);
  const auto run = [&](std::size_t me) {
    auto& mine = samples[me];
    mine.reserve(count / threads);
    const auto period = std::chrono::nanoseconds(rate == 0 ? 0 : 1'000'000'000 / rate);
    Clock::time_point next = Clock::now();
    for (std::size_t i = me; i < count; i += threads) {
      if (rate != 0) std::this_thread::sleep_until(next += period);
      const Clock::time_point begin = Clock::now();
      call(i);
      mine.push_back(static_cast<std::uint32_t>((Clock::now() - begin).count()));
    }
  };
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < threads; ++i) others.emplace_back(run, i);
  run(0);
  for (std::thread& other : others) other.join();
  std::vector<std::uint32_t> all;
  for (const auto& some : samples) all.insert(all.end(), some.begin(), some.end());
  std::sort(all.begin(), all.end());
  return all;
}

nlohmann::json quantiles(const std::vector<std::uint32_t>& sorted) {
  const auto at = [&](double share) { return sorted[static_cast<std::size_t>(share * double(sorted.size() - 1))]; };
  return {{"p50_ns", at(0.5)}, {"p99_ns", at(0.99)}, {"p999_ns", at(0.999)}, {"max_ns", sorted.back()}};
}

namespace {

/// How often the threads of this process were woken so far: their voluntary context switches.
std::uint64_t wake_ups() {
  std::uint64_t total = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(thread.path() / "status");
    const std::string name = "voluntary_ctxt_switches:";
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(name)) total += std::stoull(line.substr(name.size()));
    }
  }
  return total;
}

}  // namespace

nlohmann::json idle(const Options& options) {
  const std::uint64_t wake_ups_before = wake_ups();
  const Stopwatch watch;
  std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));
  const double seconds = watch.seconds();
  return {{"cpu_percent", watch.cpu_seconds() / seconds * 100},
          {"wake_ups_per_second", double(wake_ups() - wake_ups_before) / seconds}};
}

nlohmann::json rates(std::size_t messages, double seconds, double cpu_seconds) {
  const double number = static_cast<double>(messages);
  return {{"messages", messages},
          {"seconds", seconds},
          {"per_second", number / seconds},
          {"cpu_us_per_message", cpu_seconds * 1e6 / number}};
}

nlohmann::json rates(std::size_t messages, const Stopwatch& watch) {
  return rates(messages, watch.seconds(), watch.cpu_seconds());
}

nlohmann::json queue_and_drain(const Options& options, const Backlog& backlog) {
  const std::size_t before = backlog.look();
  backlog.answer_after(std::chrono::milliseconds(static_cast<int>(options.seconds * 1'000)));
  const Stopwatch queueing;
  for (std::size_t i = 0; i < options.count; ++i) backlog.fire(i);
  double seconds = queueing.seconds();
  double cpu_seconds = queueing.cpu_seconds();
  if (backlog.look() != before) throw std::runtime_error("a report came too early: give more seconds");
  backlog.answer_after(std::chrono::milliseconds(0));
  while (backlog.look() == before) continue;
  const Stopwatch draining;
  while (backlog.look() < before + options.count) continue;
  seconds += draining.seconds();
  cpu_seconds += draining.cpu_seconds();
  return rates(options.count, seconds, cpu_seconds);
}

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  statm >> all >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

const std::string& id_of(std::size_t i) {
  static const std::string first = "00000000-0000-7000-8000-000000000000";
  thread_local std::string id;
  id = first;
  for (std::size_t at = id.size(); i != 0; i /= 10) id[--at] = static_cast<char>('0' + i % 10);
  return id;
}

int report(const Options& options, const std::string& subject, nlohmann::json result) {
  result["subject"] = subject;
  result["work"] = options.work;
  std::cout << result.dump() << std::endl;
  return 0;
}

int fail(const std::string& why) {
  std::cerr << why << '\n';
  return 1;
}

}  // namespace action_triggers::bench
