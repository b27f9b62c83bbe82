# SPDX-License-Identifier: MIT
"""The machine that figures were measured on, and the mode in which its caches forget."""

import contextlib
import os
import pathlib
import platform
import subprocess
import time

PROGRAM = "action_triggers_bench_machine"
MEBIBYTE = 1 << 20
IDLE_ENOUGH = 0.9
FAR = 64 * MEBIBYTE  # more than the caches of usual machines


def idle_share(seconds):
    """The share of all cores' time in which they did nothing, over the next seconds."""
    def times():
        with open("/proc/stat", encoding="ascii") as stat:
            numbers = [int(number) for number in stat.readline().split()[1:]]
        return sum(numbers[:8]), numbers[3]  # idle, without waiting for a disk
    all_before, idle_before = times()
    time.sleep(seconds)
    all_after, idle_after = times()
    return (idle_after - idle_before) / max(all_after - all_before, 1)


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        models = [line.split(":", 1)[1].strip() for line in cpuinfo if line.startswith("model name")]
    return models[0] if models else platform.machine()


def caches(folder=pathlib.Path("/sys/devices/system/cpu/cpu0/cache")):
    """What the kernel says of the first core's caches, such as "L1 data 48 KiB"."""
    found = []
    for index in sorted(folder.glob("index*")):
        level, kind, size = ((index / name).read_text(encoding="ascii").strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            name = f"L{level} data" if kind == "Data" else f"L{level}"
            found.append(f"{name} {size.replace('K', ' KiB').replace('M', ' MiB')}")
    return found


def describe(programs, run, idle):
    """What figures depend on. `run` runs a program and returns its result; `idle`: idle_share() before it all began."""
    def latency(size):
        return min(run(programs / PROGRAM, "chase", "--size", size)["nanoseconds"] for _ in range(3))
    return {"processor": processor(), "cores": len(os.sched_getaffinity(0)), "system": platform.platform(),
            "caches": caches(), "idle_before": idle, "latency_64_mib_ns": latency(FAR),
            "latency_1_mib_ns": latency(MEBIBYTE)}


def text(machine, slow=False, quick=False):
    """For people, one thing a line."""
    lines = [f"{machine['processor']}, {machine['cores']} cores, {machine['system']}",
             f"caches of a core: {', '.join(machine['caches']) or 'not known'}",
             f"a reading in 64 MiB of memory: {machine['latency_64_mib_ns']:.0f} ns; in 1 MiB: "
             f"{machine['latency_1_mib_ns']:.1f} ns",
             f"idle before it began: {machine['idle_before']:.0%} of all cores' time"]
    if machine["idle_before"] < IDLE_ENOUGH:
        lines.append("BUSY: other programs took part of it, so figures in messages/s and ns say little; CPU figures more")
    if slow:
        lines.append("SLOW: a program wrote through 64 MiB on every core meanwhile, a quarter of its time")
    if quick:
        lines.append("QUICK: one small run of each, so the figures below say nothing but that the benchmarks work")
    return "".join(f"- {line}\n" for line in lines)


@contextlib.contextmanager
def slow_memory(programs, wanted):
    """Meanwhile, if wanted, a program makes the caches forget what other programs have there."""
    if not wanted:
        yield
        return
    forever = 1_000_000
    with subprocess.Popen([programs / PROGRAM, "evict", "--size", str(FAR), "--seconds", str(forever)],
                          stdout=subprocess.DEVNULL) as evicting:
        try:
            yield
            if evicting.poll() is not None:
                raise SystemExit("bench: the program that makes the caches forget has ended early")
        finally:
            evicting.kill()
