# SPDX-License-Identifier: MIT
"""What emit() costs on the calling thread, how fast conditions are beside event-ruler, and what a reload costs.

Processor time, except where a row says ms.
"""

import measure

PROGRAM = "action_triggers_bench_triggers"
JAVA_CLIENT = measure.ROOT / "tests/live/java_client.sh"
MANY = 10_000  # triggers
RULES = 100
EVENT_BYTES = 900


def run(bench, with_event_ruler):
    bench.section = "Triggers"
    runs = min(bench.runs, 5)
    title = "emit() of {} bytes"
    small, = bench.alternate(title.format(256), lambda: emit(bench, 256), runs=runs)
    large, = bench.alternate(title.format(1_024), lambda: emit(bench, 1_024), runs=runs)
    unit = "ns CPU/event"

    def values(runs_of, name):
        return measure.values(runs_of, f"{name}_ns")
    bench.row("`emit()` of 256 B to one target as it is ÷ `fire()`", unit, values(small, "emit"), values(small, "fire"))
    bench.row("`emit()` to three targets as they are ÷ three `fire()`s", unit, values(small, "emit_three"),
              values(small, "three_fires"))
    for size, found in (("256 B", small), ("1 KiB", large)):
        bench.row(f"`emit()` of {size}, 100 triggers of one name, 2 match and make a body of 5 fields", unit,
                  values(found, "same_event_100"))
    for names, work in (("one name", "same_event"), ("as many names", "other_events")):
        bench.row(f"10,000 triggers of {names}, 2 match ÷ those 2 alone", unit, values(small, f"{work}_many"),
                  values(small, f"{work}_2"))
    if with_event_ruler:
        conditions(bench, runs)
    found, = bench.alternate("reload()", lambda: measure.program(PROGRAM, "reload", "--names", 1_000), runs=runs)
    bench.row("`reload()` of 1,000 destinations without change", "ms", measure.values(found, "reload_ms"))
    bench.row("the longest `fire()` meanwhile, processor time less that without a reload", "ms",
              [one["longest_fire_ms"] - one["longest_fire_without_ms"] for one in found])
    bench.row("how often the thread that fires has waited meanwhile", "times", measure.values(found, "waits"))


def emit(bench, size):
    return measure.program(PROGRAM, "emit", "--count", bench.count(200_000), "--size", size, "--names", MANY)


def conditions(bench, runs):
    """The same conditions and the same event, each in one thread, from the event's bytes to those that match."""
    arguments = ("--names", RULES, "--size", EVENT_BYTES)
    given = measure.program(PROGRAM, "conditions", *arguments)
    file = measure.ROOT / "build/bench/conditions.txt"
    file.write_text("\n".join([given["event"], *given["conditions"]]) + "\n", encoding="utf-8")
    peer = measure.ROOT / "bench/peers/EventRulerMatching.java"
    ours, theirs = bench.alternate(
        "conditions, event-ruler",
        lambda: measure.program(PROGRAM, "match", *arguments, "--count", bench.count(1_000_000)),
        lambda: measure.run(JAVA_CLIENT, peer, file), runs=runs)
    if {one["matching"] for one in ours} != {one["matching"] for one in theirs}:
        raise SystemExit("bench: event-ruler finds other conditions than we do")
    bench.compare("100 conditions on an event of 900 B, against event-ruler", "events/s", "per_second", ours, theirs)
