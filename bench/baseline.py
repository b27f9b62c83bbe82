#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures two builds of action_triggers beside each other, in alternating runs. Run it through scripts/bench --baseline.

The programs of both are started with the same arguments: what the older programs do not know cannot be compared.
"""

import argparse
import os
import pathlib
import re
import statistics

import machine
import measure
from goals import HIGHER, LOWER

OURS = measure.OURS


def works(kafka, rabbitmq, count):
    """Title, arguments, and what is looked at: key, unit, which way is better."""
    def to(kind, broker, messages):
        return ["--type", kind, "--broker", broker, "--destination", "bench", "--count", count(messages)]
    nanoseconds = [("p50_ns", "ns, p50", LOWER), ("p99_ns", "ns, p99", LOWER)]
    throughput = [("per_second", "messages/s", HIGHER), ("cpu_us_per_message", "µs CPU a message", LOWER)]
    yield "fire(), a broker that confirms at once", ["hook", "--type", "none", "--count", count(1_000_000)], nanoseconds
    yield ("fire(), the same, 1,000 destinations",
           ["hook", "--type", "none", "--names", 1_000, "--count", count(1_000_000)], nanoseconds)
    yield "fire(), Kafka's mock cluster, saturating", ["hook", *to("kafka", "mock", 300_000)], nanoseconds
    yield "fire(), Kafka, 10,000 a second", ["paced", *to("kafka", kafka, 30_000)], nanoseconds
    yield "Kafka, mock cluster", ["throughput", *to("kafka", "mock", 1_000_000)], throughput
    for work in ("burst", "backlog"):
        yield (f"Kafka, mock cluster, a {work}, no id header", [work, *to("kafka", "mock", 300_000), "--no-id"],
               throughput)
    yield "Kafka, one node", ["throughput", *to("kafka", kafka, 1_000_000)], throughput
    yield "RabbitMQ", ["throughput", *to("rabbitmq", rabbitmq, 50_000)], throughput
    for name, kind, broker in (("Kafka", "kafka", kafka), ("RabbitMQ", "rabbitmq", rabbitmq)):
        yield f"{name}, one fire on an idle lane", ["latency", *to(kind, broker, 1_000)], nanoseconds[:1]
        yield f"{name}, start to first message", ["first", *to(kind, broker, 1_000)], [("seconds", "s", LOWER)]
        yield (f"{name}, idle dispatcher",
               ["idle", "--type", kind, "--broker", broker, "--destination", "bench", "--seconds", 4],
               [("cpu_percent", "% CPU", LOWER)])
    yield ("a queued message, over its body", ["memory", *to("rabbitmq", "127.0.0.1:1", 400_000)],
           [("over_the_body", "bytes", LOWER)])


def sustained(programs, seconds):
    """What a message costs in the long run, hook and lane together, by Google Benchmark: title -> ns."""
    return {re.sub(r"^fire/|/real_time", "", name): nanoseconds
            for name, nanoseconds in measure.micro(programs, f"--benchmark_min_time={seconds}",
                                                   "--benchmark_filter=bytes:(256|1024)/real_time")}


def verdict(old, new, better):
    """Worse or better only where the middle halves of the runs do not overlap, and the medians differ by over 2 %."""
    if len(old) < 3:
        return "—"
    before, after = statistics.median(old), statistics.median(new)
    if abs(after - before) <= 0.02 * before:
        return "the same"
    old, new = (statistics.quantiles(runs, n=4) for runs in (old, new))
    if better == HIGHER:
        old, new = ([-value for value in reversed(runs)] for runs in (old, new))
    return "**worse**" if new[0] > old[2] else "better" if new[2] < old[0] else "the same"


def row(work, unit, old, new, better):
    before, after = statistics.median(old), statistics.median(new)

    def shown(median, runs):
        return f"{median:,.4g} ({min(runs):,.3g} to {max(runs):,.3g})"
    ratio = f"{after / before:.2f}" if before else "—"
    return f"| {work} | {unit} | {shown(before, old)} | {shown(after, new)} | {ratio} | {verdict(old, new, better)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", type=pathlib.Path, help="the folder with the older build's programs")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one small run of each: whether it works, not how fast")
    parser.add_argument("--slow", action="store_true", help="while a program makes the caches forget")
    options = parser.parse_args()
    measure.make_topic(os.environ["AT_KAFKA_TOPICS"], "bench", "--replication-factor", "1")
    idle = machine.idle_share(3)
    with machine.slow_memory(measure.PROGRAMS, options.slow):
        print(machine.text(machine.describe(measure.PROGRAMS, measure.run, idle), options.slow, options.quick))
        compare((options.programs, measure.PROGRAMS), options.quick, 1 if options.quick else options.runs)


def compare(builds, quick, runs):
    def count(messages):
        return max(messages // (50 if quick else 1), 200)
    kafka = os.environ["AT_KAFKA_BOOTSTRAP"]
    measure.program(measure.RAW_KAFKA, "throughput", "--broker", kafka, "--destination", "bench", "--count",
                    count(1_000_000))  # warms up Kafka's JVM
    print("| work | measure | before (all runs) | now (all runs) | now ÷ before | |\n|---|---|---|---|---|---|")
    for work, arguments, figures in works(kafka, measure.rabbitmq(), count):
        measure.say(work)
        if not measure.can(builds[0] / OURS, arguments[0]):
            print(f"| {work} | the older programs do not know this work | — | — | — | — |", flush=True)
            continue
        results = ([], [])
        for _ in range(runs):
            for programs, found in zip(builds, results):
                found.append(measure.run(programs / OURS, *arguments))
        for key, unit, better in figures:
            print(row(work, unit, *([one[key] for one in found] for found in results), better), flush=True)
    measure.say("sustained")
    results = ([], [])
    for _ in range(runs):
        for programs, found in zip(builds, results):
            found.append(sustained(programs, 0.01 if quick else 0.3))
    for title in results[1][0]:
        print(row(f"hook and lane together, {title}", "ns", *([one[title] for one in found] for found in results),
                  LOWER), flush=True)


if __name__ == "__main__":
    main()
