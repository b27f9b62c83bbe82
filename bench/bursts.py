# SPDX-License-Identifier: MIT
"""Bursts far beyond the caches: with room for all messages, fired as fast as it goes, to a mock cluster of one node. A
backlog is a burst to which the cluster answers nothing until all of it is queued: a burst of a client that keeps up with
whoever produces is never queued.
"""

import measure

BYTES_A_MESSAGE = 1_400  # either side, body included, generously


def available_memory():
    with open("/proc/meminfo", encoding="ascii") as meminfo:
        return next(int(line.split()[1]) << 10 for line in meminfo if line.startswith("MemAvailable"))


def burst(bench, work, count, size, runs=None):
    """With and without the header of the id, ours and raw alike. `work`: "burst" or "backlog"."""
    if count * BYTES_A_MESSAGE > available_memory():
        measure.say(f"too little memory for a {work} of {count:,}: left out")
        return
    for header, flags in (("no id header", ["--no-id"]), ("with id header", [])):
        to = ["--broker", "mock", "--destination", "bench", "--count", count, "--size", size, *flags]
        ours, *ways = bench.alternate(f"a {work} of {count:,} of {size:,} bytes, {header}",
                                      lambda: measure.program(measure.OURS, work, "--type", "kafka", *to),
                                      *measure.both_ways(work, *to), runs=runs)
        title = f"{{what}} of {{count:,}} of {{size:,}} bytes, {header}"
        bench.rates(title, f"client's CPU, {title}", ours, ways, what=f"a {work}", count=count, size=size)


def run(bench, large):
    bench.section = "Bursts far beyond the caches"
    for work in ("burst", "backlog"):
        for size in (64, 256, 1_024):
            burst(bench, work, bench.count(300_000), size)
        if large:
            burst(bench, work, bench.count(3_000_000), 64, runs=min(bench.runs, 3))
