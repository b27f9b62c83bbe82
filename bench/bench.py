#!/usr/bin/env python3
"""Measures action_triggers beside the raw client libraries and other clients, and writes docs/performance.md's tables.

Every ratio is ours divided by theirs: the same work, on the same servers, in alternating runs (A B A B …), medians.
Run it through scripts/bench, which builds the programs and starts the servers.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time

import pika

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "build/bench/bench"
OURS = "action_triggers_bench_ours"
RAW_KAFKA = "action_triggers_bench_raw_kafka"
RAW_RABBITMQ = "action_triggers_bench_raw_rabbitmq"


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def rabbitmq():
    return f"{os.environ['AT_RABBITMQ_HOST']}:{os.environ['AT_RABBITMQ_PORT']}"


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


def program(name, *arguments):
    return run(PROGRAMS / name, *arguments)


def make_topic(tool, name, *settings):
    """With an end to what it keeps: all runs together write some 20 GB."""
    subprocess.run([tool, "--create", "--if-not-exists", "--topic", name, "--partitions", "4", *settings,
                    "--config", "retention.bytes=134217728", "--config", "segment.bytes=67108864",
                    "--config", "file.delete.delay.ms=1000"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def median(runs, key):
    return statistics.median(one[key] for one in runs)


class Bench:
    def __init__(self, quick):
        self.runs = 1 if quick else 5
        self.kafka_throughput_runs = 1 if quick else 15  # they differ most
        self.scale = 50 if quick else 1  # quick: only whether it works
        self.rows = []  # the table: work, measure, ours, theirs, ratio, goal
        self.raw = {}  # every run's numbers
        self.rabbitmq = rabbitmq()
        self.kafka = os.environ["AT_KAFKA_BOOTSTRAP"]

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

    def row(self, work, measure, ours, theirs, goal, lower_is_better=True):
        """`theirs` None: an absolute number against its goal."""
        value = ours if theirs is None else ours / theirs
        reached = "" if goal is None else ("yes" if (value <= goal if lower_is_better else value >= goal) else "**no**")
        self.rows.append({"work": work, "measure": measure, "ours": ours, "theirs": theirs, "value": value,
                          "goal": goal, "lower_is_better": lower_is_better, "reached": reached})

    # ------------------------------------------------------------------------------------------------------- servers

    def warm_up(self, bootstrap, topic, count):
        say("warming up Kafka's JVM")
        program(RAW_KAFKA, "throughput", "--broker", bootstrap, "--destination", topic, "--count", self.count(count))

    # ------------------------------------------------------------------------------------------------------ the works

    def hook(self):
        count = self.count(300_000)
        to = ["--broker", "mock", "--destination", "bench", "--count", count]
        ours, raw = self.alternate("the hook, saturating", lambda: program(OURS, "hook", "--type", "kafka", *to),
                                   lambda: program(RAW_KAFKA, "hook", *to))
        for quantile, goal in (("p50", 0.33), ("p99", 1.0)):
            self.row(f"`fire()`, saturating, {quantile}", "ns", median(ours, quantile + "_ns"),
                     median(raw, quantile + "_ns"), goal)
        clock = program(OURS, "clock", "--count", count)["p50_ns"]
        self.row(f"the same, p50, less the clock's own {clock:.0f} ns", "ns", median(ours, "p50_ns") - clock,
                 median(raw, "p50_ns") - clock, None)
        to = ["--broker", self.kafka, "--destination", "bench", "--count", self.count(30_000)]
        ours, raw = self.alternate("the hook, 10,000 a second", lambda: program(OURS, "paced", "--type", "kafka", *to),
                                   lambda: program(RAW_KAFKA, "paced", *to))
        self.row("`fire()`, 10,000 a second, p99", "ns", median(ours, "p99_ns"), median(raw, "p99_ns"), 1.0)

    def kafka_throughput(self, where, bootstrap, topic, count, goal):
        to = ["--broker", bootstrap, "--destination", topic, "--count", self.count(count)]
        ours, raw = self.alternate(f"Kafka, {where}", lambda: program(OURS, "throughput", "--type", "kafka", *to),
                                   lambda: program(RAW_KAFKA, "throughput", *to), runs=self.kafka_throughput_runs)
        self.row(f"Kafka, confirmed, {where}", "messages/s", median(ours, "per_second"), median(raw, "per_second"), goal,
                 lower_is_better=False)
        self.row(f"Kafka, client's CPU, {where}", "µs/message", median(ours, "cpu_us_per_message"),
                 median(raw, "cpu_us_per_message"), None)

    def rabbitmq_throughput(self):
        to = ["--broker", self.rabbitmq, "--destination", "bench", "--count", self.count(50_000)]
        ours, raw, wide = self.alternate(
            "RabbitMQ", lambda: program(OURS, "throughput", "--type", "rabbitmq", *to),
            lambda: program(RAW_RABBITMQ, "throughput", *to),
            lambda: program(RAW_RABBITMQ, "throughput", *to, "--in-flight", 10_000))
        best = max(raw, wide, key=lambda runs: median(runs, "per_second"))
        self.row("RabbitMQ, confirmed", "messages/s", median(ours, "per_second"), median(best, "per_second"), 1.0,
                 lower_is_better=False)
        self.row("RabbitMQ, client's CPU", "µs/message", median(ours, "cpu_us_per_message"),
                 min(median(raw, "cpu_us_per_message"), median(wide, "cpu_us_per_message")), 1.0)

    def latency(self):
        for name, kind, raw_program, broker, most_ns in (("Kafka", "kafka", RAW_KAFKA, self.kafka, 1.5e6),
                                                         ("RabbitMQ", "rabbitmq", RAW_RABBITMQ, self.rabbitmq, 1e6)):
            to = ["--broker", broker, "--destination", "bench", "--count", self.count(1_000)]
            ours, raw = self.alternate(f"one at a time, {name}", lambda: program(OURS, "latency", "--type", kind, *to),
                                       lambda: program(raw_program, "latency", *to))
            self.row(f"{name}, one fire on an idle lane, fire to report, p50", "ns", median(ours, "p50_ns"),
                     median(raw, "p50_ns"), 1.1)
            self.row(f"{name}, the same, absolute", "ns", median(ours, "p50_ns"), None, most_ns)
            ours, raw = self.alternate(f"start, {name}", lambda: program(OURS, "first", "--type", kind, *to),
                                       lambda: program(raw_program, "first", *to))
            self.row(f"{name}, start to first confirmed message", "s", median(ours, "seconds"), median(raw, "seconds"),
                     1.1)

    def idle(self):
        for name, kind, broker in (("Kafka", "kafka", self.kafka), ("RabbitMQ", "rabbitmq", self.rabbitmq)):
            to = ["--broker", broker, "--destination", "bench", "--seconds", 1 if self.scale > 1 else 6]
            runs, *raw = self.alternate(f"idle, {name}", lambda: program(OURS, "idle", "--type", kind, *to),
                                        *([lambda: program(RAW_KAFKA, "idle", *to)] if kind == "kafka" else []))
            self.row(f"{name}, idle dispatcher", "% CPU", median(runs, "cpu_percent"), None, 0.1)
            self.row(f"{name}, idle dispatcher", "wake-ups/s", median(runs, "wake_ups_per_second"), None, 5)
            for theirs in raw:
                self.row("Kafka, idle, beside librdkafka with a thread that polls", "% CPU",
                         median(runs, "cpu_percent"), median(theirs, "cpu_percent"), None)

    def memory(self):
        runs, = self.alternate("memory", lambda: program(
            OURS, "memory", "--type", "rabbitmq", "--broker", "127.0.0.1:1", "--destination", "bench", "--count",
            self.count(400_000)))
        self.row("a queued message, over its body", "bytes", median(runs, "over_the_body"), None, 256)

    def curves(self):
        """Throughput and hook along one axis at a time, with a broker that confirms at once."""
        curves = {"threads": (1, 2, 4, 8, 16, 32, 64), "names": (1, 10, 100, 1_000),
                  "size": (64, 256, 1_024, 16_384, 131_072, 1_048_576),
                  "count": (1_000, 10_000, 100_000, 1_000_000)}
        sustained = self.sustained()
        found = {}
        for axis, values in curves.items():
            say(f"curve: {axis}")
            points = []
            for value in values:
                # Of what is large, less: a gigabyte is enough.
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
        names = {point["at"]: point["p50_ns"] for point in found["names"]}
        self.row("`fire()` at 1,000 names ÷ at 1", "p50, ns", names[1_000], names[1], 1.2)

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
        say("sustained, by threads, names and size")
        micro = PROGRAMS / "action_triggers_bench_micro"
        report = subprocess.run([micro, "--benchmark_format=json", f"--benchmark_repetitions={min(self.runs, 3)}",
                                 f"--benchmark_min_time={0.01 if self.scale > 1 else 0.2}"],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        times = {}
        for one in json.loads(report.stdout)["benchmarks"]:
            if one["run_type"] != "iteration":
                continue
            names, size, threads = re.fullmatch(r"fire/names:(\d+)/bytes:(\d+)/real_time(?:/threads:(\d+))?",
                                                one["run_name"]).groups()
            by_axis = {"names": int(names), "size": int(size), "threads": int(threads or 1)}
            usual = {"names": 1, "size": 256, "threads": 1}
            for axis, value in by_axis.items():
                if all(by_axis[other] == usual[other] for other in usual if other != axis):
                    times.setdefault((axis, value), []).append(one["real_time"])
        return {point: statistics.median(values) for point, values in times.items()}

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
        self.row("the umbrella header, compiled alone", "s", statistics.median(seconds), None, 1.3)
        library = ROOT / "build/bench-shared/libaction_triggers.so"
        stripped = library.with_suffix(".stripped")
        subprocess.run(["strip", "-o", stripped, library], check=True)
        self.row("the shared library, stripped", "bytes", stripped.stat().st_size, None, 1 << 20)

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
        ours_rate = median(ours, "per_second")
        self.row("RabbitMQ, against django-action-triggers", "messages/s", ours_rate, median(django, "per_second"), 100,
                 lower_is_better=False)
        self.row("RabbitMQ, against aio-pika", "messages/s", ours_rate, median(aio_pika, "per_second"), None,
                 lower_is_better=False)
        ours, django, confluent = self.alternate(
            "peers on Kafka", lambda: program(OURS, "throughput", "--type", "kafka", *ours_kafka),
            peer("django_action_triggers.py", "--type", "kafka", *kafka, "--count", 200),
            peer("confluent_producer.py", *kafka, "--count", self.count(200_000)))
        ours_rate = median(ours, "per_second")
        self.row("Kafka, against django-action-triggers", "messages/s", ours_rate, median(django, "per_second"), 3_000,
                 lower_is_better=False)
        self.row("Kafka, against confluent-kafka", "messages/s", ours_rate, median(confluent, "per_second"), None,
                 lower_is_better=False)

    # -------------------------------------------------------------------------------------------------------- output

    def table(self):
        def number(value):
            if value is None:
                return "—"
            return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
        lines = ["| work | measure | ours | theirs | ours ÷ theirs | goal | reached |", "|---|---|---|---|---|---|---|"]
        for row in self.rows:
            sign = "≤" if row["lower_is_better"] else "≥"
            ratio = "—" if row["theirs"] is None else number(row["value"])
            goal = "—" if row["goal"] is None else f"{sign} {number(row['goal'])}"
            lines.append(f"| {row['work']} | {row['measure']} | {number(row['ours'])} | {number(row['theirs'])} | "
                         f"{ratio} | {goal} | {row['reached'] or '—'} |")
        return "\n".join(lines) + "\n"

    def draw(self, folder):
        import matplotlib
        matplotlib.use("svg")
        matplotlib.rcParams["svg.hashsalt"] = "action_triggers"
        from matplotlib import pyplot
        folder.mkdir(parents=True, exist_ok=True)
        curves = self.raw["curves"]
        titles = {"threads": "threads that fire", "names": "named brokers on a connection", "size": "bytes of a body",
                  "count": "messages in a run"}
        figure, places = pyplot.subplots(1, len(curves) + 1, figsize=(17, 3.2), constrained_layout=True)
        for place, (axis, points) in zip(places, curves.items()):
            at = [point["at"] for point in points]
            for key, label in (("p50_ns", "a fire, p50"), ("p99_ns", "a fire, p99"), ("sustained_ns", "sustained")):
                there = [(x, point[key]) for x, point in zip(at, points) if point[key] is not None]
                if there:
                    place.plot(*zip(*there), marker="o", label=label)
            place.set(xscale="log", yscale="log", xlabel=titles[axis], ylabel="ns")
            place.legend()
        for name in ("Kafka", "RabbitMQ"):
            there = [(point["at"], point["us"]) for point in self.raw["in flight"] if point["broker"] == name]
            places[-1].plot(*zip(*there), marker="o", label=f"{name}, one node")
        places[-1].set(xscale="log", yscale="log", xlabel="unconfirmed at once", ylabel="µs a confirmed message")
        places[-1].legend()
        figure.savefig(folder / "curves.svg", metadata={"Date": None})
        ratios = [row for row in self.rows if row["theirs"] is not None and row["goal"] and row["goal"] <= 2]
        figure, place = pyplot.subplots(figsize=(9, 0.4 * len(ratios) + 1), constrained_layout=True)
        place.barh([row["work"].replace("`", "") for row in ratios], [row["value"] for row in ratios])
        for index, row in enumerate(ratios):
            place.plot([row["goal"]] * 2, [index - 0.4, index + 0.4], color="black")
        place.axvline(1.0, color="grey", linewidth=0.8)
        place.invert_yaxis()
        place.set(xlabel="ours ÷ raw client library (black: the goal)")
        figure.savefig(folder / "ratios.svg", metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one small run of each: whether it works, not how fast")
    parser.add_argument("--peers", metavar="PYTHON", help="also other clients, with this Python, which has them")
    parser.add_argument("--three-nodes", nargs=2, metavar=("BOOTSTRAP", "KAFKA_TOPICS"),
                        help="also a cluster of three, and its kafka-topics")
    parser.add_argument("--write", action="store_true", help="write the table and plots into docs/")
    options = parser.parse_args()
    bench = Bench(options.quick)
    make_topic(os.environ["AT_KAFKA_TOPICS"], "bench", "--replication-factor", "1")
    bench.warm_up(bench.kafka, "bench", 2_000_000)
    bench.hook()
    bench.kafka_throughput("mock cluster", "mock", "bench", 1_000_000, 1.3)
    bench.kafka_throughput("one node", bench.kafka, "bench", 1_000_000, 1.1)
    if options.three_nodes:
        three_nodes, kafka_topics = options.three_nodes
        make_topic(kafka_topics, "bench-3", "--replication-factor", "3", "--config", "min.insync.replicas=2")
        bench.warm_up(three_nodes, "bench-3", 1_000_000)
        bench.kafka_throughput("three nodes", three_nodes, "bench-3", 300_000, 1.1)
    bench.rabbitmq_throughput()
    bench.latency()
    bench.idle()
    bench.memory()
    bench.curves()
    bench.in_flight()
    bench.build_costs()
    if options.peers:
        bench.peers(options.peers)
    print(bench.table())
    result = {"date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count(), "machine": platform.platform(),
              "runs": bench.runs, "rows": bench.rows, "raw": bench.raw}
    output = ROOT / "build/bench/results.json"
    output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    bench.draw(ROOT / "build/bench/plots")
    say(f"raw numbers: {output.relative_to(ROOT)}; plots: build/bench/plots")
    if options.write:
        folder = ROOT / "docs/performance"
        folder.mkdir(exist_ok=True)
        bench.draw(folder)
        (folder / "results.json").write_text(json.dumps(result) + "\n", encoding="utf-8")
        page = ROOT / "docs/performance.md"
        before, rest = page.read_text(encoding="utf-8").split("<!-- results -->\n")
        after = rest.split("<!-- end -->")[1]
        page.write_text(f"{before}<!-- results -->\n{bench.table()}<!-- end -->{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
