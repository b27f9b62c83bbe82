# SPDX-License-Identifier: MIT
"""Runs the measuring programs beside the raw client libraries and other clients, and keeps what they say.

Every ratio is ours divided by theirs: the same work, on the same servers, in alternating runs (A B A B …), medians. What
theirs can do in two ways is measured in both, and the better one counts. bursts.py, costs.py, triggers.py, scopes.py
neighbours.py and outbox.py measure the rest.
"""

import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

import pika

from goals import GOALS, HIGHER, LOWER

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "build/bench/bench"
OURS = "action_triggers_bench_ours"
RAW_KAFKA = "action_triggers_bench_raw_kafka"
RAW_RABBITMQ = "action_triggers_bench_raw_rabbitmq"
COMMAND = PROGRAMS.parent / "src/cli/action-triggers"


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def rabbitmq():
    """HOST:PORT, or nothing if the servers are not running."""
    host, port = os.environ.get("AT_RABBITMQ_HOST"), os.environ.get("AT_RABBITMQ_PORT")
    return f"{host}:{port}" if host and port else None


def empty_the_queue():
    host, port = rabbitmq().split(":")
    connection = pika.BlockingConnection(pika.ConnectionParameters(host, int(port)))
    connection.channel().queue_declare("bench", durable=True)
    connection.channel().queue_purge("bench")
    connection.close()


def run(*command):
    """Runs a measuring program; its one line of JSON. On RabbitMQ, it does not pay for the messages of those before."""
    if rabbitmq() in command:
        empty_the_queue()
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=900)
    if done.returncode != 0:
        raise SystemExit(f"bench: {' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def can(program_path, work):
    """Whether a measuring program, perhaps of another commit, knows this work."""
    text = subprocess.run([program_path, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return re.search(rf"\b{work}: ", text) is not None


def program(name, *arguments):
    return run(PROGRAMS / name, *arguments)


def both_ways(*arguments):
    """Raw librdkafka with a thread that polls, and without."""
    return [lambda: program(RAW_KAFKA, *arguments), lambda: program(RAW_KAFKA, *arguments, "--own-poll")]


def micro(programs, *flags):
    """Runs Google Benchmark's program of the build in that folder: the name and the nanoseconds of each of its runs."""
    report = subprocess.run([programs / "action_triggers_bench_micro", "--benchmark_format=json", *flags],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return [(one["run_name"], one["real_time"]) for one in json.loads(report.stdout)["benchmarks"]
            if one["run_type"] == "iteration"]


def make_topic(tool, name, *settings):
    """With an end to what it keeps: all runs together write some 20 GB."""
    subprocess.run([tool, "--create", "--if-not-exists", "--topic", name, "--partitions", "4", *settings,
                    "--config", "retention.bytes=134217728", "--config", "segment.bytes=67108864",
                    "--config", "file.delete.delay.ms=1000"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def values(runs, key):
    return [one[key] for one in runs]


def median(runs, key):
    return statistics.median(values(runs, key))


def spread(numbers):
    """By how much runs differ: the largest over the smallest, less one. Of five runs and more the outermost fifth on
    either side does not count, as it does not for a median."""
    leave = len(numbers) // 5
    kept = sorted(numbers)[leave:len(numbers) - leave]
    if kept[0] == kept[-1]:
        return 0.0
    return kept[-1] / kept[0] - 1 if kept[0] > 0 else float("inf")


def best(key, better, *ways):
    """The runs of the way with the best median."""
    return (max if better == HIGHER else min)(ways, key=lambda runs: median(runs, key))


class Bench:
    def __init__(self, quick):
        self.quick = quick
        self.runs = 1 if quick else 5
        self.kafka_throughput_runs = 1 if quick else 15  # they differ most
        self.scale = 50 if quick else 1  # quick: only whether it works
        self.section = ""  # of the rows to come
        self.rows = []  # the table: section, work, measure, ours, theirs, ratio, goal, and by how much runs differ
        self.raw = {}  # every run's numbers
        self.rabbitmq = rabbitmq()
        self.kafka = os.environ.get("AT_KAFKA_BOOTSTRAP")
        self.postgresql = os.environ.get("AT_POSTGRESQL_CONNINFO")  # all of them: None without servers

    def count(self, number):
        return max(number // self.scale, 200)

    def alternate(self, title, ours, *theirs, runs=None):
        """Runs all of them in turn, `runs` times (default: self.runs). The runs of each."""
        say(title)
        results = [[] for _ in range(1 + len(theirs))]
        for _ in range(runs or self.runs):
            for result, call in zip(results, (ours, *theirs)):
                result.append(call())
        self.raw[title] = results
        return results

    def row(self, work, unit, ours, theirs=None, **details):
        """A row of the table, from a line of GOALS and the numbers of all runs. Without `theirs`, the goal is for our
        own number."""
        better, goal = GOALS[work, unit]
        middle = statistics.median(ours)
        their_middle = None if theirs is None else statistics.median(theirs)
        self.rows.append({
            "section": self.section, "work": work.format(**details), "measure": unit, "ours": middle,
            "theirs": their_middle, "value": middle if theirs is None else middle / their_middle, "goal": goal,
            "lower_is_better": better == LOWER, "our_spread": spread(ours),
            "their_spread": None if theirs is None else spread(theirs), "our_runs": ours, "their_runs": theirs})

    def compare(self, work, unit, key, ours, theirs, **details):
        """A row of the runs of two programs."""
        self.row(work, unit, values(ours, key), values(theirs, key), **details)

    def warm_up(self, bootstrap, topic, count):
        say("warming up Kafka's JVM")
        program(RAW_KAFKA, "throughput", "--broker", bootstrap, "--destination", topic, "--count", self.count(count))

    def hook(self):
        count = self.count(300_000)
        to = ["--broker", "mock", "--destination", "bench", "--count", count]
        ours, raw = self.alternate("the hook, saturating", lambda: program(OURS, "hook", "--type", "kafka", *to),
                                   lambda: program(RAW_KAFKA, "hook", *to))
        for quantile in ("p50", "p99"):
            self.compare(f"`fire()`, saturating, {quantile}", "ns", f"{quantile}_ns", ours, raw)
        clock = program(OURS, "clock", "--count", count)["p50_ns"]
        self.row("the same, p50, less the clock's own {clock:.0f} ns", "ns",
                 *([p50 - clock for p50 in values(runs, "p50_ns")] for runs in (ours, raw)), clock=clock)
        to = ["--broker", self.kafka, "--destination", "bench", "--count", self.count(30_000)]
        ours, raw = self.alternate("the hook, 10,000 a second", lambda: program(OURS, "paced", "--type", "kafka", *to),
                                   lambda: program(RAW_KAFKA, "paced", *to))
        self.compare("`fire()`, 10,000 a second, p99", "ns", "p99_ns", ours, raw)

    def kafka_throughput(self, where, bootstrap, topic, count):
        to = ["--broker", bootstrap, "--destination", topic, "--count", self.count(count)]
        ours, *ways = self.alternate(f"Kafka, {where}", lambda: program(OURS, "throughput", "--type", "kafka", *to),
                                     *both_ways("throughput", *to), runs=self.kafka_throughput_runs)
        self.rates(f"Kafka, confirmed, {where}", f"Kafka, client's CPU, {where}", ours, ways)

    def rates(self, throughput, processor, ours, ways, **details):
        """Two rows: messages a second beside the fastest way, processor time a message beside the cheapest."""
        self.compare(throughput, "messages/s", "per_second", ours, best("per_second", HIGHER, *ways), **details)
        self.compare(processor, "µs/message", "cpu_us_per_message", ours, best("cpu_us_per_message", LOWER, *ways),
                     **details)

    def rabbitmq_throughput(self):
        to = ["--broker", self.rabbitmq, "--destination", "bench", "--count", self.count(50_000)]
        ours, *ways = self.alternate(
            "RabbitMQ", lambda: program(OURS, "throughput", "--type", "rabbitmq", *to),
            lambda: program(RAW_RABBITMQ, "throughput", *to),
            lambda: program(RAW_RABBITMQ, "throughput", *to, "--in-flight", 10_000))
        self.rates("RabbitMQ, confirmed", "RabbitMQ, client's CPU", ours, ways)

    def latency(self):
        for name, kind, raw, broker in (
                ("Kafka", "kafka", both_ways, self.kafka),
                ("RabbitMQ", "rabbitmq", lambda *arguments: [lambda: program(RAW_RABBITMQ, *arguments)],
                 self.rabbitmq)):
            to = ["--broker", broker, "--destination", "bench", "--count", self.count(1_000)]
            ours, *ways = self.alternate(f"one at a time, {name}",
                                         lambda: program(OURS, "latency", "--type", kind, *to), *raw("latency", *to))
            self.compare(f"{name}, one fire on an idle lane, fire to report, p50", "ns", "p50_ns", ours,
                         best("p50_ns", LOWER, *ways))
            self.row(f"{name}, the same, absolute", "ns", values(ours, "p50_ns"))
            ours, *ways = self.alternate(f"start, {name}", lambda: program(OURS, "first", "--type", kind, *to),
                                         *raw("first", *to))
            self.compare(f"{name}, start to first confirmed message", "s", "seconds", ours,
                         best("seconds", LOWER, *ways))

    def idle(self):
        for name, kind, broker in (("Kafka", "kafka", self.kafka), ("RabbitMQ", "rabbitmq", self.rabbitmq)):
            to = ["--broker", broker, "--destination", "bench", "--seconds", 1 if self.scale > 1 else 6]
            runs, *raw = self.alternate(f"idle, {name}", lambda: program(OURS, "idle", "--type", kind, *to),
                                        *([lambda: program(RAW_KAFKA, "idle", *to)] if kind == "kafka" else []))
            self.row(f"{name}, idle dispatcher", "% CPU", values(runs, "cpu_percent"))
            self.row(f"{name}, idle dispatcher", "wake-ups/s", values(runs, "wake_ups_per_second"))
            for theirs in raw:
                self.compare("Kafka, idle, beside librdkafka with a thread that polls", "% CPU", "cpu_percent", runs,
                             theirs)

    def memory(self):
        runs, = self.alternate("memory", lambda: program(
            OURS, "memory", "--type", "rabbitmq", "--broker", "127.0.0.1:1", "--destination", "bench", "--count",
            self.count(400_000)))
        self.row("a queued message, over its body", "bytes", values(runs, "over_the_body"))

    def curves(self):
        """Throughput and hook along one axis at a time, with a broker that confirms at once."""
        axes = {"threads": (1, 2, 4, 8, 16, 32, 64), "names": (1, 10, 100, 1_000),
                  "size": (64, 256, 1_024, 16_384, 131_072, 1_048_576),
                  "count": (1_000, 10_000, 100_000, 1_000_000)}
        sustained = self.sustained()
        found = {}
        for axis, places in axes.items():
            say(f"curve: {axis}")
            points = []
            for value in places:
                # Fewer of the large ones: a gigabyte is enough.
                count = self.count(200_000 if axis != "size" else min(200_000, 1_000_000_000 // max(value, 1)))
                arguments = {"--count": count, f"--{axis}": value}
                if axis == "count" and self.scale > 1:
                    arguments["--count"] = min(value, 10_000)
                runs = [program(OURS, "hook", "--type", "none", *(part for pair in arguments.items() for part in pair))
                        for _ in range(self.runs)]
                points.append({"at": value, "p50_ns": median(runs, "p50_ns"), "p99_ns": median(runs, "p99_ns"),
                               "sustained_ns": sustained.get((axis, value))})
            found[axis] = points
        self.raw["curves"] = found

    def destinations(self):
        """Whether a fire costs more where there are many destinations."""
        def hook(names):
            return lambda: program(OURS, "hook", "--type", "none", "--names", names, "--count", self.count(200_000))
        self.compare("`fire()` at 1,000 destinations ÷ at 1", "p50, ns", "p50_ns",
                     *self.alternate("1,000 destinations", hook(1_000), hook(1)))

    def in_flight(self):
        """What a confirmed message costs on real brokers by how many may be unconfirmed at once."""
        say("curve: in flight")
        found = []
        for name, kind, broker, most, count in (("Kafka", "kafka", self.kafka, 1_000_000, 1_000_000),
                                                ("RabbitMQ", "rabbitmq", self.rabbitmq, 100_000, 30_000)):
            window = 1
            while window <= most:
                messages = self.count(max(min(count, 500 * window), window))
                runs = [program(OURS, "throughput", "--type", kind, "--broker", broker, "--destination", "bench",
                                "--count", messages, "--in-flight", window) for _ in range(min(self.runs, 3))]
                found.append({"broker": name, "at": window, "us": 1e6 / median(runs, "per_second")})
                window *= 10
        self.raw["in flight"] = found

    def sustained(self):
        """What a message costs in the long run, hook and lane together, from Google Benchmark: (axis, value) -> ns."""
        say("sustained, by threads, destinations and size")
        times = {}
        for name, nanoseconds in micro(PROGRAMS, f"--benchmark_repetitions={min(self.runs, 3)}",
                                       f"--benchmark_min_time={0.01 if self.scale > 1 else 0.2}"):
            names, size, threads = re.fullmatch(r"fire/names:(\d+)/bytes:(\d+)/real_time(?:/threads:(\d+))?",
                                                name).groups()
            by_axis = {"names": int(names), "size": int(size), "threads": int(threads or 1)}
            usual = {"names": 1, "size": 256, "threads": 1}
            for axis, value in by_axis.items():
                if all(by_axis[other] == usual[other] for other in usual if other != axis):
                    times.setdefault((axis, value), []).append(nanoseconds)
        return {point: statistics.median(all_of) for point, all_of in times.items()}

    def build_costs(self):
        say("include cost and size")
        compiler = os.environ.get("CXX", "c++")
        seconds = []
        for _ in range(self.runs):
            begin = time.monotonic()
            subprocess.run([compiler, "-std=c++20", "-fsyntax-only", "-x", "c++", "-I", ROOT / "include", "-"],
                           input='#include "action_triggers/action_triggers.hpp"\n', text=True, check=True)
            seconds.append(time.monotonic() - begin)
        self.raw["include cost"] = seconds
        self.row("the umbrella header, compiled alone", "s", seconds)
        library = ROOT / "build/bench-shared/libaction_triggers.so"
        stripped = library.with_suffix(".stripped")
        subprocess.run(["strip", "-o", stripped, library], check=True)
        self.row("the shared library, stripped", "bytes", [stripped.stat().st_size])

    def peers(self, python):
        """Other clients, from PyPI, on the same servers."""
        here = ROOT / "bench/peers"

        def peer(script, *arguments):
            return lambda: run(python, here / script, "--size", 256, *arguments)
        rabbitmq = ["--broker", self.rabbitmq, "--destination", "bench"]
        kafka = ["--broker", self.kafka, "--destination", "bench"]
        ours_rabbitmq = [*rabbitmq, "--count", self.count(50_000)]
        ours_kafka = [*kafka, "--count", self.count(1_000_000)]
        ours, django, aio_pika = self.alternate(
            "peers on RabbitMQ", lambda: program(OURS, "throughput", "--type", "rabbitmq", *ours_rabbitmq),
            peer("django_action_triggers.py", "--type", "rabbitmq", *rabbitmq, "--count", 200),
            peer("aio_pika_publisher.py", *rabbitmq, "--count", self.count(10_000)))
        self.compare("RabbitMQ, against django-action-triggers", "messages/s", "per_second", ours, django)
        self.compare("RabbitMQ, against aio-pika", "messages/s", "per_second", ours, aio_pika)
        ours, django, confluent = self.alternate(
            "peers on Kafka", lambda: program(OURS, "throughput", "--type", "kafka", *ours_kafka),
            peer("django_action_triggers.py", "--type", "kafka", *kafka, "--count", 200),
            peer("confluent_producer.py", *kafka, "--count", self.count(200_000)))
        self.compare("Kafka, against django-action-triggers", "messages/s", "per_second", ours, django)
        self.compare("Kafka, against confluent-kafka", "messages/s", "per_second", ours, confluent)
