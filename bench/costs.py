# SPDX-License-Identifier: MIT
"""Costs that once grew with something they have nothing to do with, and must not come back. About a minute."""

import measure

PROGRAM = "action_triggers_bench_costs"
MOST_CONFIGURATION = 1 << 20  # bytes, the loader's own limit
MEBIBYTE = 1 << 20


def run(bench):
    bench.section = "Costs that must not come back"
    runs = min(bench.runs, 3)
    seconds = 0.2 if bench.quick else 1

    def cost(work, **arguments):
        flags = [part for name, value in arguments.items() for part in (f"--{name}", value)]
        return lambda: measure.program(PROGRAM, work, "--seconds", seconds, *flags)

    def compare(title, ours, theirs, times=runs, **details):
        many, few = bench.alternate(title.format(**details), ours, theirs, runs=times)
        bench.compare(title, "µs CPU/message", "cpu_us_per_message", many, few, **details)
        return many
    compare("`fire().wait()` in 1,024 threads ÷ in 16", cost("waiters", threads=1_024), cost("waiters", threads=16))
    compare("waiting for capacity beside one idle destination ÷ beside none",
            cost("idle-destination", threads=8, names=2), cost("idle-destination", threads=8, names=1))
    blocked = "a blocked connection, a backlog at 1,000 destinations, 390 fires/s"
    found, = bench.alternate(blocked, cost("blocked", names=1_000, rate=390), runs=runs)
    bench.row(blocked, "% CPU", measure.values(found, "cpu_percent"))
    count = bench.count(100_000)
    paused = compare("`fire().wait()` beside {count:,} paused destinations ÷ beside one",
                     cost("paused", threads=1, names=count), cost("paused", threads=1, names=1), times=1, count=count)
    bench.row("start with {count:,} destinations", "s", measure.values(paused, "start_seconds"), count=count)
    found, = bench.alternate("mistakes", cost("mistakes", size=MOST_CONFIGURATION), runs=runs)
    bench.row("any mistakes in 1 MiB of configuration, the longest", "s", measure.values(found, "longest_seconds"))
    idle_threads(bench, cost, runs)


def idle_threads(bench, cost, runs):
    """What threads keep that do not fire any more, less what threads take that never did."""
    found = bench.alternate("idle threads", *(cost("idle-threads", threads=500, count=count) for count in (0, 1, 80)),
                            runs=runs)
    never, once, often = (measure.values(of, "bytes") for of in found)
    for messages, memory in ((320, often), (4, once)):
        bench.row(f"caches of 500 idle threads that fired {messages} messages each", "MiB",
                  [(fired - without) / MEBIBYTE for fired, without in zip(memory, never)])
