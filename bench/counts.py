#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts what a message costs, ours and with the client library alone: instructions, cache lines missed, system calls.

Counts do not depend on the machine or on what else it does. valgrind's callgrind simulates the caches: a first level of
32 KiB, and a last one of 1 MiB, so that a queue of some thousand messages is far from them, as a long one is from real
ones. Threads run in turn, and no prefetching is simulated. Each program runs twice, with few messages and with many: the
difference is the messages', without start and end. Run it through scripts/bench --counts, which builds the programs.
"""

import argparse
import collections
import os
import pathlib
import re
import subprocess
import tempfile

import measure

CACHES = ["--cache-sim=yes", "--D1=32768,8,64", "--LL=1048576,16,64"]
FEW, MANY = 4_000, 24_000
COST = re.compile(r"[+\-*\d]")


class Costs(collections.Counter):
    """instructions, and cache lines that the first level and both levels missed."""

    def add(self, events, numbers):
        found = dict(zip(events, map(int, numbers)))
        self["instructions"] += found.get("Ir", 0)
        self["D1"] += found.get("D1mr", 0) + found.get("D1mw", 0)
        self["LL"] += found.get("DLmr", 0) + found.get("DLmw", 0)


def owner(library, function):
    if "librdkafka" in library:
        return "client library"
    return "ours" if "action_triggers" in function else "other libraries"


def functions_of(profile):
    """A thread's profile: the costs of each (library, function), without those that it calls."""
    names = {"ob": {}, "fn": {}}
    costs = collections.defaultdict(Costs)
    library = function = ""
    events, is_call = [], False
    for line in profile.read_text(encoding="utf-8").splitlines():
        if line.startswith("events: "):
            events = line.split()[1:]
        elif match := re.match(r"(ob|fn)=\((\d+)\)(?: (.*))?", line):
            kind, number, name = match.groups()
            text = names[kind].setdefault(number, name) if name else names[kind][number]
            library, function = (text, function) if kind == "ob" else (library, text)
        elif match := re.match(r"(cob|cfn)=\((\d+)\) (.*)", line):
            names[match[1][1:]].setdefault(match[2], match[3])
        elif line.startswith("calls="):
            is_call = True
        elif COST.match(line) and line[0] != "#":
            if not is_call:
                costs[library, function].add(events, line.split()[1:])
            is_call = False
    return costs


def role_of(functions, is_first):
    if is_first:
        return "who fires"
    if any("Lane::run" in function for _, function in functions):
        return "the lane"
    return "the client library's threads"


def count(program, *arguments):
    """(role, library, function) -> Costs, of one run."""
    found = collections.defaultdict(Costs)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["valgrind", "-q", "--tool=callgrind", "--separate-threads=yes", "--fair-sched=yes", *CACHES,
                        f"--callgrind-out-file={folder}/profile", measure.PROGRAMS / program, *map(str, arguments)],
                       check=True, stdout=subprocess.DEVNULL)
        for profile in sorted(pathlib.Path(folder).glob("profile-*")):
            functions = functions_of(profile)
            role = role_of(functions, profile.name.endswith("-01"))
            for (library, function), costs in functions.items():
                found[role, library, function].update(costs)
    return found


def a_message(program, *arguments):
    """The same of one message: what many cost more than few."""
    measure.say(f"counting: {program.removeprefix('action_triggers_bench_')} {' '.join(map(str, arguments))}")
    few, many = (count(program, *arguments, "--count", number) for number in (FEW, MANY))
    for place, costs in many.items():
        costs.subtract(few.get(place, {}))
    return {place: {key: value / (MANY - FEW) for key, value in costs.items()} for place, costs in many.items()}


def sums(found, of):
    """Added up by what `of` makes of (role, library, function)."""
    totals = collections.defaultdict(collections.Counter)
    for place, costs in found.items():
        totals[of(*place)].update(costs)
    return totals


def by_part(role, library, function):
    return role if role == "who fires" else (role, owner(library, function))


PARTS = ["who fires", ("the lane", "ours"), ("the lane", "client library"), ("the lane", "other libraries"),
         ("the client library's threads", "client library"), ("the client library's threads", "other libraries")]


def row(title, totals):
    cells = [f"{totals[kind]:,.0f}" if kind == "instructions" else f"{totals[kind]:.1f}"
             for kind in ("instructions", "D1", "LL")]
    return f"| {title} | {' | '.join(cells)} |"


def table(title, ours, raw):
    lines = [f"**{title}**", "", "| where | instructions | lines missed, first level | both levels |", "|---|---|---|---|"]
    for name, found in (("ours", ours), ("raw", raw)):
        parts = sums(found, by_part)
        for part in PARTS:
            if part in parts:
                lines.append(row(f"{name}: {part if isinstance(part, str) else ', '.join(part)}", parts[part]))
        lines.append(row(f"**{name}: all**", sums(found, lambda *_: "all")["all"]))
    return "\n".join(lines) + "\n"


def functions(found, role, least=5):
    """The most expensive functions of ours."""
    mine = [(function, costs) for (of, library, function), costs in found.items()
            if of == role and owner(library, function) == "ours" and costs["instructions"] >= least]
    mine.sort(key=lambda one: -one[1]["instructions"])
    lines = ["| function | instructions | lines missed, first level | both levels |", "|---|---|---|---|"]
    return "\n".join(lines + [row(f"`{short(function)}`", costs) for function, costs in mine]) + "\n"


def short(function):
    return re.sub(r"action_triggers::(detail::)?|\(anonymous namespace\)::", "", function).split("(")[0]


def bursts(sizes, names, flags):
    for size in sizes:
        for number in names:
            to = ["backlog", "--broker", "mock", "--destination", "bench", "--size", size, "--seconds", 600, *flags]
            ours = a_message(measure.OURS, *to, "--type", "kafka", "--names", number)
            print(table(f"A backlog of {MANY:,} of {size:,} bytes, {number} names, {' '.join(flags) or 'with id header'}",
                        ours, a_message(measure.RAW_KAFKA, *to)))
            print(functions(ours, "who fires"))
            print(functions(ours, "the lane"))


def system_calls(program, *arguments):
    """Name -> calls of one message."""
    found = []
    for number in (200, 1_200):
        with tempfile.NamedTemporaryFile("r") as output:
            subprocess.run(["strace", "-f", "-qq", "-c", "-U", "name,calls", "-o", output.name,
                            measure.PROGRAMS / program, *map(str, arguments), "--count", str(number)],
                           check=True, stdout=subprocess.DEVNULL)
            calls = collections.Counter()
            for line in output.read().splitlines():
                if match := re.fullmatch(r"(\w+)\s+(\d+)", line.strip()):
                    calls[match[1]] += int(match[2])
        calls.pop("total", None)
        found.append(calls)
    found[1].subtract(found[0])
    return {name: calls / 1_000 for name, calls in found[1].items() if calls >= 50}


def one_at_a_time():
    to = ["latency", "--broker", measure.rabbitmq(), "--destination", "bench"]
    print("**RabbitMQ, one at a time: system calls a message**\n\n| call | ours | raw |\n|---|---|---|")
    ours = system_calls(measure.OURS, *to, "--type", "rabbitmq")
    raw = system_calls(measure.RAW_RABBITMQ, *to)
    for name in sorted({*ours, *raw}):
        print(f"| {name} | {ours.get(name, 0):.2f} | {raw.get(name, 0):.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", metavar="BYTES,…", default="64,256,1024")
    parser.add_argument("--names", metavar="NUMBER,…", default="1")
    parser.add_argument("--with-id", action="store_true", help="the message's id as a header, on both sides")
    options = parser.parse_args()
    bursts([int(size) for size in options.sizes.split(",")], [int(name) for name in options.names.split(",")],
           [] if options.with_id else ["--no-id"])
    if os.environ.get("AT_RABBITMQ_HOST"):
        measure.empty_the_queue()
        one_at_a_time()


if __name__ == "__main__":
    main()
