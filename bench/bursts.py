# SPDX-License-Identifier: MIT
"""Bursts far beyond the caches: as many messages as it goes, with room for all of them, to a mock cluster of one node."""

import measure

BYTES_A_MESSAGE = 1_400  # either side, body included, generously


def available_memory():
    with open("/proc/meminfo", encoding="ascii") as meminfo:
        return next(int(line.split()[1]) << 10 for line in meminfo if line.startswith("MemAvailable"))


def burst(bench, count, size, runs=None):
    """With and without the header of the id, ours and raw alike."""
    if count * BYTES_A_MESSAGE > available_memory():
        measure.say(f"too little memory for a burst of {count:,}: left out")
        return
    for header, flags in (("no id header", ["--no-id"]), ("with id header", [])):
        to = ["--broker", "mock", "--destination", "bench", "--count", count, "--size", size, *flags]
        ours, *ways = bench.alternate(f"a burst of {count:,} of {size:,} bytes, {header}",
                                      lambda: measure.program(measure.OURS, "burst", "--type", "kafka", *to),
                                      *measure.both_ways("burst", *to), runs=runs)
        work = f"a burst of {{count:,}} of {{size:,}} bytes, {header}"
        bench.rates(work, f"client's CPU, {work}", ours, ways, count=count, size=size)


def run(bench, large):
    bench.section = "Bursts far beyond the caches"
    for size in (64, 256, 1_024):
        burst(bench, bench.count(300_000), size)
    if large:
        burst(bench, bench.count(3_000_000), 64, runs=min(bench.runs, 3))
